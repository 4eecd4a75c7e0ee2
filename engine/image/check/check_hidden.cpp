#include <algorithm>
#include <cstring>

#include "engine/image/check/check_state.hpp"

namespace update::image {
namespace {

constexpr std::size_t kMountMagicBytes = sizeof(mmp_struct);
// Each part of a list of blocks names one of them.
constexpr std::size_t kListEntry = sizeof(std::uint32_t);

std::uint32_t list_entry(std::string_view block, std::size_t at) {
  std::uint32_t entry = 0;
  std::memcpy(&entry, block.data() + at * kListEntry, sizeof(entry));
  return entry;
}

// The list of the list of the blocks that are kept free behind the descriptors, in the first group
// and in those with a backup of it.
class ResizeCheck {
 public:
  explicit ResizeCheck(ext2_filsys fs) : fs_(fs), list_(fs->blocksize, '\0'), backups_(list_) {}

  bool is_sound(const ext2_inode_large& inode) {
    if (ext2fs_has_feature_resize_inode(fs_->super) == 0) {
      return std::all_of(std::begin(inode.i_block), std::end(inode.i_block),
                         [](std::uint32_t block) { return block == 0; });
    }
    for (std::size_t at = 0; at < EXT2_N_BLOCKS; ++at) {
      if ((inode.i_block[at] != 0) != (at == EXT2_DIND_BLOCK)) return false;
    }
    if (inode.i_links_count == 0 || (inode.i_mode & LINUX_S_IFREG) == 0 ||
        !read(inode.i_block[EXT2_DIND_BLOCK], list_)) {
      return false;
    }
    const std::size_t fan = fs_->blocksize / kListEntry;
    std::uint64_t block = fs_->super->s_first_data_block + 1U + fs_->desc_blocks;
    // Of the blocks of 1 KiB that the clusters of bigalloc have, the superblock has the second.
    if (fs_->blocksize == 1024 && fs_->super->s_first_data_block == 0) ++block;
    // Of all of them e2fsck looks at a quarter.
    for (std::size_t at = 0; at < fs_->super->s_reserved_gdt_blocks / 4U; ++at, ++block) {
      if (list_entry(list_, (fs_->desc_blocks + at) % fan) != block || !names_backups(block)) {
        return false;
      }
    }
    return true;
  }

 private:
  bool read(std::uint64_t block, std::string& into) {
    return block >= fs_->super->s_first_data_block && block < ext2fs_blocks_count(fs_->super) &&
           io_channel_read_blk64(fs_->io, block, 1, into.data()) == 0;
  }

  bool names_backups(std::uint64_t block) {
    if (!read(block, backups_)) return false;
    std::size_t at = 0;
    for (dgrp_t group = 1; group < fs_->group_desc_count; ++group) {
      if (ext2fs_bg_has_super(fs_, group) == 0) continue;
      const std::uint64_t backup = block + std::uint64_t{group} * EXT2_BLOCKS_PER_GROUP(fs_->super);
      if (at >= fs_->blocksize / kListEntry || list_entry(backups_, at) != backup) return false;
      ++at;
    }
    return true;
  }

  ext2_filsys fs_;
  std::string list_;
  std::string backups_;
};

void check_resize_inode(CheckState& state) {
  const auto inode = DiskInode::read(state.fs, EXT2_RESIZE_INO);
  if (!inode) return;  // its checksum is wrong, which was told
  if (ResizeCheck(state.fs).is_sound(inode->raw())) return;
  state.found(EXT2_RESIZE_INO, "has damaged lists of the space for more descriptors");
}

// The number of an inode in it is that of a file that was deleted while it was open: of those the
// superblock tells, and then the image was not taken away cleanly.
void check_orphan_file(CheckState& state) {
  ext2_filsys fs = state.fs;
  if (ext2fs_has_feature_orphan_file(fs->super) == 0) return;
  const ext2_ino_t number = fs->super->s_orphan_file_inum;
  const auto wrong = [&] { state.found(number, "is a damaged file of orphans"); };
  const auto inode = DiskInode::read(fs, number);
  if (!inode) return wrong();
  BlockMap map;
  if (!state.mapper.map(*inode, map)) return;  // told already
  std::string block(fs->blocksize, '\0');
  std::string clean(fs->blocksize, '\0');
  ext4_orphan_block_tail tail{EXT4_ORPHAN_BLOCK_MAGIC, 0};
  const std::size_t tail_at = clean.size() - sizeof(tail);
  std::memcpy(clean.data() + tail_at, &tail, sizeof(tail));
  std::uint64_t logical = 0;
  for (const BlockRun& run : map.runs) {
    if (run.logical != logical) return wrong();
    for (std::uint64_t done = 0; done < run.length; ++done, ++logical) {
      const std::uint64_t physical = run.physical + done;
      if (io_channel_read_blk64(fs->io, physical, 1, block.data()) != 0) return wrong();
      if (ext2fs_has_feature_metadata_csum(fs->super) != 0) {
        tail.ob_checksum = ext2fs_do_orphan_file_block_csum(fs, number, inode->raw().i_generation,
                                                            physical, clean.data());
        std::memcpy(clean.data() + tail_at, &tail, sizeof(tail));
      }
      if (block != clean) return state.found(number, "is a file of orphans that is not empty");
    }
  }
  if (!LINUX_S_ISREG(inode->raw().i_mode) || inode->size() != logical * fs->blocksize) wrong();
}

void check_mount_block(CheckState& state) {
  ext2_filsys fs = state.fs;
  if (ext2fs_has_feature_mmp(fs->super) == 0) return;
  std::string block(fs->blocksize, '\0');
  if (io_channel_read_blk64(fs->io, fs->super->s_mmp_block, 1, block.data()) != 0) return;
  mmp_struct mount;
  std::memcpy(&mount, block.data(), kMountMagicBytes);
  if (mount.mmp_magic != EXT4_MMP_MAGIC || ext2fs_mmp_csum_verify(fs, &mount) == 0) {
    state.findings.add("the image's block against double mounts is damaged");
  }
}

}  // namespace

void check_hidden(CheckState& state) {
  check_resize_inode(state);
  check_orphan_file(state);
  check_mount_block(state);
}

}  // namespace update::image
