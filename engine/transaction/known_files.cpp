#include "engine/transaction/known_files.hpp"

#include <algorithm>
#include <vector>

#include "engine/transaction/disk.hpp"

namespace update {
namespace {

// Files that are still here come from the newest few changes; further back nothing is gained.
constexpr int kListingsBack = 64;

/// The committed listings of a destination, newest first.
Result<std::vector<JournalFile>> listings_of(Journal& journal, const std::string& destination,
                                             TransactionId before, int limit) {
  std::vector<JournalFile> listings;
  while (before.value > 1 && limit-- > 0) {
    UPDATE_TRY_ASSIGN(const auto listing,
                      journal.last_listing(destination, TransactionId{before.value - 1}));
    if (!listing) break;
    before = listing->transaction;
    listings.push_back(*listing);
  }
  return listings;
}

std::optional<Sha256Digest> match(const JournalFile& listing, const std::string& identity) {
  if (listing.new_sha256 && listing.new_identity == identity) return listing.new_sha256;
  if (listing.old_sha256 && listing.old_identity == identity) return listing.old_sha256;
  return std::nullopt;
}

}  // namespace

Result<bool> was_changed_since(Journal& journal, const std::string& destination,
                               TransactionId after) {
  UPDATE_TRY_ASSIGN(const auto first, journal.first_listing(destination, after));
  UPDATE_TRY_ASSIGN(const auto last, journal.last_listing(destination, kAfterAll));
  return first && last && first->old_sha256 != last->new_sha256;
}

bool had_old_file(const JournalFile& listing) {
  return listing.old_sha256 || !listing.old_identity.empty();
}

bool Held::existed() const {
  return is_old ? had_old_file(listing) : listing.new_sha256.has_value();
}

Result<std::optional<Held>> held_after(Journal& journal, TransactionId after,
                                       const std::string& destination) {
  UPDATE_TRY_ASSIGN(const auto last, journal.last_listing(destination, after));
  if (last) return Held{*last, false};
  UPDATE_TRY_ASSIGN(const auto first, journal.first_listing(destination, after));
  if (first) return Held{*first, true};
  return std::nullopt;
}

Result<std::optional<Sha256Digest>> digest_by_identity(Journal& journal,
                                                       const std::string& destination,
                                                       TransactionId before,
                                                       const os::FileIdentity& identity) {
  const std::string text = identity_to_text(identity);
  UPDATE_TRY_ASSIGN(const auto listings, listings_of(journal, destination, before, 2));
  for (const JournalFile& listing : listings) {
    if (auto digest = match(listing, text)) return digest;
  }
  return std::nullopt;
}

Result<std::optional<Sha256Digest>> known_digest(Journal& journal, const std::string& destination,
                                                 TransactionId before, os::Folder& folder,
                                                 const std::string& name) {
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(name));
  if (!found || found->type != os::FileType::regular) return std::nullopt;
  const std::string identity = identity_to_text(found->identity);
  UPDATE_TRY_ASSIGN(const auto listings, listings_of(journal, destination, before, kListingsBack));
  for (const JournalFile& listing : listings) {
    if (auto digest = match(listing, identity)) return digest;
  }
  if (listings.empty()) return std::nullopt;
  UPDATE_TRY_ASSIGN(const auto digest, hash_if_there(folder, name));
  if (!digest) return std::nullopt;
  const bool known = std::any_of(listings.begin(), listings.end(), [&](const JournalFile& file) {
    return file.old_sha256 == digest || file.new_sha256 == digest;
  });
  return known ? digest : std::nullopt;
}

}  // namespace update
