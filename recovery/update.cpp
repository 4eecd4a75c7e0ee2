#include "recovery/update.hpp"

#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/state_folder.hpp"
#include "engine/transaction/transaction.hpp"
#include "recovery/recover.hpp"

namespace update {
namespace {

/// What both commands do around their plan: lock, recover, plan, baseline, run.
class Updater {
 public:
  Updater(const Environment& env, UpdateReport& report) : env_(env), report_(report) {}

  /// `plan` makes the PlannedUpdate once the session is there.
  template <class MakePlan>
  Status run(bool create, std::optional<std::string> only_version, MakePlan plan) {
    UPDATE_TRY_ASSIGN(auto locked, lock_state(env_, create, 0));
    if (!locked) return fail(nothing_installed());
    UPDATE_TRY_ASSIGN(auto session, Session::open(env_, std::move(*locked), create));
    if (!session) return fail(nothing_installed());
    UPDATE_TRY(recover_first(*session, std::move(only_version)));
    if (create) {
      session->keep_reserve();
      UPDATE_TRY(session->migrate());
    }
    UPDATE_TRY_ASSIGN(const TargetFolders folders,
                      TargetFolders::find(env_.root, destinations_of(env_.config)));
    UPDATE_TRY_ASSIGN(const TransactionId id, session->next_id());
    const TransactionTag tag{id, env_.system.host.random_u32()};
    UPDATE_TRY_ASSIGN(PlannedUpdate update, plan(*session, folders, tag));
    if (update.nothing_to_do) return {};
    UPDATE_TRY(take_baseline(env_, update.plan));
    Status reserved = make_reserve(session->state());
    // A rollback must work on a full disk, which has no room for a new reserve either.
    const bool full = !reserved && reserved.error().code() == ErrorCode::no_space;
    if (!reserved && (create || !full)) return reserved;
    step::Context context{*session, update.plan, folders};
    if (update.plan.kind == TransactionKind::rollback) session->allow_reserve();
    Status ended = run_transaction(context, update.sources);
    if (context.begun) {
      report_.transaction = id;
      report_.record = session->look_back(id);
    }
    session->checkpoint_if_large();
    return ended;
  }

 private:
  static Error nothing_installed() {
    return Error(ErrorCode::not_found, "nothing was installed yet: there is nothing to go back to");
  }

  Status recover_first(Session& session, std::optional<std::string> only_version) {
    RecoverRequest request;
    request.only_version = std::move(only_version);
    UPDATE_TRY_ASSIGN(const auto before, session.journal().unfinished());
    auto recovered = recover_in_session(session, request);
    if (!recovered) {
      // The transaction that stands in the way is the one that the result speaks of.
      if (before) report_.transaction = before->id;
      return fail(std::move(recovered).error());
    }
    if (recovered->recovered) report_.recovered = recovered->recovered->id;
    return {};
  }

  const Environment& env_;
  UpdateReport& report_;
};

}  // namespace

UpdateReport apply_release(const Environment& env, Release& release, const ApplyOptions& options) {
  UpdateReport report;
  report.status = Updater(env, report)
                      .run(true, release.manifest().version.text(),
                           [&](Session& session, const TargetFolders& folders, TransactionTag tag) {
                             return plan_apply(env, &session.journal(), &session.state(), folders,
                                               release, options, tag);
                           });
  return report;
}

UpdateReport roll_back(const Environment& env, const RollbackOptions& options) {
  UpdateReport report;
  report.status = Updater(env, report)
                      .run(false, std::nullopt,
                           [&](Session& session, const TargetFolders& folders, TransactionTag tag) {
                             return plan_rollback(env, session.journal(), session.state(), folders,
                                                  options, tag);
                           });
  return report;
}

Result<PlannedUpdate> plan_apply_only(const Environment& env, Release& release,
                                      const ApplyOptions& options) {
  UPDATE_TRY_ASSIGN(auto readable, open_believable_journal(env));
  if (readable) UPDATE_TRY(look_before_planning(env, readable->journal));
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::find(env.root, destinations_of(env.config)));
  return plan_apply(env, readable ? &readable->journal : nullptr,
                    readable ? readable->state.get() : nullptr, folders, release, options, {});
}

Result<PlannedUpdate> plan_rollback_only(const Environment& env, const RollbackOptions& options) {
  UPDATE_TRY_ASSIGN(auto readable, open_believable_journal(env));
  if (!readable) return fail(ErrorCode::not_found, "nothing was installed yet");
  UPDATE_TRY(look_before_planning(env, readable->journal));
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::find(env.root, destinations_of(env.config)));
  return plan_rollback(env, readable->journal, *readable->state, folders, options, {});
}

}  // namespace update
