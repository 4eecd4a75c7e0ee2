#pragma once

#include <ext2fs/ext2fs.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace update::image {

// What we build for the disk ourselves is laid out as the machine has it in memory.
static_assert(std::endian::native == std::endian::little, "ext4 is little-endian");

/// Continues a checksum of metadata_csum over `bytes`.
inline std::uint32_t checksum(std::uint32_t seed, std::span<const std::byte> bytes) {
  return ext2fs_crc32c_le(seed, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

template <class T>
std::uint32_t checksum_of(std::uint32_t seed, const T& value) {
  return checksum(seed, std::as_bytes(std::span(&value, 1)));
}

/// Where the checksums of all blocks of one inode begin: a block of another one never passes.
inline std::uint32_t inode_seed(ext2_filsys fs, ext2_ino_t inode, std::uint32_t generation) {
  return checksum_of(checksum_of(fs->csum_seed, inode), generation);
}

inline bool has_checksums(ext2_filsys fs) {
  return ext2fs_has_feature_metadata_csum(fs->super) != 0;
}

}  // namespace update::image
