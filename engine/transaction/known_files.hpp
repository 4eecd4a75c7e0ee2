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

/// What a destination held at one moment of the history.
struct Held {
  JournalFile listing;  ///< of the update that says so
  bool is_old = false;  ///< what that update found, not what it left

  /// None: absent, or not known.
  const std::optional<Sha256Digest>& sha256() const {
    return is_old ? listing.old_sha256 : listing.new_sha256;
  }
  bool existed() const;
};

/// What the destination held right after update `after`: what the newest committed listing up to
/// it left there, else what the first one after it found. nullopt: no update ever listed it.
Result<std::optional<Held>> held_after(Journal& journal, TransactionId after,
                                       const std::string& destination);

/// Does it hold other bytes now than right after update `after`, by what the updates did?
Result<bool> was_changed_since(Journal& journal, const std::string& destination,
                               TransactionId after);

/// Was there a file before the update? Its digest may not be known.
bool had_old_file(const JournalFile& listing);

/// Greater than every id.
inline constexpr TransactionId kAfterAll{INT64_MAX};

}  // namespace update
