#pragma once

#include <optional>
#include <string>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/transaction/plan.hpp"
#include "schema/journal.hpp"

namespace update {

/// The digest that the journal's newest transactions recorded for a file of this identity at
/// `destination`, looking at those with an id below `before`. nullopt: none did. Nothing is read
/// from the file.
Result<std::optional<Sha256Digest>> digest_by_identity(Journal& journal,
                                                       const std::string& destination,
                                                       TransactionId before,
                                                       const os::FileIdentity& identity);

/// The same for a file beside the destination whose bytes may have been copied: where the identity
/// says nothing, the file is read, and the digest given if the journal knows it as a version of
/// this destination.
Result<std::optional<Sha256Digest>> known_digest(Journal& journal, const std::string& destination,
                                                 TransactionId before, os::Folder& folder,
                                                 const std::string& name);

/// Greater than every id.
inline constexpr TransactionId kAfterAll{INT64_MAX};

}  // namespace update
