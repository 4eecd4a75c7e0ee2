#include "engine/transaction/lost_journal.hpp"

#include <algorithm>

#include "engine/base/layout.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/head.hpp"
#include "engine/transaction/intent.hpp"
#include "engine/transaction/journal_file.hpp"

namespace update {
namespace {

NewEvent event_now(const Environment& env, std::optional<TransactionId> id,
                   std::optional<Phase> from, std::optional<Phase> to, std::string detail) {
  return {id, from, to, env.system.clock.wall_us(), std::move(detail)};
}

/// The plan of an intent that was written whole and whose transaction is not known to be over.
Result<std::optional<Plan>> pending_intent(const Environment& env, os::Folder& state,
                                           const std::optional<Head>& head) {
  UPDATE_TRY_ASSIGN(const std::optional<std::string> text, read_intent(state));
  if (!text) return std::nullopt;
  const auto id = plan_id_from_text(*text);
  if (id && head && *id <= head->last_final) return std::nullopt;
  UPDATE_TRY_ASSIGN(Plan plan, intended_plan(*text, env.config));
  return plan;
}

Result<std::optional<FileState>> look_and_hash(os::Folder& folder, const std::string& name) {
  UPDATE_TRY_ASSIGN(std::optional<FileState> state, look_at(folder, name));
  if (state) {
    UPDATE_TRY_ASSIGN(state->sha256, hash_named(folder, name));
  }
  return state;
}

/// Is this backup the only copy of something? If so, what the destination and it hold.
Result<std::optional<PlannedFile>> unexplained(os::Folder& folder, const ConfiguredFile& file,
                                               const std::string& backup) {
  PlannedFile planned{file.name, file.destination, {}, {}, false};
  UPDATE_TRY_ASSIGN(planned.old_state, look_and_hash(folder, backup));
  UPDATE_TRY_ASSIGN(planned.new_state, look_and_hash(folder, file.destination.name()));
  const bool same = planned.old_state && planned.new_state &&
                    planned.old_state->sha256 == planned.new_state->sha256;
  if (same) return std::nullopt;
  return planned;
}

/// A plan made of what lies beside the destinations, for a person to decide on. Names of an update
/// that the head knows to be over are only waiting to be tidied.
Result<std::optional<Plan>> plan_from_backups(const Environment& env,
                                              const std::optional<Head>& head) {
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(env.root, destinations_of(env.config)));
  Plan plan;
  plan.backup_suffix = env.config.backup_suffix;
  for (const ConfiguredFile& file : env.config.files) {
    os::Folder& folder = folders.of(file.destination);
    UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder.list());
    for (const std::string& name : names) {
      const auto own = parse_own_name(name);
      if (!own || own->kind != OwnNameKind::backup || own->tag < plan.tag ||
          own->destination_name != file.destination.name() ||
          (head && own->tag.id <= head->last_final)) {
        continue;
      }
      UPDATE_TRY_ASSIGN(std::optional<PlannedFile> planned, unexplained(folder, file, name));
      if (!planned) continue;
      if (plan.tag < own->tag) plan.files.clear();
      plan.tag = own->tag;
      plan.files.push_back(std::move(*planned));
    }
  }
  if (plan.files.empty()) return std::nullopt;
  return plan;
}

Error unexplained_error(const Plan& plan) {
  std::string message = "the journal is lost, and what these backups hold is found nowhere else:";
  for (const PlannedFile& file : plan.files) {
    message.append(" ").append(file.destination.parent().text()).append("/");
    message.append(plan.backup_name_of(file));
  }
  return Error(ErrorCode::needs_operator, message);
}

Result<std::optional<Sha256Digest>> digest_of_lost(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(kJournalName)));
  // A damaged size must not keep a boot waiting while nothing is hashed for hours.
  constexpr std::uint64_t kHashedBytes = std::uint64_t{1} << 30U;
  if (!found || found->identity.size > kHashedBytes) return std::nullopt;
  UPDATE_TRY_ASSIGN(const Sha256Digest digest, hash_named(state, std::string(kJournalName)));
  return digest;
}

}  // namespace

std::vector<NewEvent> reconstructed_events(const Environment& env, const Plan& plan) {
  const TransactionId id = plan.tag.id;
  return {event_now(env, id, std::nullopt, Phase::stage, begin_detail(plan, env, true)),
          event_now(env, id, Phase::stage, Phase::backup, staged_detail(plan)),
          event_now(env, id, Phase::backup, Phase::swap, swap_detail(plan, true))};
}

Status begin_after_lost_journal(const Environment& env, os::Folder& state) {
  UPDATE_TRY_ASSIGN(const std::optional<Head> head, read_head(state));
  UPDATE_TRY_ASSIGN(const std::optional<Sha256Digest> lost, digest_of_lost(state));
  std::vector<NewEvent> events = {
      event_now(env, std::nullopt, std::nullopt, std::nullopt, lost_detail(lost, head))};
  UPDATE_TRY_ASSIGN(const std::optional<Plan> intended, pending_intent(env, state, head));
  if (intended) {
    const auto again = reconstructed_events(env, *intended);
    events.insert(events.end(), again.begin(), again.end());
  } else {
    UPDATE_TRY_ASSIGN(const std::optional<Plan> found, plan_from_backups(env, head));
    if (found) {
      events.push_back(event_now(env, found->tag.id, std::nullopt, Phase::stage,
                                 begin_detail(*found, env, true)));
      events.push_back(event_now(env, found->tag.id, Phase::stage, Phase::needs_operator,
                                 error_detail(unexplained_error(*found))));
    }
  }
  env.observer.warning(
      "the journal is lost or damaged; what is left of it was set aside, and a new one begins");
  return make_journal(env, state, head ? head->seq + 1 : 1, events);
}

}  // namespace update
