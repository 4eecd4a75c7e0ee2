#include "tests/crash/memory/explorer.hpp"

#include <malloc.h>
#include <sqlite3.h>

#include <algorithm>
#include <random>
#include <set>
#include <stdexcept>

#include "engine/base/layout.hpp"

namespace update::crash {
namespace {

/// Before the first of many hundred thousand journals is opened, all by one thread: SQLite needs
/// neither locks nor statistics, and freed memory is soon needed again, so the kernel gets none.
[[maybe_unused]] const bool kTuned = [] {
  constexpr int kKeptBytes = 1 << 30;
  constexpr int kLargestMapped = 32 << 20;
  return sqlite3_config(SQLITE_CONFIG_SINGLETHREAD) == SQLITE_OK &&
         sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK &&
         mallopt(M_TRIM_THRESHOLD, kKeptBytes) == 1 &&
         mallopt(M_MMAP_THRESHOLD, kLargestMapped) == 1;
}();

RecoverRequest at_boot() {
  RecoverRequest request;
  request.boot = true;
  return request;
}

Repair policy_repair(const std::string& name, RecoveryPolicy policy) {
  RecoverRequest request;
  request.policy = policy;
  return {"recover --policy " + name, [request](World& world) { return world.recover(request); }};
}

std::uint64_t with(std::uint64_t print, Told told) {
  return (print ^ static_cast<std::uint64_t>(told)) * 0x9E3779B97F4A7C15U;
}

constexpr const char* kAnyCommand = "a command";

/// A call by what it does to which file, wherever it comes. Empty for the journal's own: a machine
/// that always stops while it writes the journal can record nothing, a person's need neither.
std::string place_of(const FakeCall& call) {
  const bool journal = call.path.find(kJournalName) != std::string::npos;
  const std::string line = call.line();
  return journal ? std::string() : line.substr(0, line.find(call.path)) + call.path;
}

/// Neighbours are alike: where only the first finding counts, it is met soonest by looking around.
std::vector<const HostState*> far_apart_first(const std::vector<HostState>& states) {
  constexpr std::size_t kStride = 16;
  std::vector<const HostState*> order;
  for (std::size_t offset = 0; offset < kStride; ++offset) {
    for (std::size_t at = offset; at < states.size(); at += kStride) order.push_back(&states[at]);
  }
  return order;
}

const std::string& journal_path(std::string_view name) {
  static const std::map<std::string_view, std::string> kPaths = [] {
    std::map<std::string_view, std::string> paths;
    for (const auto each : {kJournalName, kJournalWalName, kJournalShmName}) {
      paths[each] = std::string(World::kState) + "/" + std::string(each);
    }
    return paths;
  }();
  return kPaths.at(name);
}

}  // namespace

const Repair& by_recover() {
  static const Repair kRepair{"recover", [](World& world) { return world.recover(); }};
  return kRepair;
}

const Repair& by_boot_and_recover() {
  static const Repair kRepair{"recover --boot", [](World& world) -> Result<RecoverReport> {
                                UPDATE_TRY(world.recover(at_boot()));
                                world.kill();
                                return world.recover();
                              }};
  return kRepair;
}

const Repair& by_policy(RecoveryPolicy policy) {
  static const Repair kRollback = policy_repair("rollback", RecoveryPolicy::rollback);
  static const Repair kReplay = policy_repair("replay", RecoveryPolicy::replay);
  return policy == RecoveryPolicy::rollback ? kRollback : kReplay;
}

Explorer::Action Explorer::action_of(const Repair& repair) {
  const bool boots = &repair == &by_boot_and_recover();
  if (boots) {
    return [](World& world) { return world.recover(at_boot()) ? Told::waits : Told::nothing; };
  }
  return [&repair](World& world) { return repair.run(world) ? Told::recovered : Told::nothing; };
}

std::vector<HostState> Explorer::moments(const HostState& start, const std::string& name,
                                         const Action& action, const Tamper& tamper) {
  std::vector<HostState> moments;
  const auto world = wake(start, story_, tamper);
  // What an earlier recovery left for the services, this one may give to a person.
  Told told = start.told == Told::waits ? Told::nothing : start.told;
  const auto keep = [&](const std::string& where) {
    // Until something is missing, the sound program's sweep has been here.
    if (tamper && world->fake.files.drop_count() == 0) return;
    moments.push_back(start);
    moments.back().disk = world->fake.files.disk();
    moments.back().told = told;
    moments.back().trail += name + " " + where;
  };
  world->fake.files.before_each_call([&](const FakeCall& call) {
    keep("stopped before call " + std::to_string(world->fake.files.call_count() + 1) + " (" +
         call.line() + ")");
  });
  set_programs(*world, story_, [&] {
    if (world->version() == story_.new_version) told = std::max(told, Told::new_code_started);
    keep("stopped while a command runs");
  });
  told = std::max(told, action(*world));
  keep("returned");
  return moments;
}

std::vector<HostState> Explorer::stops(HostState& moment) {
  std::vector<HostState> states;
  if (!is_new(with(printer_.running(moment.disk), moment.told))) return states;
  ++stops_;
  HostState killed = moment;
  killed.killed = true;
  killed.trail += ", killed; ";
  states.push_back(std::move(killed));
  for (const LossPattern& pattern : power_losses(moment.disk, options_.full)) {
    ++stops_;
    HostState cut = moment;
    cut.disk.lose(pattern);
    const std::uint64_t print = options_.full ? cut.disk.fingerprint() : printer_.durable(cut.disk);
    if (!is_new(with(print, moment.told))) continue;
    ++cut.boot;
    cut.killed = false;
    cut.trail += ", power cut, " + pattern.name() + "; ";
    states.push_back(std::move(cut));
  }
  return states;
}

void Explorer::found(const HostState& state, const std::string& how, const Findings& broken) {
  if (broken.empty()) return;
  std::string text = story_.name + ": " + state.trail + how;
  for (const std::string& each : broken) text += "\n  - " + each;
  findings_.push_back(std::move(text));
}

void Explorer::visit(const HostState& state, const Repair& repair) {
  ++looked_;
  const std::size_t before = findings_.size();
  const auto world = wake(state, story_);
  found(state, "", judge_.broken_invariants(*world, Look::stopped, state.told));
  const auto report = repair.run(*world);
  if (report) {
    found(state, repair.name, judge_.broken_invariants(*world, Look::recovered, state.told));
    use_once(state, repair.name, *world);
  } else {
    found(state, repair.name, judge_.broken_by_giving_up(*world, report.error()));
  }
  if (options_.without_journal) visit_without_journal(state);
  held_ += findings_.size() == before ? 1U : 0U;
}

void Explorer::use_once(const HostState& state, const std::string& how, World& world) {
  FakeDisk& disk = world.fake.files.disk();
  // The head names the end of the history: one that differs has another head.
  const std::uint64_t history =
      options_.full ? printer_.durable(disk) : printer_.without_journal(disk);
  if (is_new(with(history, Told::recovered))) found(state, how, broken_history(world));
  const std::uint64_t outcome = options_.full ? history + 1 : printer_.without_history(disk) + 1;
  if (is_new(with(outcome, Told::recovered))) found(state, how, of_no_use(world));
}

void Explorer::visit_without_journal(const HostState& state) {
  const auto world = wake(state, story_);
  FakeFileSystem& files = world->fake.files;
  if (!files.exists(journal_path(kJournalName))) return;
  const Remains remains = judge_.remains_of(*world);
  for (const auto name : {kJournalName, kJournalWalName, kJournalShmName}) {
    if (files.exists(journal_path(name))) files.remove(journal_path(name));
  }
  if (!is_new(with(printer_.durable(files.disk()), state.told))) return;
  const auto report = world->recover();
  found(state, "the journal was removed; recover",
        judge_.broken_without_journal(*world, report, remains, state.told));
  if (!report) return;
  // Numbers begin again with the journal, and only chance keeps new names from those that are
  // there.
  world->fake.host.set_random(0x1000);
  use_once(state, "the journal was removed; recover", *world);
}

void Explorer::depth_one() {
  HostState start;
  start.disk = story_.start;
  for (HostState& moment : moments(start, "the command", story_.command, options_.tamper_command)) {
    for (HostState& state : stops(moment)) {
      if (enough()) return;
      visit(state, by_recover());
      first_.push_back(std::move(state));
    }
  }
}

void Explorer::repair_by(const Repair& repair) {
  for (const HostState& state : first_) {
    if (enough()) return;
    visit(state, repair);
  }
}

std::uint64_t Explorer::situation(const HostState& state) {
  FakeDisk disk = state.disk;
  const std::uint64_t journal = printer_.journal(disk) ^ static_cast<std::uint64_t>(state.boot);
  auto known = journals_.find(journal);
  if (known == journals_.end()) {
    const auto world = wake(state, story_);
    const bool exists = world->fake.files.exists(journal_path(kJournalName));
    std::string text;
    try {
      if (exists) text = world->what_recovery_reads();
    } catch (const std::logic_error& unreadable) {
      text = unreadable.what();
    }
    known = journals_.emplace(journal, std::hash<std::string>{}(text)).first;
  }
  const std::uint64_t print = printer_.running_without_journal(disk) ^ known->second;
  return with(state.killed ? ~print : print, state.told);
}

void Explorer::depth_two(const Repair& recovery) {
  const std::uint64_t road = std::hash<std::string>{}(recovery.name);
  for (const HostState* each : far_apart_first(first_)) {
    const HostState& state = *each;
    const std::uint64_t from = situation(state);
    seen_.insert(from);
    if (!is_new(from ^ road)) continue;
    for (HostState& moment :
         moments(state, recovery.name, action_of(recovery), options_.tamper_recovery)) {
      for (const HostState& next : stops(moment)) {
        if (enough()) return;
        if (is_new(situation(next))) visit(next, by_recover());
      }
    }
  }
}

void Explorer::compare(const Repair& repair) {
  for (const HostState& state : first_) {
    if (enough()) return;
    if (!is_new(situation(state) + 1)) continue;
    const auto one = wake(state, story_);
    const auto other = wake(state, story_, options_.tamper_recovery);
    ++looked_;
    if (by_recover().run(*one) && repair.run(*other) && one->version() == other->version()) {
      ++held_;
    } else {
      found(state, repair.name,
            {"it left " + other->version() + ", plain recover " + one->version()});
    }
  }
}

bool Explorer::ends(HostState state, const std::string& place) {
  constexpr int kTries = 8;
  for (int tried = 0; tried < kTries; ++tried) {
    const std::uint64_t before = printer_.durable(state.disk);
    const auto world = wake(state, story_, options_.tamper_recovery);
    FakeFileSystem& files = world->fake.files;
    files.before_each_call([&](const FakeCall& call) {
      if (place_of(call) == place) files.cut_power();
    });
    if (place == kAnyCommand) set_programs(*world, story_, [&] { files.cut_power(); });
    try {
      const auto report = world->recover();
      if (!files.stopped()) return report || report.error().code() == ErrorCode::needs_operator;
    } catch (const PowerCut&) {
    }
    state.disk = files.disk();
    state.disk.lose(LossPattern::keep_nothing());
    state.killed = false;
    ++state.boot;
    // What was stopped before it gave a destination new bytes or started anything, and changed
    // nothing for good, may be tried for ever.
    const bool touches =
        place == kAnyCommand || (place.starts_with("rename ") && place.ends_with(".staged"));
    if (!touches && printer_.durable(state.disk) == before) return true;
  }
  return false;
}

void Explorer::loops_end() {
  for (const HostState& state : first_) {
    if (state.killed || !is_new(situation(state) + 2)) continue;
    const auto clean = wake(state, story_);
    (void)clean->recover();
    std::set<std::string> places{kAnyCommand};
    for (const FakeCall& call : clean->fake.files.calls()) places.insert(place_of(call));
    places.erase("");
    for (const std::string& place : places) {
      if (enough()) return;
      ++stops_;
      ++looked_;
      if (ends(state, place)) {
        ++held_;
      } else {
        found(state, "recover, stopped before " + place + " again and again", {"it never ends"});
      }
    }
  }
}

void Explorer::depth_three(std::uint64_t seed, std::size_t count) {
  constexpr int kStops = 3;
  for (std::size_t walk = 0; walk < count && !enough(); ++walk) {
    std::seed_seq sequence{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(walk)};
    std::mt19937 random(sequence);
    HostState state;
    state.disk = story_.start;
    state.trail = "walk " + std::to_string(walk) + ": ";
    for (int stop = 0; stop < kStops; ++stop) {
      const bool boots = stop > 0 && random() % 3 == 0;
      auto all = stop == 0 ? moments(state, "the command", story_.command, {})
                           : moments(state, boots ? "recover --boot" : "recover",
                                     action_of(boots ? by_boot_and_recover() : by_recover()), {});
      state = std::move(all[random() % all.size()]);
      state.killed = random() % 4 == 0;
      if (state.killed) {
        state.trail += ", killed; ";
      } else {
        const LossPattern pattern = LossPattern::random(random());
        state.disk.lose(pattern);
        ++state.boot;
        state.trail += ", power cut, " + pattern.name() + "; ";
      }
      ++stops_;
    }
    visit(state, by_recover());
  }
}

Tally Explorer::tally(const std::string& sweep) const {
  return {story_.name + " " + sweep, stops_, looked_, looked_, held_};
}

}  // namespace update::crash
