#pragma once

#include <sys/types.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace update::crash {

using InodeId = std::size_t;

/// A file or a folder, apart from its names: a hard link is one inode with two of them.
struct Inode {
  mode_t mode = 0;  ///< with its type
  uid_t owner = 0;
  gid_t group = 0;
  std::string bytes;                     ///< of a file
  std::map<std::string, InodeId> names;  ///< of a folder
};

/// What is on a disk. An inode that no name leads to is there, and is nowhere laid out.
struct Disk {
  std::vector<Inode> inodes;  ///< the first is the root folder
};

inline constexpr InodeId kRoot = 0;

/// The inode at a path below the root ("" is the root itself).
std::optional<InodeId> find(const Disk& disk, const std::string& path);

/// Reads `folders` of the real folder `root`. A `-shm` is left out: it is memory that has a name
/// (sqlite.org/walformat.html, "The WAL-Index File Format"), and is void after a power cut.
Disk read_disk(const std::string& root, const std::vector<std::string>& folders);
bool is_volatile(const std::string& name);

/// Makes `folders` of the real folder `root` what the disk holds. Throws if it cannot: a state that
/// was not laid out whole proves nothing.
void lay_out(const Disk& disk, const std::string& root, const std::vector<std::string>& folders);

/// One line a name: path, mode, owner, which other name is the same inode, and the bytes.
std::map<std::string, std::string> describe(const Disk& disk);

}  // namespace update::crash
