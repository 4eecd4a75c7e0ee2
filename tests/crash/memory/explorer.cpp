#include "tests/crash/memory/explorer.hpp"

#include <algorithm>
#include <random>

#include "engine/base/layout.hpp"
#include "tests/crash/memory/durable_print.hpp"

namespace update::crash {
namespace {

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
                                         const Action& action) {
  std::vector<HostState> moments;
  const auto world = wake(start, story_, options_.tamper);
  Told told = start.told;
  const auto keep = [&](const std::string& where) {
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
  if (!is_new(with(running_print(moment.disk), moment.told))) return states;
  ++stops_;
  HostState killed = moment;
  killed.killed = true;
  killed.trail += ", killed; ";
  states.push_back(std::move(killed));
  for (const LossPattern& pattern : power_cuts(moment.disk, options_.full)) {
    ++stops_;
    HostState cut = moment;
    cut.disk.lose(pattern);
    const std::uint64_t print = options_.full ? cut.disk.fingerprint() : durable_print(cut.disk);
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
  const auto world = wake(state, story_, options_.tamper);
  found(state, "", broken_invariants(*world, story_, Look::stopped, state.told));
  world->kill();
  const auto report = repair.run(*world);
  if (!report) {
    found(state, repair.name, {"failed: " + report.error().message()});
  } else {
    found(state, repair.name, broken_invariants(*world, story_, Look::recovered, state.told));
    // Many roads lead to one outcome; it is enough to use each outcome once.
    if (is_new(durable_print(world->fake.files.disk())))
      found(state, repair.name, of_no_use(*world));
  }
  if (options_.without_journal) visit_without_journal(state);
  held_ += findings_.size() == before ? 1U : 0U;
}

void Explorer::visit_without_journal(const HostState& state) {
  const auto world = wake(state, story_, options_.tamper);
  FakeFileSystem& files = world->fake.files;
  if (!files.exists(journal_path(kJournalName))) return;
  for (const auto name : {kJournalName, kJournalWalName, kJournalShmName}) {
    if (files.exists(journal_path(name))) files.remove(journal_path(name));
  }
  if (!is_new(with(durable_print(files.disk()), state.told))) return;
  const auto report = world->recover();
  found(state, "the journal was removed; recover",
        broken_without_journal(*world, story_, report, state.told));
  if (report && is_new(durable_print(files.disk()))) {
    found(state, "the journal was removed; recover", of_no_use(*world));
  }
}

void Explorer::depth_one() {
  HostState start;
  start.disk = story_.start;
  for (HostState& moment : moments(start, "the command", story_.command)) {
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

void Explorer::depth_two(const Repair& recovery) {
  for (const HostState& state : first_) {
    for (HostState& moment : moments(state, recovery.name, action_of(recovery))) {
      for (const HostState& next : stops(moment)) {
        if (enough()) return;
        visit(next, by_recover());
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
      auto all = stop == 0 ? moments(state, "the command", story_.command)
                           : moments(state, boots ? "recover --boot" : "recover",
                                     action_of(boots ? by_boot_and_recover() : by_recover()));
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
