#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/transaction_view.hpp"

// The JSON documents that hold transactions (cli.md, "JSON"). Each function gives one whole
// document.
namespace update::cli {

/// `error`, whose code is the exit code, stands in the field of that name; null: the recorded one
/// does. `recovered` is an earlier transaction that was recovered first.
std::string transaction_document(const TransactionView& view, const Error* error,
                                 const TransactionView* recovered);
/// The error object, with the id of the transaction that it ended, or null where none had begun;
/// and with `recovered`, where an earlier one was.
std::string failure_document(const Error& error, std::optional<TransactionId> transaction,
                             const TransactionView* recovered);
/// As `history show` gives it, without the field `recovered`.
std::string history_entry_document(const TransactionView& view);

struct ListedTransaction {
  TransactionRecord record;
  bool kept = false;  ///< the state right after it can still be gone back to
};
std::string history_document(const std::vector<ListedTransaction>& listed);

/// {"recovered": …}; `error` as above.
std::string recovered_document(const TransactionView* recovered, const Error* error);

/// Nothing was to be done, since that version is installed.
std::string already_installed_document(const std::optional<std::string>& version,
                                       const TransactionView* recovered);

struct StatusReport {
  std::optional<std::string> installed_version;
  std::optional<TransactionView> unfinished;
  bool runs = false;  ///< the unfinished update is at work right now
  std::string recover_would = "nothing";
  std::vector<InstalledFile> files;
  std::string notes = {};  ///< of the installed release, escaped; for people alone
};
std::string status_document(const StatusReport& report);

/// One line of `history export`; what a verifier elsewhere needs to compute the hash again.
std::string exported_event(const Event& event);

}  // namespace update::cli
