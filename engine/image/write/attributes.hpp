#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/image/tree.hpp"

namespace update::image {

/// The attributes of one entry in the form of the disk. Names that ext4 cannot hold are left out.
struct StoredAttributes {
  std::vector<std::byte> in_inode;  ///< from the magic number on; empty: none
  std::vector<std::byte> block;     ///< a whole block, its checksum not set; empty: none
};

/// As many in the inode as fit into `inode_bytes` (0: none do), the others in one block. failed,
/// naming entry and attribute: a value that is too long, an ACL that is none.
Result<StoredAttributes> store_attributes(const Tree& tree, EntryIndex entry,
                                          std::size_t inode_bytes, std::size_t block_bytes);

/// The checksum of a block of attributes for its place.
void set_attribute_checksum(std::vector<std::byte>& block, std::uint32_t filesystem_seed,
                            std::uint64_t place);

}  // namespace update::image
