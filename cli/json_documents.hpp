#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/unit_files.hpp"
#include "engine/installation/configuration.hpp"
#include "engine/release/manifest.hpp"
#include "engine/release/signature.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/planner.hpp"
#include "engine/transaction/report.hpp"
#include "schema/journal.hpp"

// The JSON documents without a transaction. Each function gives one whole document.
namespace update::cli {

/// The error object of a command that began no transaction.
std::string error_document(const Error& error);

/// --dry-run of apply and rollback. The id that the transaction would get is not known: null.
std::string plan_document(const PlannedUpdate& planned, const std::vector<std::string>& packages);
/// --dry-run of recover.
std::string recover_would_document(const std::string& would);

/// `error` is null where every file is as it was installed.
std::string verify_document(const std::vector<InstalledFile>& files, const Error* error);
std::string audit_document(const AuditReport& audit, const Error* error);
std::string pruned_document(const Pruned& pruned);

std::string made_document(const Manifest& manifest, const std::string& path, bool is_signed);

struct Inspection {
  std::optional<Manifest> manifest;  ///< none: it cannot be read
  std::optional<Signature> signature;
  std::optional<PlannedUpdate> plan;  ///< what apply would do
  std::optional<Error> refusal;       ///< or why it would not

  /// The refusal, if it says that the release is not trusted here; null: it is.
  const Error* distrust() const {
    return refusal && refusal->code() == ErrorCode::not_trusted ? &*refusal : nullptr;
  }
};
std::string inspection_document(const Inspection& inspection);

std::string checked_document(const std::string& origin, bool present);
/// `config units`
std::string unit_files_document(const std::vector<UnitFile>& files);
std::string configuration_document(const Configuration& config);

}  // namespace update::cli
