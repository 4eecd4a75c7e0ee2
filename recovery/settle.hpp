#pragma once

#include <cstddef>
#include <optional>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/session.hpp"
#include "recovery/recover.hpp"

// What is to be done where no transaction is unfinished, or before one that is can be believed.
namespace update {

/// A failed COMMIT of the process that died may be half on the disk: what is read from here on must
/// be durable (journal.md).
Status make_journal_durable(Session& session);

/// The newest outcome, where the head says nothing at all: it is never synced, so a stop right
/// after the first outcomes leaves it blank, and an audit would take that for a change. A head that
/// holds anything else is left for the audit to find.
Result<std::optional<TransactionRecord>> unanchored_outcome(Journal& journal, os::Folder& state);

/// Nothing is unfinished, but whoever recorded the outcome was stopped right after: the intent is
/// still there, or the head is not. The outcome may then be in memory only. It is told as the truth
/// from here on, so it has to survive a power cut first.
Status settle(Session& session);

/// Nothing is unfinished any more: what crashes left beside the destinations goes.
Result<std::size_t> collect(Session& session);

/// There never was a journal, but the first update of all may have been stopped while it made it.
Result<RecoverReport> tidy_before_the_first(const Environment& env, os::Folder& state);

}  // namespace update
