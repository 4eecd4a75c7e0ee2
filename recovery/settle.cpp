#include "recovery/settle.hpp"

#include "engine/transaction/head.hpp"
#include "engine/transaction/intent.hpp"
#include "engine/transaction/state_folder.hpp"
#include "recovery/orphans.hpp"

namespace update {

Status make_journal_durable(Session& session) {
  Status done = session.journal().checkpoint();
  if (!done && done.error().code() != ErrorCode::journal_damaged &&
      release_reserve(session.state())) {
    done = session.journal().checkpoint();
  }
  if (done || done.error().code() == ErrorCode::journal_damaged) return done;
  return fail(std::move(done).error().with("making the journal durable").as(ErrorCode::unfinished));
}

Result<std::optional<TransactionRecord>> unanchored_outcome(Journal& journal, os::Folder& state) {
  UPDATE_TRY_ASSIGN(const bool blank, head_is_blank(state));
  if (!blank) return std::nullopt;
  HistoryFilter filter;
  filter.limit = 1;
  UPDATE_TRY_ASSIGN(auto records, journal.list(filter));
  if (records.empty() || !is_final(records.front().phase)) return std::nullopt;
  return std::move(records.front());
}

Status settle(Session& session) {
  os::Folder& state = session.state();
  UPDATE_TRY_ASSIGN(const bool intended, is_intended(state));
  UPDATE_TRY_ASSIGN(const auto unanchored, unanchored_outcome(session.journal(), state));
  if (!intended && !unanchored) return {};
  UPDATE_TRY(make_journal_durable(session));
  if (unanchored) {
    session.anchor(unanchored->id, unanchored->phase);
  } else if (Status cleared = clear_intent(state); !cleared) {
    session.env().observer.warning("the intent file was not emptied: " + cleared.error().message());
  }
  return {};
}

Result<std::size_t> collect(Session& session) {
  const Environment& env = session.env();
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::find(env.root, destinations_of(env.config)));
  UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(folders, env.config));
  // An outcome that was read may be in memory only (a failed COMMIT): no backup is moved on the
  // ground of it.
  if (!orphans.empty()) UPDATE_TRY(make_journal_durable(session));
  UPDATE_TRY_ASSIGN(const std::size_t beside, collect_orphans(env, &session, orphans));
  UPDATE_TRY_ASSIGN(const std::size_t inside, collect_temporaries(session.state()));
  return beside + inside;
}

Result<RecoverReport> tidy_before_the_first(const Environment& env, os::Folder& state) {
  RecoverReport report;
  UPDATE_TRY_ASSIGN(report.orphans_removed, collect_temporaries(state));
  const auto folders = TargetFolders::find(env.root, destinations_of(env.config));
  if (!folders) return report;
  UPDATE_TRY_ASSIGN(const auto orphans, find_orphans(*folders, env.config));
  UPDATE_TRY_ASSIGN(const std::size_t beside, collect_orphans(env, nullptr, orphans));
  report.orphans_removed += beside;
  return report;
}

}  // namespace update
