#include "engine/image/check/check_state.hpp"
#include "engine/image/ext4/checksum.hpp"

#include <algorithm>
#include <cstring>

namespace update::image {
namespace {

// The journal's superblock, its numbers with the highest byte first (the kernel's linux/jbd2.h).
constexpr std::uint32_t kJournalMagic = 0xC03B3998;
constexpr std::uint32_t kVersion1 = 3;
constexpr std::uint32_t kVersion2 = 4;
constexpr std::uint32_t kLeastBlocks = 1024;
constexpr std::size_t kVersionAt = 0x04;
constexpr std::size_t kBlockSizeAt = 0x0C;
constexpr std::size_t kLengthAt = 0x10;
constexpr std::size_t kStartAt = 0x1C;
constexpr std::size_t kErrorAt = 0x20;
constexpr std::size_t kCompatibleAt = 0x24;
constexpr std::size_t kIncompatibleAt = 0x28;
constexpr std::size_t kReadOnlyAt = 0x2C;
constexpr std::size_t kUsersAt = 0x40;
constexpr std::size_t kChecksumTypeAt = 0x50;  // of one byte
constexpr std::size_t kFastBlocksAt = 0x54;
constexpr std::size_t kChecksumAt = 0xFC;
constexpr std::size_t kSuperblockEnd = 1024;

constexpr std::uint32_t kOldChecksums = 0x01;  // compatible; all others are not
constexpr std::uint32_t kChecksums2 = 0x08;
constexpr std::uint32_t kChecksums3 = 0x10;
constexpr std::uint32_t kFastCommit = 0x20;
constexpr std::uint32_t kKnownJournal = 0x3F;
constexpr std::uint8_t kCrc32c = 4;
constexpr std::uint32_t kFastBlocks = 256;  // unless it says another number

class JournalBlock {
 public:
  explicit JournalBlock(std::string block) : block_(std::move(block)) {}

  bool is_sound(std::uint32_t block_size, std::uint64_t blocks) const {
    return field(0) == kJournalMagic && is_known_version() && has_known_features() &&
           field(kBlockSizeAt) == block_size && field(kLengthAt) <= blocks &&
           has_room_beside_fast_commits() && has_right_checksum();
  }
  bool has_transactions() const { return field(kStartAt) != 0; }
  bool has_error() const { return field(kErrorAt) != 0; }

 private:
  std::uint32_t field(std::size_t at) const {
    std::uint32_t value = 0;
    std::memcpy(&value, block_.data() + at, sizeof(value));
    return ext2fs_be32_to_cpu(value);
  }
  bool has_incompatible(std::uint32_t features) const {
    return (field(kIncompatibleAt) & features) != 0;
  }

  bool is_known_version() const {
    if (field(kVersionAt) == kVersion2) return field(kUsersAt) <= 1;
    return field(kVersionAt) == kVersion1 && (field(kCompatibleAt) | field(kIncompatibleAt) |
                                              field(kReadOnlyAt) | field(kUsersAt)) == 0;
  }
  // Of the three kinds of checksums there is one.
  bool has_known_features() const {
    const int kinds = (field(kCompatibleAt) & kOldChecksums ? 1 : 0) +
                      (has_incompatible(kChecksums2) ? 1 : 0) +
                      (has_incompatible(kChecksums3) ? 1 : 0);
    return !has_incompatible(~kKnownJournal) && field(kReadOnlyAt) == 0 && kinds <= 1;
  }
  bool has_room_beside_fast_commits() const {
    if (!has_incompatible(kFastCommit)) return true;
    const std::uint32_t fast = field(kFastBlocksAt) != 0 ? field(kFastBlocksAt) : kFastBlocks;
    return field(kLengthAt) >= fast && field(kLengthAt) - fast >= kLeastBlocks;
  }
  bool has_right_checksum() const {
    if (!has_incompatible(kChecksums2 | kChecksums3)) return true;
    if (static_cast<std::uint8_t>(block_[kChecksumTypeAt]) != kCrc32c) return false;
    std::string summed = block_.substr(0, kSuperblockEnd);
    std::fill_n(summed.begin() + kChecksumAt, sizeof(std::uint32_t), '\0');
    return checksum(UINT32_MAX, std::as_bytes(std::span(summed))) == field(kChecksumAt);
  }

  std::string block_;
};

/// How many blocks there are before the first hole.
std::uint64_t blocks_from_first(const BlockMap& map) {
  std::uint64_t end = 0;
  for (const BlockRun& run : map.runs) {
    if (run.logical != end) break;
    end += run.length;
  }
  return end;
}

}  // namespace

void check_journal(CheckState& state) {
  ext2_filsys fs = state.fs;
  if (ext2fs_has_feature_journal(fs->super) == 0) return;
  const ext2_ino_t number = fs->super->s_journal_inum;
  if (names_other_journal(*fs->super) || number == 0 || number > fs->super->s_inodes_count) {
    return state.findings.add("the image has no journal of its own, though it says that it has");
  }
  const auto inode = DiskInode::read(fs, number);
  if (!inode) return state.findings.add(inode.error().message());
  BlockMap map;
  if (!state.mapper.map(*inode, map)) return;  // told already
  const std::uint64_t blocks = inode->size() / fs->blocksize;
  std::string block(fs->blocksize, '\0');
  if (!LINUX_S_ISREG(inode->raw().i_mode) || inode->raw().i_links_count == 0 ||
      inode->has_flag(EXT4_ENCRYPT_FL) || blocks < kLeastBlocks ||
      blocks_from_first(map) * fs->blocksize < inode->size() ||
      io_channel_read_blk64(fs->io, map.runs[0].physical, 1, block.data()) != 0) {
    return state.found(number, "should be the journal, but is none");
  }
  const JournalBlock journal(std::move(block));
  if (!journal.is_sound(fs->blocksize, blocks)) {
    return state.found(number, "has a damaged journal in it");
  }
  if (journal.has_transactions()) {
    state.findings.add("the journal needs recovery, though the superblock says that it does not");
  }
  // The next mount would carry it into the superblock.
  if (journal.has_error()) state.findings.add("the journal was marked as damaged by the kernel");
}

}  // namespace update::image
