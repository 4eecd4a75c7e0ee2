#pragma once

#include <string>
#include <vector>

#include "tests/crash/host_invariants.hpp"
#include "tests/scenario/trace.hpp"

namespace update::crash {

/// A command on a host in some state, and what it may lead to: the version before it and the one
/// that it is to bring, "absent" for no programs at all.
struct Case {
  std::string name;
  scenario::Scenario scenario;
  std::string before;
  std::string after;

  std::vector<std::string> versions() const { return {before, after}; }
};

/// 2.0.0 over 1.0.0, which commits.
Case good_apply();
/// The same, but the doctor says no, so that it is undone: 3.
Case undone_apply();
/// From 2.0.0 back to 1.0.0.
Case rollback();
/// The first update of a host that has no state folder, over programs that are there.
Case first_apply();
/// The same where the destinations are not there either.
Case first_install();
/// A first install whose doctor says no, so that the destinations go again.
Case undone_first_install();

/// An update that was stopped at some moment.
struct Stopped {
  std::string phase;
  std::function<void(scenario::Host&)> prepare;
};
/// One for each phase that `recover` can find, and some moments within a phase.
Stopped stopped_in(const std::string& phase);
const std::vector<std::string>& phases_to_stop_in();

/// `recover` with `arguments`, of an update that was stopped in `phase`.
Case recovery_of(const std::string& phase, const scenario::Arguments& arguments = {});

/// `recover`, and then all of host_invariants.hpp: one version of `versions`, and the next update
/// works.
Findings recovers_to_one(scenario::Host& host, const std::vector<std::string>& versions);

void append(Findings& findings, const Findings& more);

}  // namespace update::crash
