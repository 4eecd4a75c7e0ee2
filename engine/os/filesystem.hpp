#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

// The file system as the engine sees it: open folders, names in them, and open files. Everything
// below an open folder is reached by one plain name through its descriptor, never by a path, so
// that nobody can exchange a folder between a check and its use. No verb follows a symbolic link.
//
// Durable means: survives a power cut on a POSIX file system. A file's bytes are durable after its
// sync(); a name (create, link, rename, unlink) after the sync() of its folder. No other verb makes
// anything durable. Errors carry errno and the path.
namespace update::os {

/// What tells one file from another without reading it. ctime is left out: link and rename change
/// it.
struct FileIdentity {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t size = 0;
  std::int64_t mtime_ns = 0;
  auto operator<=>(const FileIdentity&) const = default;
  bool same_inode(const FileIdentity& other) const {
    return device == other.device && inode == other.inode;
  }
};

enum class FileType : std::uint8_t { regular, folder, symbolic_link, other };
/// What FileType::other is.
enum class SpecialType : std::uint8_t { none, device, socket, pipe };

/// A moment as file systems keep it: nanoseconds since 1970 in 64 bits would end in 2262.
struct FileTime {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;  ///< 0 to 999,999,999, counted forwards before 1970 too
  auto operator<=>(const FileTime&) const = default;
};

struct FileInfo {
  FileType type = FileType::other;
  FileIdentity identity;
  std::uint32_t mode = 0;  ///< permission, set-id and sticky bits (07777)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t links = 0;
  std::int64_t ctime_ns = 0;  ///< changes whenever anything of the file does: finds a writer
  SpecialType special = SpecialType::none;
  FileTime modified{};
  FileTime accessed{};
  FileTime changed{};  ///< ctime_ns, in full
};

struct Space {
  std::uint64_t free_bytes = 0;  ///< for this process (root's reserve included where it may use it)
  std::uint64_t unreserved_bytes = 0;  ///< for everybody: without what the file system holds back
  std::uint64_t free_inodes = 0;       ///< UINT64_MAX where the file system has no fixed number
  std::uint64_t device = 0;            ///< equal for folders of one file system
};

/// Extended attributes by name: ACLs, capabilities, security labels, user attributes.
using Attributes = std::map<std::string, std::string>;
/// The attribute that holds the access list of acl(5).
inline constexpr const char* kAccessAcl = "system.posix_acl_access";

/// An open regular file, closed when destroyed. Never inherited by a child.
class File {
 public:
  virtual ~File() = default;

  virtual Result<FileInfo> info() = 0;
  /// Reads up to `into.size()` bytes; fewer only at the end of the file. May be called from a
  /// second thread while the first writes other parts.
  virtual Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) = 0;
  /// Writes all of `bytes`, or fails.
  virtual Status write_at(std::span<const std::byte> bytes, std::uint64_t offset) = 0;
  /// Shares all blocks of `source` (FICLONE); false where the file systems cannot, nothing written.
  virtual Result<bool> clone_from(File& source) = 0;
  /// Shares the blocks of a part of `source` (FICLONERANGE); offsets and length are multiples of
  /// the block size. false where the file systems cannot, nothing written.
  virtual Result<bool> clone_range(File& source, std::uint64_t source_offset, std::uint64_t offset,
                                   std::uint64_t length) = 0;
  /// Copies inside the kernel (copy_file_range(2)) from `source_offset` to `offset`; returns how
  /// many bytes, 0 at the end of `source`, nullopt where the kernel cannot do it for these files.
  virtual Result<std::optional<std::size_t>> copy_from(File& source, std::uint64_t source_offset,
                                                       std::uint64_t offset,
                                                       std::size_t length) = 0;
  /// The first offset at or after `offset` that holds data, and where that data ends (SEEK_DATA,
  /// SEEK_HOLE); nullopt: only a hole is left.
  struct Extent {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  virtual Result<std::optional<Extent>> next_data(std::uint64_t offset) = 0;
  virtual Status truncate(std::uint64_t size) = 0;
  /// Reserves blocks for `size` bytes, without changing what is read (fallocate(2), KEEP_SIZE). A
  /// file system that cannot reserve is not an error; one that is full is no_space.
  virtual Status reserve(std::uint64_t size) = 0;
  /// Asks the kernel to begin writing a range to the disk. A hint: nothing is durable by it.
  virtual void start_writeback(std::uint64_t offset, std::uint64_t length) = 0;
  virtual Status set_owner(std::uint32_t uid, std::uint32_t gid) = 0;
  virtual Status set_mode(std::uint32_t mode) = 0;
  virtual Status set_times(std::int64_t mtime_ns) = 0;
  /// Where the file system cannot hold a moment, it takes the nearest that it can.
  virtual Status set_both_times(const FileTime& modified, const FileTime& accessed) = 0;
  /// Empty where the file system has none.
  virtual Result<Attributes> attributes() = 0;
  virtual Status set_attribute(const std::string& name, const std::string& value) = 0;
  virtual Status remove_attribute(const std::string& name) = 0;
  /// Bytes, size, owner, mode and attributes are durable on return (fsync(2)). After a failure the
  /// bytes are lost for good, whatever a second call says: never retry on this file.
  virtual Status sync() = 0;
  /// Takes the kernel lock (flock(2)) of this open file; false: somebody else holds it. Released
  /// when the file is closed or the process ends, however it ends.
  virtual Result<bool> try_lock() = 0;
  /// The same for many holders at once, none of which holds it alone.
  virtual Result<bool> try_shared_lock() = 0;
};

/// An open folder.
class Folder {
 public:
  virtual ~Folder() = default;

  /// The path by which it was opened, for messages and for SQLite alone.
  virtual const std::string& path() const = 0;
  virtual Result<FileInfo> info() = 0;
  /// nullopt: there is nothing of that name.
  virtual Result<std::optional<FileInfo>> lookup(const std::string& name) = 0;
  virtual Result<std::vector<std::string>> list() = 0;
  /// The target of a symbolic link.
  virtual Result<std::string> read_link(const std::string& name) = 0;

  /// A regular file for reading; anything else is an error, and nothing is waited for (O_NONBLOCK).
  virtual Result<std::unique_ptr<File>> open_file(const std::string& name) = 0;
  /// A regular file for reading and writing in place.
  virtual Result<std::unique_ptr<File>> open_file_for_update(const std::string& name) = 0;
  /// A new file, exactly `mode` whatever the umask; EEXIST if the name is taken.
  virtual Result<std::unique_ptr<File>> create_file(const std::string& name,
                                                    std::uint32_t mode) = 0;
  virtual Result<std::unique_ptr<Folder>> open_folder(const std::string& name) = 0;
  virtual Result<std::unique_ptr<Folder>> create_folder(const std::string& name,
                                                        std::uint32_t mode) = 0;
  /// A second name, in `target`, for the file `name`; EEXIST if taken. A file system that has no
  /// hard links (or no more of them) says EPERM, EMLINK, EOPNOTSUPP or EXDEV.
  virtual Status link(const std::string& name, Folder& target, const std::string& new_name) = 0;
  /// Within this folder; what `new_name` held is replaced in one step. Two names of one inode:
  /// nothing happens and both stay (rename(2)).
  virtual Status rename(const std::string& name, const std::string& new_name) = 0;
  /// A symbolic link with this target, whatever it leads to; EEXIST if the name is taken.
  virtual Status create_link(const std::string& name, const std::string& target) = 0;

  // Of the folder itself, as for a File.
  virtual Status set_owner(std::uint32_t uid, std::uint32_t gid) = 0;
  virtual Status set_mode(std::uint32_t mode) = 0;
  virtual Status set_both_times(const FileTime& modified, const FileTime& accessed) = 0;
  virtual Result<Attributes> attributes() = 0;
  virtual Status set_attribute(const std::string& name, const std::string& value) = 0;
  // Of what the name stands for, a symbolic link too: that one cannot be opened.
  virtual Status set_owner_of(const std::string& name, std::uint32_t uid, std::uint32_t gid) = 0;
  virtual Status set_times_of(const std::string& name, const FileTime& modified,
                              const FileTime& accessed) = 0;
  virtual Result<Attributes> attributes_of(const std::string& name) = 0;
  virtual Status set_attribute_of(const std::string& name, const std::string& attribute,
                                  const std::string& value) = 0;

  /// Absent is not an error: false.
  virtual Result<bool> unlink(const std::string& name) = 0;
  virtual Result<bool> remove_folder(const std::string& name) = 0;
  virtual Result<Space> space() = 0;
  /// The names in this folder are durable on return.
  virtual Status sync() = 0;
  /// All of the file system that the folder is on is durable on return (syncfs(2)): for many new
  /// files at once, for each of which a sync() of its own would wait for the disk.
  virtual Status sync_all() = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// Opens `path` as it stands, links followed: for `/`, for a --root, for what a person names on
  /// the command line.
  virtual Result<std::unique_ptr<Folder>> open_folder(const std::string& path) = 0;
  /// The same as a root: path() of the folder is `/`, and what is below it is named from there, in
  /// errors too.
  virtual Result<std::unique_ptr<Folder>> open_root(const std::string& path) = 0;
};

}  // namespace update::os
