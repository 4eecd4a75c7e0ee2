#include "engine/image/check/check_state.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace update::image {
namespace {

// The kernel's fs/quota/quota_tree.h and quotaio_v2.h: blocks of 1 KiB, of which the first has the
// head, and the second is the root of a tree of four levels.
constexpr std::size_t kQuotaBlock = 1024;
constexpr std::uint32_t kTreeRoot = 1;
constexpr int kTreeLevels = 4;
constexpr std::uint64_t kMostFileBytes = std::uint64_t{1} << 31;
constexpr std::uint32_t kMagics[] = {0xD9C01F11, 0xD9C01927, 0xD9C03F14};
constexpr std::uint32_t kNewestVersion = 1;
constexpr std::size_t kBlocksAt = 20;
constexpr std::size_t kFreeBlockAt = 24;
constexpr std::size_t kFreeEntryAt = 28;
constexpr std::size_t kEntriesAt = 16;

/// How an entry lies in the file, by the version that its head tells.
struct EntryFormat {
  std::size_t bytes;
  std::size_t inodes_at;
  std::size_t inodes_bytes;
  std::size_t space_at;
};
constexpr EntryFormat kFormats[] = {{48, 12, 4, 24}, {72, 24, 8, 48}};

template <class Number>
Number quota_number(std::string_view bytes, std::size_t at) {
  Number number{};
  std::memcpy(&number, bytes.data() + at, sizeof(number));
  return number;
}

class QuotaCheck {
 public:
  QuotaCheck(CheckState& state, QuotaKind kind, ext2_ino_t number)
      : state_(state), kind_(kind), number_(number), block_(state.fs->blocksize, '\0') {}

  void run() {
    const auto inode = DiskInode::read(state_.fs, number_);
    if (!inode) return;  // its checksum is wrong, which was told
    if (!state_.mapper.map(*inode, map_)) return;
    if (!read_head(inode->size()) || !tree(kTreeRoot, 1)) return wrong();
    const auto& owners = state_.quotas.of(kind_);
    const bool complete = std::all_of(owners.begin(), owners.end(), [&](const auto& owner) {
      return seen_.contains(owner.first);
    });
    if (!complete || differs_) {
      state_.found(number_, "is a file of quotas with another use of space than there is");
    }
  }

 private:
  void wrong() { state_.found(number_, "is a damaged file of quotas"); }

  // Where the file has a hole or ends, it has zeros.
  std::string read(std::uint32_t number) {
    const std::uint64_t offset = std::uint64_t{number} * kQuotaBlock;
    const std::uint64_t logical = offset / state_.fs->blocksize;
    const auto behind = std::upper_bound(
        map_.runs.begin(), map_.runs.end(), logical,
        [](std::uint64_t wanted, const BlockRun& run) { return wanted < run.logical; });
    if (behind == map_.runs.begin()) return std::string(kQuotaBlock, '\0');
    const BlockRun& run = *std::prev(behind);
    if (logical - run.logical >= run.length || !run.written ||
        io_channel_read_blk64(state_.fs->io, run.physical + (logical - run.logical), 1,
                              block_.data()) != 0) {
      return std::string(kQuotaBlock, '\0');
    }
    return block_.substr(offset % state_.fs->blocksize, kQuotaBlock);
  }

  bool read_head(std::uint64_t file_bytes) {
    const std::string head = read(0);
    const auto version = quota_number<std::uint32_t>(head, 4);
    if (quota_number<std::uint32_t>(head, 0) != kMagics[static_cast<std::size_t>(kind_)] ||
        version > kNewestVersion || file_bytes > kMostFileBytes) {
      return false;
    }
    format_ = &kFormats[version];
    blocks_ = quota_number<std::uint32_t>(head, kBlocksAt);
    return blocks_ <= (file_bytes + kQuotaBlock - 1) / kQuotaBlock &&
           quota_number<std::uint32_t>(head, kFreeBlockAt) < blocks_ &&
           quota_number<std::uint32_t>(head, kFreeEntryAt) < blocks_;
  }

  // A block of entries has many places in the tree, one for each entry.
  bool tree(std::uint32_t number, int level) {
    if (!visited_.insert(number).second) return false;
    const std::string node = read(number);
    for (std::size_t at = 0; at < kQuotaBlock; at += sizeof(std::uint32_t)) {
      const auto below = quota_number<std::uint32_t>(node, at);
      if (below >= blocks_ && below != 0) return false;
      if (below == 0) continue;
      if (level < kTreeLevels) {
        if (!tree(below, level + 1)) return false;
      } else if (visited_.insert(below).second) {
        entries(below);
      }
    }
    return true;
  }

  void entries(std::uint32_t number) {
    const std::string block = read(number);
    for (std::size_t at = kEntriesAt; at + format_->bytes <= kQuotaBlock; at += format_->bytes) {
      const std::string_view entry = std::string_view(block).substr(at, format_->bytes);
      if (entry.find_first_not_of('\0') == std::string_view::npos) continue;
      const auto owner = quota_number<std::uint32_t>(entry, 0);
      seen_.insert(owner);
      const QuotaUse said{quota_number<std::uint64_t>(entry, format_->space_at),
                          format_->inodes_bytes == sizeof(std::uint64_t)
                              ? quota_number<std::uint64_t>(entry, format_->inodes_at)
                              : quota_number<std::uint32_t>(entry, format_->inodes_at)};
      const auto& owners = state_.quotas.of(kind_);
      const auto found = owners.find(owner);
      if (said != (found == owners.end() ? QuotaUse{} : found->second)) differs_ = true;
    }
  }

  CheckState& state_;
  QuotaKind kind_;
  ext2_ino_t number_;
  std::string block_;
  BlockMap map_;
  const EntryFormat* format_ = nullptr;
  std::uint32_t blocks_ = 0;
  std::unordered_set<std::uint32_t> visited_;
  std::unordered_set<std::uint32_t> seen_;
  bool differs_ = false;
};

}  // namespace

bool is_quota_file(const ext2_super_block& super, ext2_ino_t number) {
  return number == super.s_usr_quota_inum || number == super.s_grp_quota_inum ||
         number == super.s_prj_quota_inum;
}

void check_quotas(CheckState& state) {
  const ext2_super_block& super = *state.fs->super;
  if (ext2fs_has_feature_quota(state.fs->super) == 0) return;
  const std::pair<QuotaKind, ext2_ino_t> files[] = {{QuotaKind::user, super.s_usr_quota_inum},
                                                    {QuotaKind::group, super.s_grp_quota_inum},
                                                    {QuotaKind::project, super.s_prj_quota_inum}};
  for (const auto& [kind, number] : files) {
    if (number == 0) continue;
    const bool is_file =
        number <= super.s_inodes_count && state.facts(number).use == InodeUse::file;
    if (is_file) {
      QuotaCheck(state, kind, number).run();
    } else {
      state.found(number, "should be a file of quotas, but is none");
    }
  }
}

}  // namespace update::image
