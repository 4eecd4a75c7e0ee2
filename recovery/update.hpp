#pragma once

#include <optional>

#include "engine/base/result.hpp"
#include "engine/release/release.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/planner.hpp"
#include "engine/transaction/session.hpp"

// Whole updates, from the lock to the outcome: what an earlier crash left is recovered first, then
// the new one runs. The commands `apply` and `rollback`.
namespace update {

struct UpdateReport {
  std::optional<TransactionId> transaction;  ///< none: none was begun
  std::optional<TransactionRecord> record;   ///< of it, at its end; none: not readable any more
  std::optional<TransactionId> recovered;    ///< an earlier one that was recovered first
  Status status;  ///< as engine/transaction/transaction.hpp says; success without a transaction:
                  ///< nothing was to be done
};

/// Takes the lock, recovers, plans, and runs the transaction. Never throws, always says in the
/// report how far it came.
UpdateReport apply_release(const Environment& env, Release& release, const ApplyOptions& options);
UpdateReport roll_back(const Environment& env, const RollbackOptions& options);

/// The plan alone (--dry-run): takes no lock, creates nothing. refuses as the real one would.
Result<PlannedUpdate> plan_apply_only(const Environment& env, Release& release,
                                      const ApplyOptions& options);
Result<PlannedUpdate> plan_rollback_only(const Environment& env, const RollbackOptions& options);

}  // namespace update
