#include "engine/image/check/check_state.hpp"

#include <algorithm>
#include <bit>

namespace update::image {
namespace {

// The size that the fields of an inode are to have beyond the first 128 bytes; 0: none is asked
// for.
bool is_extra_size(std::uint16_t size, std::size_t inode_bytes) {
  constexpr std::size_t kLeast =
      sizeof(ext2_inode_large::i_extra_isize) + sizeof(ext2_inode_large::i_checksum_hi);
  return size == 0 ||
         (size >= kLeast && size <= inode_bytes - EXT2_GOOD_OLD_INODE_SIZE && size % 4 == 0);
}

void check_resizing(CheckState& state) {
  ext2_super_block* const super = state.fs->super;
  const bool resizes = ext2fs_has_feature_resize_inode(super) != 0;
  if (!resizes && super->s_reserved_gdt_blocks != 0) {
    state.findings.add("the image has space for more descriptors, which it says it has not");
  }
  if (resizes && ext2fs_has_feature_meta_bg(super) != 0) {
    state.findings.add("the image has two places for more descriptors");
  }
}

bool is_descriptor_size(std::uint16_t size) {
  return size == 0 || (std::has_single_bit(size) && size <= EXT2_MAX_DESC_SIZE);
}

}  // namespace

bool names_other_journal(const ext2_super_block& super) {
  return super.s_journal_dev != 0 ||
         std::any_of(std::begin(super.s_journal_uuid), std::end(super.s_journal_uuid),
                     [](std::uint8_t byte) { return byte != 0; });
}

void check_superblock(CheckState& state) {
  ext2_super_block* const super = state.fs->super;
  if (ext2fs_has_feature_journal(super) == 0 &&
      (super->s_journal_inum != 0 || names_other_journal(*super))) {
    state.findings.add("the image has a journal, which it says it has not");
  }
  if (ext2fs_has_feature_orphan_file(super) == 0 && super->s_orphan_file_inum != 0) {
    state.findings.add("the image has a file of orphans, which it says it has not");
  }
  if (ext2fs_r_blocks_count(super) > ext2fs_blocks_count(super) / 2) {
    state.findings.add("the image reserves more than half of its blocks");
  }
  const auto inode_bytes = static_cast<std::size_t>(EXT2_INODE_SIZE(super));
  if (inode_bytes > EXT2_GOOD_OLD_INODE_SIZE &&
      (!is_extra_size(super->s_min_extra_isize, inode_bytes) ||
       !is_extra_size(super->s_want_extra_isize, inode_bytes))) {
    state.findings.add("the image asks for an illegal size of its inodes' extra fields");
  }
  // Without 64bit the field means nothing, but e2fsck gives up on it.
  if (!is_descriptor_size(super->s_desc_size)) {
    state.findings.add("the image has an illegal size of its groups' descriptors");
  }
  check_resizing(state);
}

}  // namespace update::image
