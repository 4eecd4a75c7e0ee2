#include "tests/crash/program/cases.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

namespace update::crash {
namespace {

using scenario::Arguments;
using scenario::Call;
using scenario::Host;
using scenario::Scenario;

Arguments apply_first(const Host& host) {
  return {"apply", host.release("1.0.0")};
}

void remove_destinations(Host& host) {
  for (const scenario::InstalledFile& file : host.settings().files) {
    std::filesystem::remove(file.destination);
  }
}

void say_no_to(Host& host, const std::string& version) {
  host.doctor("test \"$installed\" != " + version + "\n");
}

// Killed before the `index`-th of the calls that make a name with this ending.
void crash_before_making(Host& host, const std::string& ending, std::size_t index) {
  const std::vector<Call> found =
      scenario::making(scenario::record(scenario::second_update()), ending);
  ASSERT_LT(index, found.size()) << ending;
  scenario::crash(host, scenario::second_update(), found[index]);
}

// The program is killed by its own hook, once, while 2.0.0 is there.
void crash_in_hook(Host& host, const std::string& hook) {
  host.install("1.0.0");
  const std::string once = host.path("hooks/killed");
  const std::string body = "test \"$installed\" = 2.0.0 && test ! -e " + once + " && { : >" + once +
                           "; kill -KILL $PPID; exit 1; }\nexit 0\n";
  if (hook == "doctor") {
    host.doctor(body);
  } else {
    host.restart(body);
  }
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}).signal, SIGKILL);
}

// Two of three files are old again.
void crash_in_rollback(Host& host) {
  const Scenario failing = undone_apply().scenario;
  const std::vector<Call> renames = scenario::swaps(scenario::record(failing));
  ASSERT_EQ(renames.size(), 6U) << "three forward and three back";
  scenario::crash(host, failing, renames[5]);
}

// The boot has finished the swap and left the rest for after the services.
void leave_waiting(Host& host) {
  scenario::crash_in_swap(host, 1);
  ASSERT_EQ(host.run({"recover", "--boot"}).code, 0);
}

std::vector<Stopped> all_stopped() {
  return {
      {"stage", [](Host& host) { crash_before_making(host, ".staged", 1); }},
      {"backup", [](Host& host) { crash_before_making(host, ".backup", 1); }},
      {"swap_none_renamed", [](Host& host) { scenario::crash_in_swap(host, 0); }},
      {"swap_1_renamed", [](Host& host) { scenario::crash_in_swap(host, 1); }},
      {"swap_2_renamed", [](Host& host) { scenario::crash_in_swap(host, 2); }},
      {"restart", [](Host& host) { crash_in_hook(host, "restart"); }},
      {"doctor", [](Host& host) { crash_in_hook(host, "doctor"); }},
      {"rollback", crash_in_rollback},
      {"committed_not_retired", [](Host& host) { crash_before_making(host, ".previous", 1); }},
      {"waiting_for_services", leave_waiting},
  };
}

}  // namespace

Case good_apply() {
  return {"apply", scenario::second_update(), "1.0.0", "2.0.0"};
}

Case undone_apply() {
  const auto prepare = [](Host& host) {
    host.install("1.0.0");
    say_no_to(host, "2.0.0");
  };
  return {"apply, undone", {prepare, scenario::second_update().command}, "1.0.0", "2.0.0"};
}

Case rollback() {
  const auto prepare = [](Host& host) {
    host.install("1.0.0");
    host.install("2.0.0");
  };
  const auto command = [](const Host&) { return Arguments{"rollback"}; };
  return {"rollback", {prepare, command}, "2.0.0", "1.0.0"};
}

Case first_apply() {
  return {"first apply", {[](Host&) {}, apply_first}, "0.9.0", "1.0.0"};
}

Case first_install() {
  return {"first install", {remove_destinations, apply_first}, "absent", "1.0.0"};
}

Case undone_first_install() {
  const auto prepare = [](Host& host) {
    remove_destinations(host);
    say_no_to(host, "1.0.0");
  };
  return {"first install, undone", {prepare, apply_first}, "absent", "1.0.0"};
}

const std::vector<std::string>& phases_to_stop_in() {
  static const std::vector<std::string> kPhases = [] {
    std::vector<std::string> phases;
    for (const Stopped& stopped : all_stopped()) phases.push_back(stopped.phase);
    return phases;
  }();
  return kPhases;
}

Stopped stopped_in(const std::string& phase) {
  for (const Stopped& stopped : all_stopped()) {
    if (stopped.phase == phase) return stopped;
  }
  ADD_FAILURE() << "no such moment: " << phase;
  return {};
}

Case recovery_of(const std::string& phase, const Arguments& arguments) {
  Arguments words = {"recover"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::string name = "recover of " + phase;
  for (const std::string& word : arguments) name += " " + word;
  return {
      name, {stopped_in(phase).prepare, [words](const Host&) { return words; }}, "1.0.0", "2.0.0"};
}

void append(Findings& findings, const Findings& more) {
  findings.insert(findings.end(), more.begin(), more.end());
}

Findings recovers_to_one(Host& host, const std::vector<std::string>& versions) {
  Findings findings = recover_and_check(host, versions);
  Json status = host.json({"status"});
  if (status["installed_version"].is_null()) {
    // Nothing was ever committed here, so that `verify` has nothing to compare with: it says 9, or
    // 7 where a destination is missing. The audit chain has to be whole all the same.
    const auto of_verify = [](const std::string& finding) {
      return finding.rfind("verify ended with ", 0) == 0;
    };
    findings.erase(std::remove_if(findings.begin(), findings.end(), of_verify), findings.end());
    const bool no_journal = !scenario::present(host.path("state/journal.db"));
    const scenario::Ended chain = host.run({"history", "verify"});
    if (chain.code != 0 && !no_journal) {
      findings.push_back("history verify: " + chain.out + chain.err);
    }
  }
  append(findings, check_usable(host, "9.0.0"));
  return findings;
}

}  // namespace update::crash
