#pragma once

#include <optional>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/release/release.hpp"
#include "engine/step/step.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/plan.hpp"
#include "schema/journal.hpp"

// What an update is going to do, decided before anything is touched: policy, trust, sizes and space
// are judged here.
namespace update {

struct ApplyOptions {
  bool allow_downgrade = false;
  bool reinstall = false;
  bool restart = true;  ///< false: --no-restart
  bool doctor = true;   ///< false: --no-doctor
};

struct RollbackOptions {
  std::optional<TransactionId> target;  ///< --to; 0 is what the first update found
  bool restart = true;
  bool doctor = true;
};

struct PlannedUpdate {
  Plan plan;
  std::vector<std::optional<step::Source>> sources;  ///< one a planned file
  /// Keeps the folders of the sources open.
  std::vector<std::unique_ptr<os::Folder>> source_folders;
  /// The host is already as the plan wants it: nothing is to be done or recorded.
  bool nothing_to_do = false;
};

/// `journal` and `state` are null where there are none yet (a dry run before the first update). The
/// id of the plan is `tag.id`. Does not run the doctor. not_trusted (product, expiry, files that
/// the configuration does not have, or the other way round), refused (downgrade, minimum version),
/// failed (a destination that is no regular file), no_space (path, bytes needed, bytes there).
Result<PlannedUpdate> plan_apply(const Environment& env, Journal* journal, os::Folder* state,
                                 const TargetFolders& folders, Release& release,
                                 const ApplyOptions& options, TransactionTag tag);

/// not_found: no such update, bytes that it needs are not found with their recorded digest, or it
/// would have to change a destination that is not configured any more.
/// Every byte is checked here.
Result<PlannedUpdate> plan_rollback(const Environment& env, Journal& journal, os::Folder& state,
                                    const TargetFolders& folders, const RollbackOptions& options,
                                    TransactionTag tag);

/// The doctor before the update, into the plan. refused where the configuration requires a healthy
/// host for an `apply` and this one is not.
Status take_baseline(const Environment& env, Plan& plan);

/// Room for every byte that is going to be written, per file system: no_space.
Status check_space(os::Folder* state, const TargetFolders& folders, const Plan& plan,
                   const std::vector<std::optional<step::Source>>& sources);

}  // namespace update
