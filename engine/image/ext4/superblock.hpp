#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

// What an image says of itself, looked at before libext2fs believes it: the library allocates
// whatever a superblock claims.
namespace update::image {

inline constexpr std::size_t kSuperblockOffset = 1024;
inline constexpr std::size_t kSuperblockBytes = 1024;

/// A superblock whose numbers fit each other and the file.
struct Superblock {
  std::uint32_t block_size = 0;
  std::uint64_t blocks = 0;
  std::uint64_t free_blocks = 0;
  std::uint32_t inodes = 0;
  std::uint32_t free_inodes = 0;
  std::uint64_t groups = 0;
  std::array<std::uint8_t, 16> uuid{};
  std::string label;
  std::string unwritable_features;  ///< the names of those that a change would not keep consistent
  std::string unknown_features;     ///< those with which an image can be read all the same
  bool needs_recovery = false;      ///< what the journal holds was not carried out yet
  bool has_orphans = false;         ///< files that were deleted while they were open
  bool not_unmounted = false;       ///< without a journal: it was or is mounted
  bool has_errors = false;          ///< the kernel met damage and said so
};

/// `bytes` are those at kSuperblockOffset; `file_bytes` is the size of the whole file. not_trusted:
/// no ext4, or damaged; failed: a feature that is not known.
Result<Superblock> parse_superblock(std::span<const std::byte, kSuperblockBytes> bytes,
                                    std::uint64_t file_bytes);
/// The same for what `file` begins with.
Result<Superblock> read_superblock(os::File& file);

/// failed: the image is in use or was not cleanly unmounted, so that what is read may be old, and
/// what is written be undone by the journal. Writers also refuse what a reader may overlook, and
/// features whose rules they do not know.
Status check_settled(const Superblock& superblock, bool writes);

}  // namespace update::image
