// Fifty at once, killed at random: never two updates at a time, never a mix, the audit chain whole,
// and readers that do not wait. The seed chooses what is started and killed; when the kernel lets
// each of them run is not repeated.

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <iostream>
#include <map>
#include <thread>

#include "tests/crash/crowd/crowd.hpp"
#include "tests/crash/crowd/one_at_a_time.hpp"
#include "tests/crash/crowd/watcher.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

using scenario::Arguments;
using scenario::Ended;
using scenario::Host;
using scenario::Process;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr std::size_t kCrowd = 50;
constexpr seconds kRound{5};
// For a reader that a held update would stop for good; milliseconds are usual.
constexpr seconds kPatience{5};
// Fifty processes on two processors make everybody slow; nobody waits for a lock, though.
constexpr seconds kPatienceInTheCrowd{15};
const std::string kSick = "5.0.0";
const std::vector<std::string> kReleases = {"1.0.0", "2.0.0", "3.0.0", "4.0.0", kSick};
// Where a rollback of the first update leads to.
const std::vector<std::string> kVersions = {"0.9.0", "1.0.0", "2.0.0", "3.0.0", "4.0.0", kSick};

const std::set<int> kOfApply = {0, 3, 4, 5};
const std::set<int> kOfRollback = {0, 3, 4, 5, 9};
const std::set<int> kOfRecover = {0, 4, 5};
const std::set<int> kOfStatus = {0, 4, 10};

std::vector<Errand> errands(const Host& host, const std::vector<std::string>& heads) {
  std::vector<Errand> all = {
      {"recover", {"recover"}, kOfRecover, 12},
      {"rollback", {"rollback"}, kOfRollback, 8},
      {"prune", {"prune"}, kOfRecover, 4},
      // A person, without whom the first update that needs one would stop the crowd for good. 2:
      // there is nothing to force.
      {"force", {"recover", "--force-rollback", "--reason", "crowd"}, {0, 2, 5}, 2},
      {"force", {"recover", "--force-commit", "--reason", "crowd"}, {0, 2, 5, 9}, 1},
      {"status", {"status"}, kOfStatus, 12, true},
      {"history", {"history"}, {0}, 8, true},
      {"history verify", {"history", "verify"}, {0}, 8, true},
      // 7: while an update is unfinished the files are not what was installed.
      {"verify", {"verify"}, {0, 7}, 8, true}};
  for (const std::string& version : kReleases) {
    all.push_back({"apply", {"apply", "--allow-downgrade", host.release(version)}, kOfApply, 7});
  }
  for (const std::string& head : heads) {
    all.push_back({"history verify", {"history", "verify", "--expect", head}, {0}, 1, true});
  }
  return all;
}

/// How the updates ended, as the history tells it.
std::string outcomes_of(const Host& host) {
  std::map<std::string, std::size_t> counts;
  const Json updates = host.json({"history", "-n", "100000"});
  for (const Json& update : updates) {
    ++counts[update["kind"].get<std::string>() + " " + update["phase"].get<std::string>()];
  }
  std::string text = "  history:";
  for (const auto& [what, count] : counts) text += " " + std::to_string(count) + " " + what + ",";
  text.back() = '\n';
  return text;
}

std::string head_of(const Host& host) {
  const std::string lines = host.run({"history", "export"}).out;
  const std::size_t end = lines.rfind('\n');
  const std::size_t begin = lines.rfind('\n', end - 1);
  return scenario::parse(lines.substr(begin + 1, end - begin - 1))["hash"].get<std::string>();
}

/// What a person does about an update that needs one.
void decide_for_a_person(const Host& host, Findings& findings) {
  if (host.run({"recover"}).code != 4) return;
  const Ended back = host.run({"recover", "--force-rollback", "--reason", "crowd"});
  if (back.code == 0) return;
  const Ended on = host.run({"recover", "--force-commit", "--reason", "crowd"});
  if (on.code != 0) findings.push_back("a person could not decide: " + back.err + on.err);
}

void append(Findings& all, const Findings& more) {
  all.insert(all.end(), more.begin(), more.end());
}

/// Nobody runs any more.
Findings look_at_stopped(Host& host, const std::vector<std::string>& heads) {
  Findings findings = each_file_whole(host, kVersions);
  decide_for_a_person(host, findings);
  append(findings, recover_and_check(host, kVersions));
  append(findings, two_at_once(host));
  append(findings, out_of_turn(host));
  for (const std::string& head : heads) {
    const Ended grown = host.run({"history", "verify", "--expect", head});
    if (grown.code != 0) findings.push_back("the history lost " + head + ": " + grown.err);
  }
  return findings;
}

TEST(Crowd, UpdatesOneAtATimeAndNeverMixes) {
  Host host;
  look_for_two_at_once(host, kSick);
  host.install("1.0.0");
  Crowd crowd(host, kCrowd, sweep_seed());
  Watcher watcher(host, kVersions);
  std::vector<std::string> heads = {head_of(host)};
  Tally tally{"full stops of the crowd"};
  const auto end = steady_clock::now() + seconds(full_sweep() ? 600 : 60);
  while (steady_clock::now() < end) {
    const std::size_t killed_before = crowd.killed();
    crowd.set_errands(errands(host, heads));
    crowd.work(kRound);
    crowd.stop();
    ++tally.recorded;
    ++tally.tried;
    tally.reached += crowd.killed() > killed_before ? 1U : 0U;
    const Findings findings = look_at_stopped(host, heads);
    tally.held += findings.empty() ? 1U : 0U;
    EXPECT_TRUE(findings.empty()) << "stop " << tally.tried << "\n" << to_message(findings);
    heads.push_back(head_of(host));
  }
  const Findings seen = watcher.stop();
  EXPECT_TRUE(seen.empty()) << to_message(seen);
  EXPECT_TRUE(crowd.findings().empty()) << to_message(crowd.findings());
  EXPECT_LT(crowd.slowest_reader(), kPatienceInTheCrowd);
  EXPECT_GT(crowd.ended("apply", 0), 0U) << "no update was committed";
  EXPECT_GT(crowd.ended("apply", 5), 0U) << "nobody met another";
  const Findings useless = check_usable(host, "9.0.0");
  EXPECT_TRUE(useless.empty()) << to_message(useless);
  std::cout << "crowd: " << crowd.started() << " processes, " << crowd.killed() << " killed, "
            << watcher.looks() << " looks at the files\n"
            << crowd.summary() << outcomes_of(host);
  tally.report();
}

TEST(Crowd, ReadersDoNotWaitForAnUpdate) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  Crowd readers(host, kCrowd, sweep_seed());
  readers.set_errands({{"status", {"status"}, {10}, 1, true},
                       {"history", {"history"}, {0}, 1, true},
                       {"history verify", {"history", "verify"}, {0}, 1, true},
                       {"verify", {"verify"}, {7}, 1, true}});
  readers.work(kRound);
  // Before the update ends: a reader that was slow to begin would tell of what it then finds.
  readers.end_members();
  EXPECT_TRUE(update.running()) << "the update was not held";
  host.let_doctor_go();
  EXPECT_EQ(update.wait().code, 0);
  readers.stop();
  EXPECT_TRUE(readers.findings().empty()) << to_message(readers.findings());
  EXPECT_LT(readers.slowest_reader(), kPatience);
  for (const std::string name : {"status", "history", "history verify", "verify"}) {
    const int code = name == "status" ? 10 : name == "verify" ? 7 : 0;
    EXPECT_GT(readers.ended(name, code), 0U) << name;
  }
  std::cout << "readers beside a held update: " << readers.started() << " processes\n"
            << readers.summary();
}

// Invariant 6: what a reader does to find out whether an update runs must not look like an update.
TEST(Crowd, ReadersAreNotTakenForAnUpdate) {
  Host host;
  host.install("1.0.0");
  Crowd readers(host, kCrowd, sweep_seed());
  readers.set_errands(
      {{"status", {"status"}, kOfStatus, 2, true}, {"history", {"history"}, {0}, 1, true}});
  Findings refused;
  std::size_t applied = 0;
  std::atomic<bool> stop = false;
  std::thread updater([&] {
    while (!stop) {
      const std::string release = host.release(applied % 2 == 0 ? "2.0.0" : "1.0.0");
      const Ended ended = host.run({"apply", "--allow-downgrade", release});
      if (ended.code != 0) refused.push_back(std::to_string(ended.code) + ": " + ended.err);
      ++applied;
    }
  });
  readers.work(kRound);
  stop = true;
  updater.join();
  readers.stop();
  EXPECT_TRUE(refused.empty()) << to_message(refused);
  EXPECT_TRUE(readers.findings().empty()) << to_message(readers.findings());
  EXPECT_GT(applied, 0U);
  std::cout << "updates beside readers: " << applied << "\n" << readers.summary();
}

// The look itself: two shells that call themselves updaters, whose hooks do not end before one has
// seen the other.
TEST(Crowd, TwoAtOnceWouldBeSeen) {
  Host host;
  look_for_two_at_once(host, kSick);
  std::string body = scenario::read_file(host.path("hooks/doctor.body"));
  const std::string briefly = "sleep 0.03";
  body.replace(body.find(briefly), briefly.size(),
               "until grep -qs 'at once' $hooks/overlaps; do " + briefly + "; done");
  host.doctor(body);
  const std::string updater = host.path("banger-update");
  std::filesystem::copy_file("/bin/sh", updater);
  scenario::write_file(host.path("state/lock"), "process 1, update 1\n");
  const Arguments command = {updater, "-c", host.path("hooks/doctor") + "; true"};
  Process one(command);
  Process other(command);
  EXPECT_EQ(one.wait().code, 0);
  EXPECT_EQ(other.wait().code, 0);
  const std::string seen = to_message(two_at_once(host));
  EXPECT_TRUE(scenario::contains(seen, "at once")) << seen;
  EXPECT_TRUE(scenario::contains(seen, "begin: ")) << "the lock names nobody's updater: " << seen;
  EXPECT_TRUE(scenario::contains(seen, "end: ")) << seen;
}

}  // namespace
}  // namespace update::crash
