#include "recovery/orphans.hpp"

#include <algorithm>
#include <set>

#include "engine/base/layout.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/generations.hpp"
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

/// Finishes what a commit left to be tidied.
Result<bool> finish_retirement(Session& session, const TransactionTag& tag) {
  UPDATE_TRY_ASSIGN(const std::optional<Plan> plan, committed_plan(session, tag));
  if (!plan) return false;
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(session.env().root, destinations_of(*plan)));
  retire(session, *plan, folders);
  session.anchor(tag.id, Phase::committed);
  return true;
}

/// Is this backup certainly not the only copy of anything?
Result<bool> may_go(Session& session, const Orphan& orphan) {
  UPDATE_TRY_ASSIGN(const auto record, session.journal().transaction(orphan.own.tag.id));
  if (record && (record->phase == Phase::rolled_back || record->phase == Phase::abandoned)) {
    UPDATE_TRY_ASSIGN(const std::vector<Event> events,
                      session.journal().events_of(orphan.own.tag.id));
    const auto story = story_of(events);
    const auto plan = story ? past_plan_from_text(story->plan_text, session.env().config)
                            : Result<Plan>(fail(ErrorCode::failed, "no plan"));
    if (plan && plan->tag == orphan.own.tag) return true;
  }
  UPDATE_TRY_ASSIGN(const auto backup, orphan.folder->lookup(orphan.file_name));
  UPDATE_TRY_ASSIGN(const auto present, orphan.folder->lookup(orphan.destination.name()));
  return backup && present && backup->identity.same_inode(present->identity);
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

Result<std::vector<Orphan>> find_orphans(const TargetFolders& folders, const Configuration& config,
                                         const std::optional<TransactionTag>& unfinished) {
  std::vector<Orphan> orphans;
  for (const auto& folder : folders.all()) {
    UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder->list());
    for (const std::string& name : names) {
      const auto own = parse_own_name(name);
      if (!own || (unfinished && own->tag == *unfinished)) continue;
      // Another product may keep its files in this folder, with names made in the same way.
      const auto file = std::find_if(
          config.files.begin(), config.files.end(), [&](const ConfiguredFile& configured) {
            return configured.destination.name() == own->destination_name &&
                   &folders.of(configured.destination) == folder.get();
          });
      if (file == config.files.end()) continue;
      orphans.push_back({folder.get(), name, *own, file->destination});
    }
  }
  return orphans;
}

Result<std::size_t> collect_orphans(Session& session, const std::vector<Orphan>& orphans) {
  std::size_t removed = 0;
  std::set<TransactionTag> retired;
  for (const Orphan& orphan : orphans) {
    if (orphan.own.kind == OwnNameKind::backup) {
      if (retired.contains(orphan.own.tag)) continue;
      UPDATE_TRY_ASSIGN(const bool done, finish_retirement(session, orphan.own.tag));
      if (done) {
        retired.insert(orphan.own.tag);
        ++removed;
        continue;
      }
      UPDATE_TRY_ASSIGN(const bool removable, may_go(session, orphan));
      if (!removable) {
        session.env().observer.warning(orphan.folder->path() + "/" + orphan.file_name +
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
