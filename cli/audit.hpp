#pragma once

#include <optional>

#include "engine/transaction/head.hpp"
#include "schema/journal.hpp"

namespace update::cli {

/// What the journal finds of itself; then whether it still holds what `head` knows of it, and the
/// event whose hash somebody kept elsewhere.
Result<AuditReport> audit_journal(Journal& journal, const std::optional<Head>& head,
                                  const std::optional<Sha256Digest>& expected);

}  // namespace update::cli
