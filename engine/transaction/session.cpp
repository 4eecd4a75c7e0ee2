#include "engine/transaction/session.hpp"

#include <algorithm>
#include <cerrno>

#include "engine/transaction/intent.hpp"
#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/lost_journal.hpp"
#include "engine/transaction/state_folder.hpp"
#include "engine/transaction/transitions.hpp"

namespace update {
namespace {

constexpr std::uint64_t kCheckpointAtBytes = 1U << 20;

}  // namespace

Result<std::optional<LockedState>> lock_state(const Environment& env, bool create,
                                              std::int64_t wait_ms) {
  LockedState locked;
  if (create) {
    UPDATE_TRY_ASSIGN(locked.folder, make_state_folder(env));
  } else {
    UPDATE_TRY_ASSIGN(auto found, find_state_folder(env));
    if (!found) return std::nullopt;
    locked.folder = std::move(*found);
  }
  UPDATE_TRY_ASSIGN(locked.lock, acquire_lock(env, *locked.folder, wait_ms));
  return locked;
}

Error of_failed_commit(Error error) {
  const bool full = error.system_errno() == ENOSPC || error.system_errno() == EDQUOT;
  return std::move(error).as(full ? ErrorCode::no_space : ErrorCode::failed);
}

namespace {

/// What cannot be read may be there.
bool may_be_intended(os::Folder& state) {
  return is_intended(state).value_or(true);
}

/// Is there room for SQLite's index of a WAL of up to 16 MiB, and as much again? What ext4 holds
/// back is free by statfs(2), and given to nobody.
bool is_nearly_full(os::Folder& state) {
  constexpr std::uint64_t kIndexBytes = 32U << 10;
  const auto space = state.space();
  return space && space->unreserved_bytes < 2 * kIndexBytes;
}

/// An error is then no "nothing was changed".
Error while_intended(os::Folder& state, Error error) {
  if (!may_be_intended(state) || error.code() == ErrorCode::needs_operator) return error;
  // No recover of this program will ever resolve it.
  if (error.code() == ErrorCode::newer_journal) return error;
  return std::move(error)
      .with("an update may be unfinished")
      .hint("run: banger-update recover")
      .as(ErrorCode::unfinished);
}

}  // namespace

Result<std::optional<Session>> Session::open(const Environment& env, LockedState locked,
                                             bool create) {
  Session session(env, std::move(locked));
  describe_holder(env, *session.lock_, 0);
  UPDATE_TRY_ASSIGN(const JournalCondition condition, inspect_journal(*session.state_));
  if (condition == JournalCondition::none && !create) return std::nullopt;
  session.say_what_a_sudden_end_means(may_be_intended(*session.state_));
  Status prepared = session.prepare(condition, create);
  if (!prepared) {
    return fail(while_intended(*session.state_, std::move(prepared).error()));
  }
  return std::optional<Session>(std::move(session));
}

void Session::say_what_a_sudden_end_means(bool intended) {
  const std::string full =
      env_->config.state.text() + ": no space left for the index of the journal";
  const std::string memory = "out of memory";
  const std::string recover = "then run: banger-update recover";
  os::Host& host = env_->system.host;
  if (intended) {
    host.end_on_lost_page(Error(ErrorCode::unfinished, full).hint("make room, " + recover));
    host.end_on_lost_memory(Error(ErrorCode::unfinished, memory).hint("free some, " + recover));
  } else {
    host.end_on_lost_page(Error(ErrorCode::no_space, full).hint("make room, then try again"));
    host.end_on_lost_memory(Error(ErrorCode::no_space, memory).hint("free some, then try again"));
  }
}

Status Session::intend(const std::string& plan_text) {
  say_what_a_sudden_end_means(true);
  return write_intent(*state_, plan_text);
}

Status Session::prepare(JournalCondition condition, bool create) {
  // A recovery on a full disk goes on without them; an update then ends before it changes anything.
  Status made = make_state_files(*state_);
  if (!made && condition != JournalCondition::sound) return made;
  if (condition == JournalCondition::none) UPDATE_TRY(make_journal(*env_, *state_, 1, {}));
  if (condition == JournalCondition::lost) UPDATE_TRY(begin_after_lost_journal(*env_, *state_));
  // The index of the WAL is made again after a boot, and takes space: where that ends too late to
  // be an error, the process is killed (Host::end_on_lost_page). An update may be refused for want
  // of it; a recovery or a rollback must end.
  if (!create && is_nearly_full(*state_)) release_reserve(*state_);
  Status opened = open_journal();
  const bool full = !opened && opened.error().code() == ErrorCode::no_space;
  if (full && !create && release_reserve(*state_)) opened = open_journal();
  if (!opened && opened.error().code() == ErrorCode::journal_damaged) return replace_journal();
  return opened;
}

Status Session::open_journal() {
  journal_.reset();
  UPDATE_TRY_ASSIGN(head_, read_head(*state_));
  UPDATE_TRY_ASSIGN(journal_, Journal::open(journal_location(*env_, *state_)));
  UPDATE_TRY_ASSIGN(const std::optional<Event> last, journal_->last_event());
  last_seq_ = last ? last->seq : 0;
  last_hash_ = last ? std::optional(last->hash) : std::nullopt;
  Status sound = check_against_head(*env_, *state_, *journal_, head_);
  if (!sound) journal_.reset();
  return sound;
}

Status Session::replace_journal() {
  journal_.reset();
  UPDATE_TRY(begin_after_lost_journal(*env_, *state_));
  return open_journal();
}

Status Session::migrate() {
  UPDATE_TRY_ASSIGN(const bool migrated, journal_->migrate());
  if (migrated) env_->observer.warning("the journal was brought to a newer schema");
  return {};
}

Result<TransactionId> Session::next_id() {
  UPDATE_TRY_ASSIGN(const TransactionId next, journal_->next_id());
  if (!head_) return next;
  return std::max(next, TransactionId{head_->last_final.value + 1});
}

void Session::working_on(TransactionId id) {
  describe_holder(*env_, *lock_, id.value);
}

NewEvent Session::make_event(std::optional<TransactionId> id, std::optional<Phase> from,
                             std::optional<Phase> to, std::string detail) const {
  return {id, from, to, env_->system.clock.wall_us(), std::move(detail)};
}

Status Session::record(TransactionId id, std::optional<Phase> from, Phase to, std::string detail,
                       Durability durability) {
  return record_all({make_event(id, from, to, std::move(detail))}, durability);
}

bool Session::may_give_up_reserve(const std::vector<NewEvent>& events) const {
  const std::optional<Phase> to = events.back().to;
  return reserve_allowed_ || to == Phase::committed || to == Phase::rollback ||
         to == Phase::rolled_back || to == Phase::needs_operator || to == Phase::abandoned;
}

Status Session::record_all(const std::vector<NewEvent>& events, Durability durability) {
  for (const NewEvent& event : events) {
    if (event.to && event.from != event.to && !is_legal(event.from, *event.to)) {
      return fail(ErrorCode::failed, "no such transition: this is a bug");
    }
  }
  Status added = append(events, durability);
  if (added) return added;
  const bool full = added.error().code() == ErrorCode::no_space;
  if (full && may_give_up_reserve(events) && release_reserve(*state_)) {
    added = append(events, durability);
  }
  if (!added && added.error().code() == ErrorCode::commit_unknown) {
    return resolve_unknown_commit(events, durability, std::move(added).error());
  }
  return added;
}

Status Session::append(const std::vector<NewEvent>& events, Durability durability) {
  if (!journal_) return fail(ErrorCode::commit_unknown, "the journal could not be opened again");
  UPDATE_TRY_ASSIGN(const std::vector<Event> added, journal_->append(events, durability));
  last_seq_ = added.back().seq;
  last_hash_ = added.back().hash;
  return {};
}

// A reader may see in memory what is not on the disk. So the connection is dropped, and what the
// file says is made durable by a checkpoint before it is believed.
// (https://www.sqlite.org/rescode.html, SQLITE_IOERR_FSYNC)
Status Session::resolve_unknown_commit(const std::vector<NewEvent>& events, Durability durability,
                                       Error original) {
  const std::int64_t seq_expected = last_seq_ + static_cast<std::int64_t>(events.size());
  const auto reopen = [&]() -> Status {
    UPDATE_TRY(open_journal());
    return journal_->checkpoint();
  };
  Status reopened = reopen();
  bool room_made = false;
  if (!reopened && may_give_up_reserve(events)) {
    room_made = release_reserve(*state_);
    if (room_made) reopened = reopen();
  }
  if (!reopened) {
    journal_.reset();
    // The first error has the reason, a full disk for instance.
    return fail(
        std::move(original).with("whether the journal holds the last step cannot be found out (" +
                                 reopened.error().message() + ")"));
  }
  UPDATE_TRY_ASSIGN(const std::optional<Event> last, journal_->last_event());
  const NewEvent& wanted = events.back();
  if (last && last->seq == seq_expected && last->transaction == wanted.transaction &&
      last->to == wanted.to && last->detail == wanted.detail) {
    return {};
  }
  if (!room_made && !(may_give_up_reserve(events) && release_reserve(*state_))) {
    return fail(of_failed_commit(std::move(original)));
  }
  return append(events, durability);
}

std::optional<TransactionRecord> Session::look_back(TransactionId id) {
  if (!journal_) return std::nullopt;
  auto record = journal_->transaction(id);
  return record ? std::move(*record) : std::nullopt;
}

Status Session::check_in_place() const {
  UPDATE_TRY_ASSIGN(const auto found, find_state_folder(*env_));
  UPDATE_TRY_ASSIGN(const os::FileInfo held, state_->info());
  if (found) {
    UPDATE_TRY_ASSIGN(const os::FileInfo now, (*found)->info());
    if (now.identity.same_inode(held.identity)) return {};
  }
  return fail(Error(ErrorCode::needs_operator, env_->config.state.text() +
                                                   " is not the folder any more that this update "
                                                   "was recorded in")
                  .hint("bring it back, then look at it with: banger-update status"));
}

void Session::anchor(TransactionId last_final, Phase outcome) {
  if (!last_hash_) return;
  // Tidying after an older update does not make it the last one.
  if (head_ && head_->last_final > last_final) {
    last_final = head_->last_final;
    outcome = head_->outcome;
  }
  head_ = Head{last_seq_, *last_hash_, last_final, outcome};
  if (auto written = write_head(*state_, *head_); !written) {
    env_->observer.warning("the head of the audit chain was not written: " +
                           written.error().message());
  }
  if (auto cleared = clear_intent(*state_); !cleared) {
    env_->observer.warning("the intent file was not emptied: " + cleared.error().message());
  }
}

void Session::checkpoint_if_large() {
  if (!journal_) return;
  const auto bytes = journal_->wal_bytes();
  if (!bytes || *bytes < kCheckpointAtBytes) return;
  if (auto done = journal_->checkpoint(); !done) {
    env_->observer.warning("the journal was not checkpointed: " + done.error().message());
  }
}

}  // namespace update
