#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace update::crash {

/// A small file system of its own on a loop mount, seen by this process and its children only, that
/// can be filled until not one byte goes any more.
class SmallDisk {
 public:
  /// Mounts a new file system at `path`; mounted() tells whether this machine can. `kind`: ext4,
  /// ext4_1k (blocks of 1 KiB), ext4_small (24 MiB), xfs, btrfs (fill() takes the data, metadata is
  /// left) or btrfs_metadata (it takes both).
  /// `inodes`: how many ext4 gets, 0 for its own choice.
  SmallDisk(std::string kind, std::string path, unsigned inodes = 0);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  bool mounted() const { return mounted_; }
  const std::string& kind() const { return kind_; }
  const std::string& path() const { return path_; }

  /// Takes every byte, those that statvfs(3) does not tell of too, and shows it: a file of one byte
  /// is refused.
  void fill();
  /// Takes every inode, and leaves the bytes.
  void fill_inodes();
  /// Gives back a part of what fill() took: data, and of metadata as many bytes where it took some.
  void give_back(std::size_t bytes);
  void give_all_back();
  bool remount_read_only() const;

  static constexpr std::size_t kStepBytes = std::size_t{64} << 10U;
  static constexpr std::size_t kSpareBytes = std::size_t{8} << 20U;

 private:
  std::string filler(const std::string& name) const { return path_ + "/filler/" + name; }
  std::string next_name();
  std::size_t take_blocks();
  std::size_t take_last_bytes();
  std::size_t take_links();
  std::size_t take_names();
  void expect_no_byte_goes();

  std::string kind_;
  std::string path_;
  bool mounted_ = false;
  std::size_t names_ = 0;
  std::size_t links_ = 0;
  std::size_t steps_left_ = 0;
};

/// "xfs" of "xfs", "btrfs" of "btrfs_metadata".
std::string type_of(const std::string& kind);

}  // namespace update::crash
