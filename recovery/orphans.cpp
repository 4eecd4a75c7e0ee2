#include "recovery/orphans.hpp"

#include <algorithm>
#include <set>

#include "engine/base/layout.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/head.hpp"
#include "engine/transaction/retire.hpp"

namespace update {
namespace {

/// The plan of a committed transaction, if it is the one that made these names.
Result<std::optional<Plan>> committed_plan(Session& session, const TransactionTag& tag) {
  UPDATE_TRY_ASSIGN(const auto record, session.journal().transaction(tag.id));
  if (!record || record->phase != Phase::committed) return std::nullopt;
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, session.journal().events_of(tag.id));
  UPDATE_TRY_ASSIGN(const TransactionStory story, story_of(events));
  UPDATE_TRY_ASSIGN(Plan plan, past_plan_from_text(story.plan_text, session.env().config));
  if (plan.tag != tag) return std::nullopt;
  return plan;
}

/// The journal that knew these names is lost, but the head still says that their update was the
/// last and committed. The plan is then made of what lies beside the destinations. Nobody knows any
/// more which version a `.previous` is: each is kept as a generation first.
Result<std::optional<Plan>> plan_from_head(Session& session, const TransactionTag& tag,
                                           const std::vector<Orphan>& orphans) {
  UPDATE_TRY_ASSIGN(const auto record, session.journal().transaction(tag.id));
  UPDATE_TRY_ASSIGN(const auto head, read_head(session.state()));
  if (record || !head || head->last_final != tag.id || head->outcome != Phase::committed) {
    return std::nullopt;
  }
  Plan plan;
  plan.tag = tag;
  plan.backup_suffix = session.env().config.backup_suffix;
  bool stored = false;
  for (const Orphan& orphan : orphans) {
    if (orphan.own.kind != OwnNameKind::backup || orphan.own.tag != tag) continue;
    PlannedFile file{orphan.destination.name(), orphan.destination, {}, {}, false};
    UPDATE_TRY_ASSIGN(file.old_state, look_at(*orphan.folder, orphan.file_name));
    const std::string previous = previous_name(orphan.destination.name(), plan.backup_suffix);
    UPDATE_TRY_ASSIGN(const auto kept, look_at(*orphan.folder, previous));
    if (kept) {
      UPDATE_TRY_ASSIGN(const Sha256Digest digest, hash_named(*orphan.folder, previous));
      UPDATE_TRY(store_generation(session, *orphan.folder, previous, digest).map([](bool) {}));
      stored = true;
    }
    plan.files.push_back(std::move(file));
  }
  if (stored) UPDATE_TRY(sync_generations(session.state()));
  return plan;
}

/// Finishes what a commit left to be tidied. False if this is no committed transaction's.
Result<bool> finish_retirement(Session& session, const TransactionTag& tag,
                               const std::vector<Orphan>& orphans) {
  UPDATE_TRY_ASSIGN(std::optional<Plan> plan, committed_plan(session, tag));
  if (!plan) {
    UPDATE_TRY_ASSIGN(plan, plan_from_head(session, tag, orphans));
  }
  if (!plan) return false;
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(session.env().root, destinations_of(*plan)));
  UPDATE_TRY_ASSIGN(const auto newest, session.journal().newest_committed());
  const bool overtaken = newest && newest->id > tag.id;
  retire(session, *plan, folders, overtaken ? Retirement::overtaken : Retirement::again);
  session.anchor(tag.id, Phase::committed);
  return true;
}

/// Was it undone or given up, by the very transaction that made this name? Then its backup served
/// its purpose.
Result<bool> ended_without_it(Session& session, const TransactionTag& tag) {
  UPDATE_TRY_ASSIGN(const auto record, session.journal().transaction(tag.id));
  if (!record || (record->phase != Phase::rolled_back && record->phase != Phase::abandoned)) {
    return false;
  }
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, session.journal().events_of(tag.id));
  UPDATE_TRY_ASSIGN(const TransactionStory story, story_of(events));
  UPDATE_TRY_ASSIGN(const Plan plan, past_plan_from_text(story.plan_text, session.env().config));
  return plan.tag == tag;
}

/// Is this backup certainly not the only copy of anything?
Result<bool> may_go(Session* session, const Orphan& orphan) {
  if (session != nullptr) {
    UPDATE_TRY_ASSIGN(const bool ended, ended_without_it(*session, orphan.own.tag));
    if (ended) return true;
  }
  UPDATE_TRY_ASSIGN(const auto backup, orphan.folder->lookup(orphan.file_name));
  if (!backup) return true;
  UPDATE_TRY_ASSIGN(const auto present, orphan.folder->lookup(orphan.destination.name()));
  return present && backup->identity.same_inode(present->identity);
}

Result<std::size_t> remove_temporaries(os::Folder& folder) {
  std::size_t removed = 0;
  UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder.list());
  for (const std::string& name : names) {
    const auto own = parse_own_name(name);
    if (!own || own->kind != OwnNameKind::helper) continue;
    UPDATE_TRY_ASSIGN(const bool gone, folder.unlink(name));
    removed += gone ? 1 : 0;
  }
  return removed;
}

}  // namespace

Result<std::vector<Orphan>> find_orphans(const TargetFolders& folders,
                                         const Configuration& config) {
  std::vector<Orphan> orphans;
  for (const auto& folder : folders.all()) {
    UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder->list());
    for (const std::string& name : names) {
      const auto own = parse_own_name(name);
      if (!own) continue;
      // Another product may keep its files in this folder, with names made in the same way.
      const auto file = std::find_if(
          config.files.begin(), config.files.end(), [&](const ConfiguredFile& configured) {
            return configured.destination.name() == own->destination_name &&
                   folders.find_of(configured.destination) == folder.get();
          });
      if (file == config.files.end()) continue;
      orphans.push_back({folder.get(), name, *own, file->destination});
    }
  }
  std::stable_sort(orphans.begin(), orphans.end(), [](const Orphan& one, const Orphan& other) {
    return one.own.tag < other.own.tag;
  });
  return orphans;
}

Result<std::size_t> collect_orphans(const Environment& env, Session* session,
                                    const std::vector<Orphan>& orphans) {
  std::size_t removed = 0;
  std::set<TransactionTag> retired;
  for (const Orphan& orphan : orphans) {
    const TransactionTag& tag = orphan.own.tag;
    if (orphan.own.kind == OwnNameKind::backup) {
      if (session != nullptr && !retired.contains(tag)) {
        UPDATE_TRY_ASSIGN(const bool done, finish_retirement(*session, tag, orphans));
        if (done) retired.insert(tag);
      }
      if (retired.contains(tag)) {
        ++removed;
        continue;
      }
      UPDATE_TRY_ASSIGN(const bool removable, may_go(session, orphan));
      if (!removable) {
        env.observer.warning(orphan.folder->path() + "/" + orphan.file_name +
                             " is a backup that no update explains; it was kept");
        continue;
      }
    }
    UPDATE_TRY_ASSIGN(const bool gone, orphan.folder->unlink(orphan.file_name));
    removed += gone ? 1 : 0;
  }
  return removed;
}

Result<std::size_t> collect_temporaries(os::Folder& state) {
  UPDATE_TRY_ASSIGN(std::size_t removed, remove_temporaries(state));
  UPDATE_TRY_ASSIGN(const auto generations, find_generations(state));
  if (generations) {
    UPDATE_TRY_ASSIGN(const std::size_t more, remove_temporaries(**generations));
    removed += more;
  }
  return removed;
}

}  // namespace update
