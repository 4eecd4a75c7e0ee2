#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// Where configured paths begin: `/`, or the folder given with --root. Whose folders are trusted:
/// root's and the caller's.
struct InstallationRoot {
  os::FileSystem& files;
  std::string folder = "/";
  std::uint32_t caller_uid = 0;

  /// Where `path`, as folders opened below name themselves, lies on the host: for whoever reaches
  /// it by its path (SQLite).
  std::string on_host(const std::string& path) const {
    return folder == "/" ? path : folder + path;
  }
};

/// Opens the folder `path` of the installation. Links are followed, inside the root only (at most
/// 40, ELOOP then). Every folder on the way, the last one included, must belong to root or the
/// caller and be writable for nobody else, or be sticky with the next part owned so: else
/// not_trusted, with the `chmod` that helps as its hint. The walk holds each folder open, so that
/// what was checked is what is used. A part that is absent keeps its errno (ENOENT). The folder's
/// path and the errors are as seen from inside the root: what a history tells holds for whoever
/// runs the image.
Result<std::unique_ptr<os::Folder>> open_trusted_folder(const InstallationRoot& root,
                                                        const AbsolutePath& path);

/// A folder of the installation and a name in it.
struct TrustedPlace {
  std::unique_ptr<os::Folder> folder;
  std::string name;
};

/// The folder of `path` as above, and its last part, which is not looked at: a link there is for
/// the caller to refuse.
Result<TrustedPlace> open_trusted_parent(const InstallationRoot& root, const AbsolutePath& path);

/// The same for whoever only reads: nullopt if a folder on the way is missing, or is none.
Result<std::optional<TrustedPlace>> find_trusted_parent(const InstallationRoot& root,
                                                        const AbsolutePath& path);

/// Reads a file that must be a regular one (links followed as above), belong to root or the caller
/// and be writable for nobody else; more than `limit` bytes: usage. For the configuration and
/// public keys.
Result<std::string> read_trusted_file(const InstallationRoot& root, const AbsolutePath& path,
                                      std::size_t limit);

}  // namespace update
