#pragma once

#include <string>

#include "engine/base/result.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/plan.hpp"
#include "recovery/decision.hpp"
#include "recovery/recover.hpp"

namespace update {

/// An unfinished transaction as the journal and the disk have it, read whole before anything is
/// changed.
struct Case {
  TransactionRecord record;
  TransactionStory story;
  Plan plan;  ///< without units, a restart or a doctor that this environment does not have
  TargetFolders folders;
  Situation situation;
  std::string fingerprint;  ///< phase and files: equal means that nothing moved since
};

/// journal_damaged, or `failed` where the configuration lacks a destination.
Result<Case> look_at_case(const Environment& env, Journal& journal, const TransactionRecord& record,
                          const RecoverRequest& request);

}  // namespace update
