#include "tests/crash/memory/invariants.hpp"

#include "engine/base/layout.hpp"
#include "engine/base/sha256.hpp"

namespace update::crash {
namespace {

bool asks_by_naming_files(const Error& error) {
  return error.code() == ErrorCode::needs_operator &&
         error.message().find(World::kFolder) != std::string::npos;
}

std::string state_path(std::string_view name) {
  return std::string(World::kState) + "/" + std::string(name);
}

void look_at_each_file(World& world, const Story& story, Findings& broken) {
  for (const std::string& name : World::names()) {
    const auto bytes = world.fake.files.read(world.destination(name));
    if (!bytes && story.old_version != "none") broken.push_back(name + " is missing");
    if (!bytes) continue;
    if (*bytes != World::bytes_of(name, story.old_version) &&
        *bytes != World::bytes_of(name, story.new_version)) {
      broken.push_back(name + " holds neither the old nor the new bytes: " + *bytes);
    }
    if (world.fake.files.info(world.destination(name))->mode != 0755) {
      broken.push_back(name + " has another mode");
    }
  }
}

/// Invariant 3, as a table: what the destinations may hold in a phase.
void look_at_the_phase(const Story& story, const std::optional<TransactionRecord>& record,
                       const std::string& version, Findings& broken) {
  const std::string phase = record ? std::string(name_of(record->phase)) : "nothing begun";
  const bool is_old = version == story.old_version;
  const bool is_new = version == story.new_version;
  bool allowed = is_old;
  switch (record ? record->phase : Phase::stage) {
    case Phase::stage:
    case Phase::backup:
    case Phase::rolled_back: break;
    case Phase::swap:
    case Phase::rollback:
    case Phase::needs_operator:
    case Phase::abandoned: allowed = true; break;
    case Phase::restart:
    case Phase::doctor: allowed = is_new; break;
    case Phase::committed: allowed = is_new && story.doctor_passes; break;
  }
  if (!allowed) {
    broken.push_back("the journal says " + phase + ", the files are " +
                     (is_old   ? "old"
                      : is_new ? "new"
                               : version));
  }
}

void look_at_what_was_told(const Story& story, const std::optional<TransactionRecord>& record,
                           const std::string& version, Told told, Findings& broken) {
  const bool before_new_code = !record || record->phase == Phase::stage ||
                               record->phase == Phase::backup || record->phase == Phase::swap;
  if (told == Told::new_code_started && before_new_code) {
    broken.push_back("new code was started, and no intent to start it is on the disk");
  }
  const bool waits = record && (record->phase == Phase::doctor || record->phase == Phase::rollback);
  if (told == Told::waits && record && !waits && !is_final(record->phase)) {
    broken.push_back("the services could start, but the journal says " +
                     std::string(name_of(record->phase)));
  }
  const bool committed = record && record->phase == Phase::committed;
  const bool rolled_back = record && record->phase == Phase::rolled_back;
  if (told == Told::committed && !(committed && version == story.new_version)) {
    broken.push_back("an update that was told committed is not");
  }
  if (told == Told::rolled_back && !(rolled_back && version == story.old_version)) {
    broken.push_back("an update that was told rolled back is not");
  }
  if (told == Told::recovered && record && !is_final(record->phase)) {
    broken.push_back("a recovery that was told done is not: " +
                     std::string(name_of(record->phase)));
  }
}

void look_at_kept_versions(World& world, const Story& story, const std::string& version,
                           Findings& broken) {
  for (const std::string& name : World::names()) {
    const auto before = story.previous.find(name);
    const std::string kept = before == story.previous.end() ? "" : before->second;
    const bool replaced = version == story.new_version && story.old_version != "none";
    const std::string expected = replaced ? World::bytes_of(name, story.old_version) : kept;
    const auto found = world.fake.files.read(world.destination(name) + ".previous");
    if (found.value_or("") != expected) {
      broken.push_back(name + ".previous holds " + found.value_or("nothing") + ", not " +
                       (expected.empty() ? "nothing" : expected));
    }
    const std::string generation =
        state_path(kGenerationsName) + "/" + generation_name(sha256_of(kept));
    const bool installed_again = kept == World::bytes_of(name, story.new_version);
    if (replaced && !kept.empty() && !installed_again &&
        world.fake.files.read(generation) != kept) {
      broken.push_back(name + ": no generation holds " + kept);
    }
  }
}

void look_at_leftovers(World& world, bool backups_are_explained, Findings& broken) {
  for (const std::string& path : world.leftovers()) {
    const bool kept = !backups_are_explained && path.ends_with(".backup");
    if (!kept) broken.push_back("left behind: " + path);
  }
  if (!world.fake.files.read(state_path(kIntentName)).value_or("").empty()) {
    broken.push_back("the intent is still there");
  }
}

void look_at_the_chain(World& world, Findings& broken) {
  if (!world.fake.files.exists(state_path(kJournalName))) return;
  auto journal = Journal::open_for_reading({state_path(kJournalName), world.vfs.name()},
                                           Journal::ReadMode::shared);
  const auto audit = journal ? journal->verify() : fail(journal.error());
  if (!audit) {
    broken.push_back("the journal cannot be verified: " + audit.error().message());
  } else if (!audit->finding.empty()) {
    broken.push_back("the audit chain: " + audit->finding);
  }
}

}  // namespace

const Judge::Known& Judge::known_of(World& world) {
  const std::uint64_t print = printer_.journal(world.fake.files.disk());
  const auto known = known_.find(print);
  return known != known_.end() ? known->second
                               : known_.emplace(print, read_journal(world)).first->second;
}

Judge::Known Judge::read_journal(World& world) const {
  if (!world.fake.files.exists(state_path(kJournalName))) return {};
  auto journal = Journal::open_for_reading({state_path(kJournalName), world.vfs.name()},
                                           Journal::ReadMode::shared);
  if (!journal) return {journal.error().message(), {}};
  HistoryFilter filter;
  filter.limit = 1;
  auto records = journal->list(filter);
  if (!records) return {records.error().message(), {}};
  if (records->empty()) return {};
  TransactionRecord& newest = records->front();
  const bool own = newest.to_version == story_.new_version &&
                   newest.from_version.value_or(story_.old_version) == story_.old_version;
  return own ? Known{{}, std::move(newest)} : Known{};
}

Findings Judge::broken_invariants(World& world, Look look, Told told) {
  Findings broken;
  look_at_each_file(world, story_, broken);
  const auto& [unreadable, record] = known_of(world);
  const std::string version = world.version();
  if (!unreadable.empty()) {
    broken.push_back("the journal cannot be read: " + unreadable);
    return broken;
  }
  look_at_the_phase(story_, record, version, broken);
  look_at_what_was_told(story_, record, version, told, broken);
  if (look != Look::recovered) return broken;
  if (record && !is_final(record->phase)) {
    broken.push_back("not final: " + std::string(name_of(record->phase)));
  }
  if (record && world.fake.files.read(state_path(kHeadName)).value_or("").empty()) {
    broken.push_back("no head anchors the outcome");
  }
  look_at_kept_versions(world, story_, version, broken);
  look_at_leftovers(world, true, broken);
  return broken;
}

Remains Judge::remains_of(World& world) {
  const auto says_something = [&](std::string_view name) {
    const std::string bytes = world.fake.files.read(state_path(name)).value_or("");
    return bytes.find_first_not_of('\0') != std::string::npos;
  };
  Remains remains;
  if (const Known& known = known_of(world); known.record) {
    remains.lost_phase = known.record->phase;
  }
  remains.tell_of_updates = says_something(kHeadName) || says_something(kIntentName) ||
                            world.fake.files.exists(state_path(kGenerationsName));
  return remains;
}

Findings Judge::broken_by_giving_up(World& world, const Error& error) {
  Findings broken;
  look_at_each_file(world, story_, broken);
  const Known& known = known_of(world);
  const bool resumed_rollback = known.record && known.record->kind == "rollback" &&
                                known.record->phase == Phase::needs_operator &&
                                known.record->resumptions >= 2;
  if (!resumed_rollback || !asks_by_naming_files(error)) {
    broken.push_back("recover failed: " + error.message());
  }
  return broken;
}

Findings Judge::broken_without_journal(World& world, const Result<RecoverReport>& report,
                                       const Remains& remains, Told told) const {
  Findings broken;
  look_at_each_file(world, story_, broken);
  const std::string version = world.version();
  if (!report) {
    const std::optional<Phase> phase = remains.lost_phase;
    const bool intended = phase == Phase::swap || phase == Phase::restart ||
                          phase == Phase::doctor || phase == Phase::rollback;
    if (intended || !asks_by_naming_files(report.error())) {
      broken.push_back("recover: " + report.error().message());
    }
    return broken;
  }
  if (version != story_.old_version && version != story_.new_version) {
    broken.push_back("the files are " + version);
  }
  if (told == Told::committed && version != story_.new_version) {
    broken.push_back("an update that was told committed was taken back");
  }
  if (told == Told::rolled_back && version != story_.old_version) {
    broken.push_back("an update that was told rolled back came again");
  }
  look_at_leftovers(world, remains.tell_of_updates, broken);
  return broken;
}

Findings broken_history(World& world) {
  Findings broken;
  look_at_the_chain(world, broken);
  return broken;
}

Findings of_no_use(World& world) {
  Findings broken;
  world.kill();
  const auto again = world.recover();
  if (!again) {
    broken.push_back("a second recover: " + again.error().message());
  } else if (again->recovered || world.fake.files.call_count() != 0) {
    broken.push_back("a second recover found something to do");
  }
  const UpdateReport next = world.apply("2.0.0");
  if (!next.status) broken.push_back("the next apply: " + next.status.error().message());
  if (world.version() != "2.0.0") broken.push_back("the next apply left " + world.version());
  look_at_the_chain(world, broken);
  world.reboot(LossPattern::keep_nothing());
  const auto rebooted = world.recover();
  if (!rebooted || world.version() != "2.0.0") {
    broken.push_back("a power cut after the next apply left " + world.version());
  }
  return broken;
}

}  // namespace update::crash
