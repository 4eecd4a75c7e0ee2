#pragma once

#include <optional>
#include <vector>

#include "cli/command.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/journal_file.hpp"
#include "engine/transaction/report.hpp"
#include "schema/journal.hpp"

namespace update::cli {

/// One transaction with all that is told of it.
struct TransactionView {
  TransactionRecord record;
  std::vector<FileReport> files;
  std::vector<Event> events;
};

Result<TransactionView> view_of(const Environment& env, ReadableJournal& readable,
                                const TransactionRecord& record);

/// Opens the journal anew; not_found where there is no such transaction.
Result<TransactionView> load_transaction(const Environment& env, TransactionId id);

/// The same for a result that stands already: a warning, and none, where the journal cannot be read
/// again. The code tells the state of the host, whatever cannot be shown of it (F12).
std::optional<TransactionView> try_load(const Context& context, const Environment& env,
                                        std::optional<TransactionId> id);

/// The same, and then what was known of it when it ended.
TransactionView load_or(const Context& context, const Environment& env, TransactionRecord known);

/// The one that is not finished, if there is one.
Result<std::optional<TransactionView>> load_unfinished(const Environment& env);

/// In milliseconds; none while it runs, and where the wall clock was set back meanwhile.
std::optional<std::int64_t> duration_of(const TransactionRecord& record);

/// "update 3 (1.0.0 to 2.0.0) is unfinished, in phase swap", its files that are neither old nor
/// new, and the command that resolves it.
std::string unfinished_text(const TransactionView& view);

/// For commands that don't depend on it: one warning that names the unfinished transaction (F3).
void warn_of_unfinished(const Context& context, Journal& journal);

/// The command lines that end it.
std::vector<std::string> resolving_commands(const TransactionRecord& record);

}  // namespace update::cli
