// The real program, killed at each system call that changes anything: what it leaves is whole at
// once, one version after `recover`, and of use for the next update. A call is aimed at by its name
// and number as they were recorded; one that was not come to is not a pass.

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/program/cases.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

using scenario::Arguments;
using scenario::Call;
using scenario::Host;
using scenario::InstalledFile;
using scenario::Scenario;

constexpr std::size_t kFailuresShown = 10;

/// What is looked at once the program was killed.
using Check = std::function<Findings(Host&)>;

Check recovers_to(const std::vector<std::string>& versions) {
  return [versions](Host& host) {
    Findings findings = each_file_whole(host, versions);
    append(findings, recovers_to_one(host, versions));
    return findings;
  };
}

/// A process id or a time stamp of another length may shift a number: tried once more.
bool reached_and_checked(const Scenario& scenario, const Call& call, const Check& check,
                         Findings& findings) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    Host host;
    scenario.prepare(host);
    if (scenario::kill_at(host, scenario, call).signal != SIGKILL) continue;
    findings = check(host);
    return true;
  }
  return false;
}

std::vector<Call> points_of(const std::string& name, const Scenario& scenario) {
  const scenario::Recording recording = scenario::record_all(scenario);
  std::cout << name << ": " << recording.changing_elsewhere
            << " changing calls of hooks and other threads cannot be aimed at\n";
  return scenario::changing(recording);
}

/// About `sample` of the points, or all in the full mode.
void sweep(const std::string& name, const Scenario& scenario, const Check& check,
           std::size_t sample) {
  const std::vector<Call> points = points_of(name, scenario);
  Tally tally{"kill at " + name};
  tally.recorded = points.size();
  std::size_t shown = 0;
  for (const std::size_t index : chosen_points(points.size(), points.size() / sample)) {
    const Call& call = points[index];
    ++tally.tried;
    Findings findings;
    const bool reached = reached_and_checked(scenario, call, check, findings);
    tally.reached += reached ? 1U : 0U;
    if (!reached) findings.push_back("not reached");
    tally.held += findings.empty() ? 1U : 0U;
    if (findings.empty() || ++shown > kFailuresShown) continue;
    ADD_FAILURE() << name << ", killed at point " << index << ", " << call.name << " " << call.nth
                  << " (" << call.text << "\n"
                  << to_message(findings);
  }
  tally.report();
}

void sweep(const Case& one, std::size_t sample) {
  sweep(one.name, one.scenario, recovers_to(one.versions()), sample);
}

TEST(KillSweep, OfAnApply) {
  sweep(good_apply(), 16);
}

TEST(KillSweep, OfAnApplyThatIsUndone) {
  sweep(undone_apply(), 10);
}

TEST(KillSweep, OfARollback) {
  sweep(rollback(), 8);
}

TEST(KillSweep, OfAFirstApplyWithoutAStateFolder) {
  sweep(first_apply(), 6);
}

TEST(KillSweep, OfAFirstInstallWithoutDestinations) {
  sweep(first_install(), 6);
}

TEST(KillSweep, OfAFirstInstallThatIsUndone) {
  sweep(undone_first_install(), 5);
}

class KillSweepOfRecover : public testing::TestWithParam<std::string> {};

TEST_P(KillSweepOfRecover, FromThisMoment) {
  sweep(recovery_of(GetParam()), 4);
}

INSTANTIATE_TEST_SUITE_P(KillSweep, KillSweepOfRecover, testing::ValuesIn(phases_to_stop_in()),
                         [](const auto& each) { return each.param; });

TEST(KillSweep, OfARecoverAtBoot) {
  sweep(recovery_of("swap_1_renamed", {"--boot"}), 4);
}

TEST(KillSweep, OfARecoverThatIsToldToGoBack) {
  sweep(recovery_of("swap_2_renamed", {"--policy", "rollback"}), 4);
}

TEST(KillSweep, OfAPruneThatDropsGenerations) {
  const auto prepare = [](Host& host) {
    for (const std::string version : {"1.0.0", "2.0.0", "3.0.0", "4.0.0"}) host.install(version);
    host.configure([](scenario::Settings& settings) { settings.generations = 1; });
  };
  const Scenario prune = {prepare, [](const Host&) { return Arguments{"prune"}; }};
  sweep("prune", prune, recovers_to({"4.0.0"}), 4);
}

constexpr const char* kForeign = "somebody's own work\n";

void write_over(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);
  scenario::write_file(path, bytes, 0755);
}

void leave_to_a_person(Host& host) {
  scenario::crash_in_swap(host, 2);
  write_over(host.bin("beta"), kForeign);
  ASSERT_EQ(host.run({"recover"}).code, 4);
}

bool is_kept_somewhere(const Host& host, const std::string& bytes) {
  const std::filesystem::recursive_directory_iterator files(host.path("."));
  return std::any_of(begin(files), end(files), [&](const auto& entry) {
    return entry.is_regular_file() && scenario::read_file(entry.path()) == bytes;
  });
}

TEST(KillSweep, OfARecoverThatHasToLeaveItToAPerson) {
  const Check nothing_changed = [](Host& host) {
    Findings findings;
    if (host.installed() != "alpha=2.0.0 beta=foreign gamma=1.0.0 ") {
      findings.push_back("changed to " + host.installed());
    }
    if (host.run({"recover"}).code != 4) findings.push_back("recover does not ask a person");
    for (const std::string name : {"alpha", "beta"}) {
      write_over(host.bin(name), scenario::program(name, "1.0.0"));
    }
    append(findings, recovers_to_one(host, {"1.0.0"}));
    return findings;
  };
  const Scenario again = {leave_to_a_person, [](const Host&) { return Arguments{"recover"}; }};
  sweep("recover of needs_operator", again, nothing_changed, 4);
}

TEST(KillSweep, OfAForcedRollbackLosesNobodysBytes) {
  const Arguments force = {"recover", "--force-rollback", "--reason", "a test"};
  const Check forced_again = [force](Host& host) {
    Findings findings;
    if (!is_kept_somewhere(host, kForeign)) findings.push_back("the foreign bytes are gone");
    if (host.run({"recover"}).code == 4) host.run(force);
    append(findings, recovers_to_one(host, {"1.0.0"}));
    if (!is_kept_somewhere(host, kForeign)) findings.push_back("the foreign bytes are gone later");
    return findings;
  };
  const Scenario forced = {leave_to_a_person, [force](const Host&) { return force; }};
  sweep("recover --force-rollback", forced, forced_again, 4);
}

/// beta, the state and the staging are each on a file system of their own.
bool spread(Host& host) {
  for (const std::string disk : {"programs", "state-disk", "staging-disk"}) {
    if (!host.mount_small(disk, "32M")) return false;
  }
  host.configure([&](scenario::Settings& settings) {
    settings.files[1].destination = host.path("programs/beta");
    settings.state = host.path("state-disk/state");
    settings.staging = host.path("staging-disk/staging");
  });
  scenario::write_file(host.path("programs/beta"), scenario::program("beta", "0.9.0"), 0755);
  return true;
}

TEST(KillSweep, OfAnApplyOverThreeFileSystems) {
  NEEDS_ROOT();
  {
    Host probe;
    if (!spread(probe)) GTEST_SKIP() << "no loop-mounted ext4 here";
  }
  const auto prepare = [](Host& host) {
    ASSERT_TRUE(spread(host));
    host.install("1.0.0");
  };
  const Check nothing_beside = [](Host& host) {
    Findings findings = recovers_to({"1.0.0", "2.0.0"})(host);
    for (const auto& entry : std::filesystem::directory_iterator(host.path("programs"))) {
      const std::string name = entry.path().filename();
      if (name.front() == '.') findings.push_back("left behind: " + name);
    }
    return findings;
  };
  sweep("apply over three file systems", {prepare, scenario::second_update().command},
        nothing_beside, 5);
}

}  // namespace
}  // namespace update::crash
