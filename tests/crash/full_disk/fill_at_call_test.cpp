// The disk is filled while the program stands still between two of its system calls: at each of
// them in the full mode.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "tests/crash/full_disk/disk_host.hpp"
#include "tests/crash/full_disk/paused_run.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

using scenario::Arguments;
using scenario::Call;
using scenario::Ended;
using scenario::Host;

/// A command on a host in some state, and how it may end when the disk is full.
struct Story {
  std::string name;
  std::function<void(Host&)> prepare;
  std::function<Arguments(const Host&)> command;
  std::string before;  // the version that is installed then
  Outcomes outcomes;
  bool copies = false;  // it needs space for new bytes
};

void install_both(Host& host) {
  install(host, "1.0.0");
  install(host, "2.0.0");
}

Arguments apply_second(const Host& host) {
  return {"apply", full_release(host, "2.0.0")};
}

/// On a disk of the same kind: what SQLite writes beforehand depends on the size of a block.
std::vector<Call> calls_of(const Story& story, const std::string& kind) {
  DiskHost twin(kind, OnDisk::everything);
  return scenario::changing(scenario::record_on(twin.host(), {story.prepare, story.command}));
}

bool has_name_ending(const Host& host, const std::string& ending) {
  const std::vector<std::string> names = host.leftovers();
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return name.size() > ending.size() &&
           name.compare(name.size() - ending.size(), ending.size(), ending) == 0;
  });
}

/// How the command may end, as far as it has come: 8 says that nothing was changed, so it is wrong
/// after the first rename, and 10 before the backups. Without space for its new bytes no update
/// goes on; the journal may have room in blocks that it has already.
Outcomes outcomes_now(const Story& story, const Host& host, std::size_t restarts_before) {
  Outcomes outcomes = story.outcomes;
  const bool restarted = host.hook_log("restart").size() > restarts_before;
  if (restarted || host.installed() != story.before) {
    outcomes.erase(8);
    return outcomes;
  }
  if (story.copies && !has_name_ending(host, ".staged")) return {{8, story.before}};
  if (!has_name_ending(host, ".backup")) outcomes.erase(10);
  return outcomes;
}

Findings fill_after(const Story& story, const std::string& kind, const Call& call, Tally& tally) {
  DiskHost on(kind, OnDisk::everything);
  story.prepare(on.host());
  const std::size_t restarts = on.host().hook_log("restart").size();
  PausedRun run(on.host(), story.command(on.host()), call);
  if (!run.wait_until_paused()) return {"did not come to this call"};
  ++tally.reached;
  Outcomes outcomes = outcomes_now(story, on.host(), restarts);
  // Where blocks are smaller than pages, SQLite's index may find none for a page of its own, which
  // no reserve helps against once it is mapped (Host::end_on_lost_page).
  if (kind == "ext4_1k" && has_name_ending(on.host(), ".backup")) outcomes.emplace(10, "");
  on.disk().fill();
  const Ended ended = run.resume_and_wait();
  mend_hooks(on.host());
  return check_after_full(on, ended, outcomes);
}

/// A process id or a time stamp of another length may shift a number: tried once more.
Findings fill_after_this(const Story& story, const std::string& kind, const Call& call,
                         Tally& tally) {
  const std::size_t reached = tally.reached;
  const Findings findings = fill_after(story, kind, call, tally);
  return tally.reached > reached ? findings : fill_after(story, kind, call, tally);
}

void sweep_on(const std::string& kind, const Story& story) {
  const std::vector<Call> calls = calls_of(story, kind);
  // Each run takes another sample (sampling.hpp); ext4 is what most hosts have.
  const std::size_t stride = kind == "ext4" ? 97 : 197;
  Tally tally{"full at a call of " + story.name + ", " + kind, calls.size()};
  for (const std::size_t point : chosen_points(calls.size(), stride)) {
    const Call& call = calls[point];
    ++tally.tried;
    const Findings findings = fill_after_this(story, kind, call, tally);
    tally.held += findings.empty() ? 1U : 0U;
    EXPECT_TRUE(findings.empty()) << kind << ", after " << call.name << " " << call.nth << " ("
                                  << call.text << "\n"
                                  << to_message(findings);
  }
  tally.report();
}

void sweep(const Story& story) {
  NEEDS_TOOL("strace");
  for (const std::string kind : {"ext4", "ext4_1k", "xfs", "btrfs"}) NEEDS_DISK(kind);
  for (const std::string kind : {"ext4", "ext4_1k", "xfs", "btrfs"}) sweep_on(kind, story);
}

// 10: the intent to restart is no write that the reserve is for, and what a COMMIT that failed for
// want of space has left cannot always be found out (journal.md, "Durable points").
Story apply_that_commits() {
  return {"apply", [](Host& host) { install(host, "1.0.0"); },           apply_second,
          "1.0.0", {{0, "2.0.0"}, {3, "1.0.0"}, {8, "1.0.0"}, {10, ""}}, true};
}

Story apply_that_is_undone() {
  return {"apply that is undone",
          [](Host& host) {
            install(host, "1.0.0");
            host.doctor("test \"$installed\" != 2.0.0\n");
          },
          apply_second,
          "1.0.0",
          {{3, "1.0.0"}, {8, "1.0.0"}, {10, ""}},
          true};
}

Story rollback() {
  return {"rollback",
          install_both,
          [](const Host&) { return Arguments{"rollback"}; },
          "2.0.0",
          {{0, "1.0.0"}, {3, "2.0.0"}, {8, "2.0.0"}}};
}

Story recovery(const std::string& phase, const std::string& policy) {
  return {"recover --policy " + policy + " in " + phase,
          [phase](Host& host) { crash_in_hook(host, phase); },
          [policy](const Host&) {
            return Arguments{"recover", "--policy", policy};
          },
          "2.0.0",
          {{0, policy == "rollback" ? "1.0.0" : ""}}};
}

TEST(FullAtACall, Apply) {
  sweep(apply_that_commits());
}

TEST(FullAtACall, ApplyThatIsUndone) {
  sweep(apply_that_is_undone());
}

TEST(FullAtACall, Rollback) {
  sweep(rollback());
}

TEST(FullAtACall, RecoveryThatGoesBack) {
  sweep(recovery("doctor", "rollback"));
}

TEST(FullAtACall, RecoveryThatGoesOn) {
  sweep(recovery("restart", "replay"));
}

}  // namespace
}  // namespace update::crash
