#include <cstring>

#include "engine/image/check/check_state.hpp"

namespace update::image {
namespace {

// The journal's superblock, its numbers with the highest byte first (the kernel's linux/jbd2.h).
constexpr std::uint32_t kJournalMagic = 0xC03B3998;
constexpr std::uint32_t kVersion1 = 3;
constexpr std::uint32_t kVersion2 = 4;
constexpr std::uint32_t kMostUsers = 48;
constexpr std::size_t kVersionAt = 0x04;
constexpr std::size_t kBlockSizeAt = 0x0C;
constexpr std::size_t kLengthAt = 0x10;
constexpr std::size_t kStartAt = 0x1C;
constexpr std::size_t kFeaturesAt = 0x24;  // three numbers
constexpr std::size_t kUsersAt = 0x40;
constexpr std::size_t kMountMagicBytes = sizeof(mmp_struct);

void check_journal_block(CheckState& state, ext2_ino_t number, std::string_view block,
                         std::uint64_t blocks) {
  const auto field = [&](std::size_t at) {
    std::uint32_t value = 0;
    std::memcpy(&value, block.data() + at, sizeof(value));
    return ext2fs_be32_to_cpu(value);
  };
  const std::uint32_t version = field(kVersionAt);
  const bool later_fields =
      (field(kFeaturesAt) | field(kFeaturesAt + 4) | field(kFeaturesAt + 8) | field(kUsersAt)) != 0;
  if (field(0) != kJournalMagic || (version != kVersion1 && version != kVersion2) ||
      (version == kVersion1 && later_fields) || field(kUsersAt) > kMostUsers ||
      field(kBlockSizeAt) != state.fs->blocksize || field(kLengthAt) > blocks) {
    return state.found(number, "has a damaged journal in it");
  }
  if (field(kStartAt) != 0) {
    state.findings.add("the journal needs recovery, though the superblock says that it does not");
  }
}

void check_journal(CheckState& state) {
  ext2_filsys fs = state.fs;
  const ext2_ino_t number = fs->super->s_journal_inum;
  if (ext2fs_has_feature_journal(fs->super) == 0 || number == 0) return;
  const auto inode = DiskInode::read(fs, number);
  if (!inode) return state.findings.add(inode.error().message());
  BlockMap map;
  if (!state.mapper.map(*inode, map)) return;  // told already
  std::string block(fs->blocksize, '\0');
  if (!LINUX_S_ISREG(inode->raw().i_mode) || inode->raw().i_links_count == 0 || map.runs.empty() ||
      map.runs[0].logical != 0 ||
      io_channel_read_blk64(fs->io, map.runs[0].physical, 1, block.data()) != 0) {
    return state.found(number, "should be the journal, but is none");
  }
  check_journal_block(state, number, block, map.blocks);
}

void check_quota_files(CheckState& state) {
  const ext2_super_block& super = *state.fs->super;
  if (ext2fs_has_feature_quota(state.fs->super) == 0) return;
  for (const ext2_ino_t number :
       {super.s_usr_quota_inum, super.s_grp_quota_inum, super.s_prj_quota_inum}) {
    if (number == 0) continue;
    if (number > state.fs->super->s_inodes_count || state.facts(number).use != InodeUse::file) {
      state.found(number, "should be a file of quotas, but is none");
    }
  }
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
  check_journal(state);
  check_quota_files(state);
  check_mount_block(state);
}

}  // namespace update::image
