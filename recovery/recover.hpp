#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/session.hpp"

namespace update {

/// A person's decision on a transaction in needs_operator.
enum class Force : std::uint8_t { rollback, commit, abandon };

struct RecoverRequest {
  bool boot = false;                     ///< before the services: files only
  std::optional<RecoveryPolicy> policy;  ///< none: the configured one
  std::optional<Force> force;
  std::string reason;  ///< required with `force`
  /// The dead-man's timer of this update has fired: whoever had to end it is ended first.
  std::optional<TransactionId> expired;
  /// An update that would be finished to another version than this is undone instead: `apply` of
  /// this version is about to begin.
  std::optional<std::string> only_version;
};

struct RecoverReport {
  std::optional<TransactionRecord> recovered;  ///< as it is now; none: nothing was unfinished
  std::size_t orphans_removed = 0;
};

/// Finishes or undoes what a crash left, and collects orphans. Idempotent; can be killed anywhere
/// and run again. Success: whatever was unfinished has one version, either way, or waits for the
/// services. Errors: needs_operator, unfinished, busy, not_found (a force whose bytes are gone),
/// usage (a force while nothing needs a person). With nothing to do it opens the journal read-only,
/// hashes and syncs nothing.
Result<RecoverReport> recover(const Environment& env, const RecoverRequest& request);

/// The same for a command that holds a session already and is about to begin something new.
Result<RecoverReport> recover_in_session(Session& session, const RecoverRequest& request);

/// What `recover` would do: nothing, discard, replay, rollback, verify, needs_operator (cli.md,
/// `status`). Reads only.
Result<std::string> recover_would(const Environment& env, Journal& journal,
                                  const RecoverRequest& request);

/// For a plan that is only shown: needs_operator where the update itself would be refused for what
/// the last one left; a warning where recovery would come first. Reads only.
Status look_before_planning(const Environment& env, Journal& journal);

}  // namespace update
