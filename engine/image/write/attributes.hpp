#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/image/tree.hpp"

namespace update::image {

/// One attribute as the disk names it.
struct StoredAttribute {
  std::uint8_t kind = 0;  ///< of which the name has no prefix
  std::string name;
  std::string value;

  std::size_t entry_bytes() const;
  std::size_t value_bytes() const;
  std::size_t bytes() const { return entry_bytes() + value_bytes(); }
};

/// Does a tree carry attributes of this kind (e_name_index)?
bool is_carried(std::uint8_t kind);

/// The attributes of one entry in the form of the disk. Names that ext4 cannot hold are left out.
struct StoredAttributes {
  std::vector<std::byte> in_inode;  ///< from the magic number on; empty: none
  std::vector<std::byte> block;     ///< a whole block, its checksum not set; empty: none
};

/// Those of the entry and `kept`: as much in the inode as fits into `inode_bytes` (0: nothing
/// does), the others in one block. failed, naming entry and attribute: a value that is too long, an
/// ACL that is none.
Result<StoredAttributes> store_attributes(const Tree& tree, EntryIndex entry,
                                          std::span<const StoredAttribute> kept,
                                          std::size_t inode_bytes, std::size_t block_bytes);

/// The checksum of a block of attributes for its place.
void set_attribute_checksum(std::vector<std::byte>& block, std::uint32_t filesystem_seed,
                            std::uint64_t place);

}  // namespace update::image
