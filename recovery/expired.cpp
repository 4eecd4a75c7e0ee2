#include "recovery/expired.hpp"

#include <algorithm>

#include "engine/transaction/events.hpp"
#include "engine/transaction/journal_file.hpp"

namespace update {
namespace {

constexpr std::int64_t kEndWaitMs = 10'000;

/// A timer's clock and ours may be read in another order than their marks were made.
constexpr std::int64_t kToleranceMs = 1'000;

Status check_time_is_over(const Environment& env, TransactionId id, const ArmedProcess& armed,
                          std::int64_t deadline_ms) {
  // Whatever a journal claims: no time of this boot, and no deadline, is outside of these.
  const std::int64_t now_ms = env.system.clock.monotonic_ms();
  const std::int64_t passed_ms = now_ms - std::clamp<std::int64_t>(armed.since_ms, 0, now_ms);
  const std::int64_t left_ms = std::max<std::int64_t>(0, deadline_ms) - passed_ms - kToleranceMs;
  if (left_ms <= 0) return {};
  return fail(Error(ErrorCode::refused, "update " + std::to_string(id.value) + " has " +
                                            std::to_string(left_ms / 1000 + 1) + " s left")
                  .hint("wait for it to end, or look at it with: banger-update status"));
}

Result<bool> end_process_of(const Environment& env, TransactionId id) {
  UPDATE_TRY_ASSIGN(auto readable, open_believable_journal(env));
  if (!readable) return false;
  UPDATE_TRY_ASSIGN(const auto record, readable->journal.unfinished());
  if (!record || record->id != id) return false;
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, readable->journal.events_of(id));
  UPDATE_TRY_ASSIGN(const TransactionStory story, story_of(events));
  // Of another boot, or never armed: nobody is left who could be in the middle of it.
  if (!story.armed || story.armed->boot_id != env.system.host.boot_id()) return true;
  UPDATE_TRY_ASSIGN(const Plan plan, plan_from_text(story.plan_text, env.config));
  UPDATE_TRY(check_time_is_over(env, id, *story.armed, plan.deadline_ms));
  // If the machine stops here, it has stopped this process too: as after any crash.
  UPDATE_TRY(env.system.table.end(story.armed->id, kEndWaitMs));
  return true;
}

}  // namespace

Result<bool> end_expired(const Environment& env, TransactionId id) {
  auto unfinished = end_process_of(env, id);
  // It cannot tell whom to end. Whoever lives holds the lock, and recovery needs no journal.
  if (!unfinished && unfinished.error().code() == ErrorCode::journal_damaged) return true;
  return unfinished;
}

}  // namespace update
