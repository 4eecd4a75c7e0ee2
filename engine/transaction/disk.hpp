#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/plan.hpp"

// The disk as the witness: what each destination, staged file and backup really is.
namespace update {

/// The folders of the destinations, each opened and checked once and held open from then on.
class TargetFolders {
 public:
  /// not_trusted, or `failed` where a folder is missing.
  static Result<TargetFolders> open(const InstallationRoot& root,
                                    const std::vector<AbsolutePath>& destinations);

  /// Of destinations that may not be needed: one whose folder is missing has none.
  static Result<TargetFolders> find(const InstallationRoot& root,
                                    const std::vector<AbsolutePath>& destinations);

  /// Of one that has a folder: all do after open().
  os::Folder& of(const AbsolutePath& destination) const;
  /// `failed` where it has none.
  Result<os::Folder*> need(const AbsolutePath& destination) const;
  /// Null where it has none.
  os::Folder* find_of(const AbsolutePath& destination) const;
  /// Each folder once, in the order of the first destination in it.
  const std::vector<std::unique_ptr<os::Folder>>& all() const { return folders_; }
  /// needs_operator if one of these paths leads to another folder by now: what was done is then not
  /// where it was promised.
  Status check_in_place(const InstallationRoot& root) const;
  /// usage if two destinations, or the backup of one and another, are one file, by whatever links
  /// they are reached.
  Status check_distinct(const std::string& backup_suffix) const;
  /// usage if a destination is in `folder`, by whatever links it is reached.
  Status check_not_in(os::Folder& folder) const;
  /// The names in all of them are durable on return.
  Status sync() const;

 private:
  Status add(const AbsolutePath& destination, std::unique_ptr<os::Folder> folder);

  std::vector<std::unique_ptr<os::Folder>> folders_;
  std::vector<os::FileIdentity> identities_;  ///< of the folders, in their order
  std::vector<std::pair<AbsolutePath, std::size_t>> index_by_destination_;
};

std::vector<AbsolutePath> destinations_of(const Plan& plan);
std::vector<AbsolutePath> destinations_of(const Configuration& config);

/// The regular file `name` without its digest; nullopt if there is none. A link (its target is
/// named), a folder or a device is `failed`.
Result<std::optional<FileState>> look_at(os::Folder& folder, const std::string& name);

/// All of an open file, from its first byte to its last.
Result<Sha256Digest> hash_file(os::File& file);
Result<Sha256Digest> hash_named(os::Folder& folder, const std::string& name);
/// For whoever looks while an update runs, which may rename the file away between two looks:
/// nullopt if it is not there (any more).
Result<std::optional<Sha256Digest>> hash_if_there(os::Folder& folder, const std::string& name);

enum class Holds : std::uint8_t { old_bytes, new_bytes, foreign };

/// What became of one destination. Identities are compared first, so that an idle look hashes
/// nothing; where they differ, the digest decides.
Result<Holds> observe(os::Folder& folder, const PlannedFile& file);

/// A file's state in reports (cli.md, JSON): old, new, unchanged, absent or foreign.
std::string_view state_name(const PlannedFile& file, Holds holds);

/// Is `name` a file with these bytes? By identity, else by digest; absent or another type is false.
Result<bool> holds_bytes(os::Folder& folder, const std::string& name, const FileState& expected);

/// One file of a transaction, with all that a decision needs to know of it.
struct Observation {
  bool unchanged =
      false;  ///< left out of the swap: it says nothing about which version the host runs
  Holds destination = Holds::foreign;
  bool still_staged = false;   ///< its staged file is where it was: it was never renamed
  bool new_available = false;  ///< in place, or staged with the right bytes (a removal needs none)
  bool old_available =
      false;  ///< in place, or in the backup with the right bytes (absence needs none)
};

/// Has the update ever put its own file there? A stranger that stands where no staged file waits
/// any more came after it.
bool was_renamed(const Observation& file);

/// Reads all and changes nothing. One entry a planned file, in order.
Result<std::vector<Observation>> observe_all(const TargetFolders& folders, const Plan& plan);

}  // namespace update
