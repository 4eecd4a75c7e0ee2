#include "engine/image/write/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/image/write/attributes.hpp"
#include "engine/image/write/directory_blocks.hpp"
#include "engine/image/write/extent_tree.hpp"
#include "engine/image/write/file_blocks.hpp"
#include "engine/image/write/mkfs.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace update::image {
namespace {

constexpr std::size_t kLinkBytesInInode = 60;
constexpr std::size_t kInodeAttributeBytes = 96;
constexpr std::uint64_t kInodeBytes = 256;
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 44;

/// What is known of a folder when all its names were seen.
struct FolderNames {
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t longest = 0;
};

// Where data meets the metadata of a group it goes on behind it: a few times near the beginning of
// the disk, and at most twice a group of 128 MiB.
std::uint64_t with_tree(std::uint64_t ranges, std::uint64_t blocks) {
  constexpr std::uint64_t kHalfGroup = 16384;
  return blocks + extent_tree_blocks(ranges + 3 + blocks / kHalfGroup, kBlock);
}

std::uint64_t file_blocks(const Tree& tree, const Entry& entry) {
  if (entry.extents == 0) return (entry.content.length + kBlock - 1) / kBlock;
  std::uint64_t blocks = 0;
  const std::vector<BlockRange> ranges = data_blocks(tree, entry, kBlock);
  for (const BlockRange range : ranges) blocks += range.end - range.begin;
  return with_tree(ranges.size(), blocks);
}

std::uint64_t attribute_blocks(const Tree& tree, EntryIndex index) {
  if (tree.entries[index].attributes == 0) return 0;
  const auto stored = store_attributes(tree, index, {}, kInodeAttributeBytes, kBlock);
  return stored && stored->block.empty() ? 0 : 1;
}

}  // namespace

Needed needed_for(const Tree& tree) {
  Needed needed;
  std::vector<FolderNames> folders(tree.entries.size());
  for (EntryIndex index = 0; index < tree.entries.size(); ++index) {
    const Entry& entry = tree.entries[index];
    if (entry.parent != kNoEntry) {
      FolderNames& folder = folders[entry.parent];
      ++folder.count;
      folder.bytes += (entry.name.length + 3U) & ~3U;
      folder.longest = std::max<std::uint64_t>(folder.longest, entry.name.length);
    }
    if (entry.link_to != kNoEntry) continue;
    if (entry.parent != kNoEntry) ++needed.inodes;
    needed.blocks += attribute_blocks(tree, index);
    if (entry.type == EntryType::regular) needed.blocks += file_blocks(tree, entry);
    if (entry.type == EntryType::symbolic_link && entry.content.length >= kLinkBytesInInode) {
      ++needed.blocks;
    }
  }
  constexpr FolderNames kItsOwn{1, 12, 10};  // lost+found
  for (EntryIndex index = 0; index < tree.entries.size(); ++index) {
    if (tree.entries[index].type != EntryType::folder) continue;
    FolderNames& folder = folders[index];
    if (index == 0) {
      folder.count += kItsOwn.count;
      folder.bytes += kItsOwn.bytes;
      folder.longest = std::max(folder.longest, kItsOwn.longest);
    }
    needed.blocks +=
        with_tree(1, most_directory_blocks(folder.count, folder.bytes, folder.longest));
  }
  return needed;
}

std::uint64_t inodes_to_make(const Needed& needed, const Geometry& geometry) {
  const std::uint64_t inodes = needed.inodes + EXT2_GOOD_OLD_FIRST_INO;
  if (inodes <= geometry.bytes / kBytesPerInode) return 0;
  return inodes + inodes / 4;  // the guest wants some, too
}

Status check_room(const Needed& needed, const Geometry& geometry, ext2_filsys fs) {
  const std::uint64_t blocks = ext2fs_free_blocks_count(fs->super);
  const std::uint64_t inodes = fs->super->s_free_inodes_count;
  const std::string image = "an image of " + std::to_string(geometry.bytes) + " bytes ";
  if (needed.blocks > blocks) {
    return fail(ErrorCode::no_space, image + "has room for " + std::to_string(blocks * kBlock) +
                                         " bytes of contents, and " +
                                         std::to_string(needed.blocks * kBlock) + " are needed");
  }
  if (needed.inodes > inodes) {
    return fail(ErrorCode::no_space, image + "has " + std::to_string(inodes) + " inodes, and " +
                                         std::to_string(needed.inodes) + " are needed");
  }
  return {};
}

namespace {

/// In memory alone.
Status try_fit(const Needed& needed, const Geometry& geometry) {
  UPDATE_TRY_ASSIGN(const Filsys fs, make_file_system(nullptr, geometry, Identity{},
                                                      inodes_to_make(needed, geometry)));
  return check_room(needed, geometry, fs.get());
}

}  // namespace

std::uint64_t size_for(const Needed& needed, std::uint64_t at_least_bytes,
                       std::uint64_t step_bytes) {
  const std::uint64_t step = std::max(step_bytes, kBlock);
  std::uint64_t bytes =
      std::max(at_least_bytes, needed.blocks * kBlock + needed.inodes * kInodeBytes);
  bytes = (bytes + step - 1) / step * step;
  while (bytes < kMostBytes &&
         !try_fit(needed, {.bytes = bytes, .grow_to_bytes = 0, .label = {}})) {
    bytes += step;
  }
  return bytes;
}

Status check_fits(const Needed& needed, const Geometry& geometry) {
  Status fits = try_fit(needed, geometry);
  if (fits || fits.error().code() != ErrorCode::no_space) return fits;
  constexpr std::uint64_t kStep = 64U << 20;
  return fail(std::move(fits).error().hint(
      "it fits into " + format_size(size_for(needed, geometry.bytes, kStep)) + "."));
}

}  // namespace update::image
