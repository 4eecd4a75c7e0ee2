#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/image/read/disk_inode.hpp"

// Extended attributes as an image has them.
namespace update::image {

/// One of them, its name without the prefix that `kind` stands for. Valid until the next read.
struct DiskAttribute {
  std::uint8_t kind = 0;
  std::string_view name;
  std::string_view value;
  std::uint32_t hash = 0;
  std::uint32_t value_inode = 0;  ///< where the value has an inode of its own
  bool in_block = false;          ///< not in the inode
  bool is_outside = false;        ///< an empty value that is said to lie outside of its place
};

/// Reads those of one inode after the other.
class DiskAttributes {
 public:
  DiskAttributes(ext2_filsys fs, BlockMapper& mapper) : fs_(fs), mapper_(mapper) {}

  /// not_trusted: an entry or a value outside of its place, a wrong checksum.
  Status read(const DiskInode& inode);
  const std::vector<DiskAttribute>& all() const { return all_; }
  /// What a small file or folder keeps with its attributes, after the first bytes in the inode.
  std::optional<std::string_view> inline_data() const;

 private:
  Status read_entries(ext2_ino_t number, std::string_view area, std::size_t first,
                      std::size_t values);
  Result<std::string_view> value_from_inode(ext2_ino_t owner, ext2_ino_t number,
                                            std::uint32_t size);

  ext2_filsys fs_;
  BlockMapper& mapper_;
  std::vector<DiskAttribute> all_;
  std::string block_;
  std::string body_;
  std::deque<std::string> far_values_;
};

/// The name with its prefix, as the kernel gives it; nullopt: the kernel shows no such.
std::optional<std::string> full_attribute_name(std::uint8_t kind, std::string_view name);
bool is_acl(std::uint8_t kind);
bool is_inline_data(std::uint8_t kind, std::string_view name);

/// A POSIX ACL of the disk (version 1) in the form of getxattr(2) (version 2). nullopt: not one.
std::optional<std::string> acl_from_disk(std::string_view value);

}  // namespace update::image
