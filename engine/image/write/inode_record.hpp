#pragma once

#include <ext2fs/ext2fs.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "engine/image/tree.hpp"
#include "engine/image/write/attributes.hpp"

namespace update::image {

struct OwnerRule;

/// An inode on its way to the disk, with all the bytes that the file system gives it.
class InodeRecord {
 public:
  explicit InodeRecord(ext2_filsys fs);
  /// The inode as it is now.
  static Result<InodeRecord> read(ext2_filsys fs, ext2_ino_t number);

  ext2_inode_large& fields() { return *reinterpret_cast<ext2_inode_large*>(bytes_.data()); }
  ext2_inode* small() { return reinterpret_cast<ext2_inode*>(bytes_.data()); }
  std::span<std::byte> block_map() { return std::as_writable_bytes(std::span(fields().i_block)); }
  std::uint32_t generation() { return fields().i_generation; }

  /// Mode, owner and times of `entry`.
  void describe(const Entry& entry, OwnerRule owners);
  void set_size(std::uint64_t size);
  void set_links(std::uint32_t links);
  void add_blocks(std::uint64_t blocks);
  /// How many bytes there are for attributes.
  std::size_t attribute_room();
  void clear_attributes();
  void set_attributes(const std::vector<std::byte>& area);
  void set_attribute_block(blk64_t block);
  /// Puts it into the inode table with its checksum.
  Status write(ext2_ino_t number);

 private:
  /// Is it within the part that the inode says it has?
  bool has_field(const std::uint32_t& field);
  /// `extra`: two bits more of the seconds, and the nanoseconds.
  void set_time(const Time& time, std::uint32_t& seconds, std::uint32_t& extra);

  ext2_filsys fs_;
  std::vector<std::byte> bytes_;
};

}  // namespace update::image
