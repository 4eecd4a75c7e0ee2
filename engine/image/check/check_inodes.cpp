#include "engine/image/check/check_attributes.hpp"
#include "engine/image/check/check_state.hpp"
#include "engine/image/ext4/open_image.hpp"

#include <algorithm>
#include <optional>

namespace update::image {
namespace {

constexpr std::uint32_t kSector = 512;
constexpr std::uint64_t kMostSmall = INT32_MAX;  // beyond: the feature large_file

struct ScanClose {
  void operator()(ext2_inode_scan scan) const { ext2fs_close_inode_scan(scan); }
};
using Scan = std::unique_ptr<std::remove_pointer_t<ext2_inode_scan>, ScanClose>;

struct Kind {
  InodeUse use = InodeUse::free;
  std::uint8_t folder_type = 0;
};

std::optional<Kind> kind_of(const DiskInode& inode) {
  const std::uint16_t mode = inode.raw().i_mode;
  if (LINUX_S_ISREG(mode)) {
    if (inode.has_flag(EXT4_EA_INODE_FL)) return Kind{InodeUse::attribute, EXT2_FT_UNKNOWN};
    return Kind{InodeUse::file, EXT2_FT_REG_FILE};
  }
  if (LINUX_S_ISDIR(mode)) return Kind{InodeUse::folder, EXT2_FT_DIR};
  if (LINUX_S_ISLNK(mode)) return Kind{InodeUse::link, EXT2_FT_SYMLINK};
  if (LINUX_S_ISCHR(mode)) return Kind{InodeUse::other, EXT2_FT_CHRDEV};
  if (LINUX_S_ISBLK(mode)) return Kind{InodeUse::other, EXT2_FT_BLKDEV};
  if (LINUX_S_ISFIFO(mode)) return Kind{InodeUse::other, EXT2_FT_FIFO};
  if (LINUX_S_ISSOCK(mode)) return Kind{InodeUse::other, EXT2_FT_SOCK};
  return std::nullopt;
}

class InodeCheck {
 public:
  explicit InodeCheck(CheckState& state) : state_(state), fs_(state.fs), attributes_(state) {}

  void run() {
    ext2_inode_scan opened = nullptr;
    errcode_t code = ext2fs_open_inode_scan(fs_, 0, &opened);
    const Scan scan(opened);
    std::vector<std::byte> bytes(static_cast<std::size_t>(EXT2_INODE_SIZE(fs_->super)));
    while (code == 0 && !state_.findings.full()) {
      ext2_ino_t number = 0;
      code = ext2fs_get_next_inode_full(scan.get(), &number,
                                        reinterpret_cast<ext2_inode*>(bytes.data()),
                                        static_cast<int>(bytes.size()));
      const bool readable =
          code == 0 || code == EXT2_ET_INODE_CSUM_INVALID || code == EXT2_ET_INODE_IS_GARBAGE;
      if (!readable) break;
      if (code == 0 && number == 0) break;
      if (code != 0) state_.found(number, "has a wrong checksum");
      code = 0;
      check(DiskInode(fs_, number, bytes));
    }
    if (code != 0) state_.findings.add(ext2_error(code, "reading the inodes").message());
    attributes_.check_users();
  }

 private:
  void check(const DiskInode& inode);
  bool is_orphan(const ext2_inode_large& inode) const;
  void check_reserved(const DiskInode& inode);
  void check_bad_blocks(const DiskInode& inode);
  void check_flags(const DiskInode& inode, const InodeFacts& facts);
  void check_blocks(const DiskInode& inode, const Kind& kind);
  bool goes_on_in_cluster(const BlockRun& last, const BlockRun& run) const;
  void take_map(const DiskInode& inode);
  void check_block_count(const DiskInode& inode);
  void check_size(const DiskInode& inode, const Kind& kind);
  void count_for_quotas(const DiskInode& inode);
  std::uint64_t largest_file(const DiskInode& inode) const;
  void check_link(const DiskInode& inode);
  bool is_short_link(const DiskInode& inode, const Kind& kind) const {
    return kind.use == InodeUse::link && !inode.has_flag(EXT4_EXTENTS_FL) &&
           !inode.has_flag(EXT4_EA_INODE_FL) && inode.size() > 0 &&
           inode.size() < inode.block_area().size();
  }

  CheckState& state_;
  ext2_filsys fs_;
  BlockMap map_;
  std::uint64_t clusters_ = 0;  ///< of the inode that is looked at
  AttributeCheck attributes_;
};

void InodeCheck::check(const DiskInode& inode) {
  const ext2_ino_t number = inode.number();
  const ext2_inode_large& raw = inode.raw();
  const bool bad_blocks = number == EXT2_BAD_INO;
  if (bad_blocks) check_bad_blocks(inode);
  if (is_orphan(raw)) state_.found(number, "has a link of the list of orphans");
  const bool reserved = number < EXT2_FIRST_INO(fs_->super) && number != EXT2_ROOT_INO;
  if (reserved) check_reserved(inode);
  if (raw.i_links_count == 0 && !reserved) {
    const bool never_deleted = raw.i_mode != 0 && raw.i_dtime == 0;
    if (never_deleted && !state_.is_hidden(number))
      state_.found(number, "is deleted, but not when");
    return;
  }
  const auto kind = kind_of(inode);
  InodeFacts& facts = state_.facts(number);
  facts.links = raw.i_links_count;
  if (!kind && !state_.is_hidden(number)) {
    facts.use = InodeUse::other;
    return state_.found(number, "has an illegal mode");
  }
  if (kind) {
    facts.use = kind->use;
    facts.folder_type = kind->folder_type;
    if (kind->use == InodeUse::folder) state_.folders.emplace(number, FolderFacts{});
  }
  if (raw.i_dtime != 0 && !state_.is_hidden(number)) state_.found(number, "is deleted and in use");
  if (inode.has_flag(EXT4_EXTENTS_FL) && ext2fs_has_feature_extents(fs_->super) == 0) {
    return state_.found(number, "has extents, which the image says it has not");
  }
  if (inode.has_flag(EXT4_INLINE_DATA_FL) && ext2fs_has_feature_inline_data(fs_->super) == 0) {
    return state_.found(number, "has its data within, which the image says it has not");
  }
  check_flags(inode, facts);
  clusters_ = attributes_.check(inode);
  check_blocks(inode, kind.value_or(Kind{InodeUse::file, EXT2_FT_REG_FILE}));
  count_for_quotas(inode);
}

// A deleted inode is dated; while it is still open, the field has the next one in the list. Of an
// image that is as early, no time can be told from a number.
bool InodeCheck::is_orphan(const ext2_inode_large& inode) const {
  const ext2_super_block& super = *fs_->super;
  const auto is_early = [&](std::uint32_t time) {
    return time != 0 && time < super.s_inodes_count;
  };
  return is_early(inode.i_dtime) && !is_early(super.s_wtime) && !is_early(super.s_mtime) &&
         !is_early(super.s_mkfs_time);
}

// What the superblock says is there, and else nothing. Its own files are looked at by
// check_hidden().
void InodeCheck::check_reserved(const DiskInode& inode) {
  const ext2_super_block& super = *fs_->super;
  const ext2_ino_t number = inode.number();
  const ext2_inode_large& raw = inode.raw();
  const bool is_file = LINUX_S_ISREG(raw.i_mode);
  switch (number) {
    case EXT2_BAD_INO: return;
    case EXT2_JOURNAL_INO:
      if (super.s_journal_inum == number) return;
      break;
    case EXT4_USR_QUOTA_INO:
    case EXT4_GRP_QUOTA_INO:
      if (is_quota_file(super, number)) return;
      break;
    case EXT2_BOOT_LOADER_INO:
      if (LINUX_S_ISDIR(raw.i_mode)) state_.found(number, "has an illegal mode");
      return;
    case EXT2_RESIZE_INO:
      if (raw.i_mode != 0 && !is_file) state_.found(number, "has an illegal mode");
      return;
    default:
      if (raw.i_mode != 0) state_.found(number, "has an illegal mode");
      return;
  }
  if (raw.i_links_count != 0 || raw.i_blocks != 0 || raw.i_block[0] != 0) {
    state_.found(number, "is kept for what the image has not, but is in use");
  }
}

// It is nothing but a list of blocks.
void InodeCheck::check_bad_blocks(const DiskInode& inode) {
  const ext2_inode_large& raw = inode.raw();
  const bool has_more = raw.i_mode != 0 || raw.i_uid != 0 || raw.i_gid != 0 ||
                        raw.i_links_count != 0 || raw.i_file_acl != 0 ||
                        inode.has_flag(EXT4_INLINE_DATA_FL);
  if (has_more) state_.found(inode.number(), "should be the list of bad blocks, but has more");
}

void InodeCheck::check_flags(const DiskInode& inode, const InodeFacts& facts) {
  if (inode.raw().i_faddr != 0) state_.found(inode.number(), "has the address of a fragment");
  if (inode.has_flag(EXT2_INDEX_FL) && facts.use != InodeUse::folder) {
    state_.found(inode.number(), "has an index, but is no folder");
  }
  if (inode.has_flag(EXT2_INDEX_FL) && ext2fs_has_feature_dir_index(fs_->super) == 0) {
    state_.found(inode.number(), "has an index, which the image says it has not");
  }
  if (inode.has_flag(EXT4_CASEFOLD_FL) && facts.use != InodeUse::folder) {
    state_.found(inode.number(), "folds the case of its names, but is no folder");
  }
  if (inode.has_flag(EXT4_CASEFOLD_FL) && ext2fs_has_feature_casefold(fs_->super) == 0) {
    state_.found(inode.number(), "folds the case of its names, which the image says it does not");
  }
  if (inode.has_flag(EXT2_IMAGIC_FL) && ext2fs_has_feature_imagic_inodes(fs_->super) == 0) {
    state_.found(inode.number(), "has the flag imagic, which the image says it has not");
  }
}

void InodeCheck::check_blocks(const DiskInode& inode, const Kind& kind) {
  map_.runs.clear();
  const bool without_map = inode.has_flag(EXT4_INLINE_DATA_FL) || kind.use == InodeUse::other ||
                           is_short_link(inode, kind);
  if (!without_map) {
    const Status mapped = state_.mapper.map(inode, map_);
    if (!mapped) return state_.findings.add(mapped);
    // To a reader it is a file of which nothing was written.
    if (inode.has_flag(EXT4_EXTENTS_FL) && inode.raw().i_block[0] == 0) {
      state_.found(inode.number(), "has no header of its extents");
    }
    take_map(inode);
  }
  check_block_count(inode);
  check_size(inode, kind);
}

// Runs of one file may share a cluster of the image where they share one of the file.
bool InodeCheck::goes_on_in_cluster(const BlockRun& last, const BlockRun& run) const {
  const auto bits = static_cast<unsigned>(fs_->cluster_ratio_bits);
  const std::uint64_t end = last.physical + last.length;
  return run.physical >= end && (end - 1) >> bits == run.physical >> bits &&
         (last.logical + last.length - 1) >> bits == run.logical >> bits;
}

void InodeCheck::take_map(const DiskInode& inode) {
  const ext2_ino_t number = inode.number();
  if (number == EXT2_RESIZE_INO) {
    // It names space beside the descriptors, which was marked with them; only its list is its own.
    if (!map_.nodes.empty()) state_.take_blocks(number, map_.nodes[0], 1);
    clusters_ += map_.nodes.size() + map_.blocks;
    return;
  }
  for (const std::uint64_t node : map_.nodes) {
    state_.take_blocks(number, node, 1);
    ++clusters_;
  }
  const std::uint64_t mask = static_cast<std::uint64_t>(EXT2FS_CLUSTER_MASK(fs_));
  const BlockRun* last = nullptr;
  for (const BlockRun& run : map_.runs) {
    std::uint64_t first = run.physical & ~mask;
    const std::uint64_t end = (run.physical + run.length + mask) & ~mask;
    if (last != nullptr && goes_on_in_cluster(*last, run)) first += mask + 1;
    last = &run;
    if (first >= end) continue;
    state_.take_blocks(number, first,
                       std::min<std::uint64_t>(end, ext2fs_blocks_count(fs_->super)) - first);
    clusters_ += (end - first) / (mask + 1);
  }
}

void InodeCheck::check_block_count(const DiskInode& inode) {
  if (inode.number() == EXT2_BAD_INO) return;
  const ext2_inode_large& raw = inode.raw();
  const bool huge = ext2fs_has_feature_huge_file(fs_->super) != 0;
  // Without huge_file the high half has to be zero.
  const std::uint64_t counted = raw.i_blocks | std::uint64_t{raw.osd2.linux2.l_i_blocks_hi} << 32;
  const std::uint64_t blocks = clusters_ * static_cast<std::uint64_t>(EXT2FS_CLUSTER_RATIO(fs_));
  const std::uint64_t unit =
      huge && inode.has_flag(EXT4_HUGE_FILE_FL) ? 1 : fs_->blocksize / kSector;
  if (counted == blocks * unit) return;
  state_.found(inode.number(), "has " + std::to_string(blocks * unit) +
                                   " units of space and counts " + std::to_string(counted));
}

void InodeCheck::check_size(const DiskInode& inode, const Kind& kind) {
  const std::uint64_t size = inode.size();
  const std::uint64_t block = fs_->blocksize;
  if (inode.number() == EXT2_BAD_INO) return;
  if (kind.use == InodeUse::link) return check_link(inode);
  if (kind.use == InodeUse::other) {
    if (size != 0) state_.found(inode.number(), "is a device, socket or pipe with a size");
    return;
  }
  if (inode.has_flag(EXT4_INLINE_DATA_FL)) {
    const std::size_t room =
        inode.block_area().size() + state_.attributes.inline_data().value_or("").size();
    const bool fits = kind.use == InodeUse::folder ? size == room : size <= room;
    if (!fits) state_.found(inode.number(), "has a wrong size");
    return;
  }
  std::uint64_t end = 0;
  for (const BlockRun& run : map_.runs) {
    if (run.written) end = run.logical + run.length;
  }
  if (kind.use == InodeUse::folder) {
    if (size % block != 0 || size / block != end) state_.found(inode.number(), "has a wrong size");
  } else if (size > kMostSmall && kind.use == InodeUse::file &&
             ext2fs_has_feature_large_file(fs_->super) == 0) {
    state_.found(inode.number(), "is larger than the image says that files are");
  } else if (size > largest_file(inode) ||
             (end > 0 && size < (end - 1) * block && !inode.has_flag(EXT4_VERITY_FL))) {
    state_.found(inode.number(), "has a wrong size");
  }
}

// The files of the file system itself count for nobody.
void InodeCheck::count_for_quotas(const DiskInode& inode) {
  if (ext2fs_has_feature_quota(fs_->super) == 0) return;
  const ext2_super_block& super = *fs_->super;
  const ext2_ino_t number = inode.number();
  const bool counts = (number == EXT2_ROOT_INO || number >= EXT2_FIRST_INO(fs_->super)) &&
                      number != super.s_prj_quota_inum && number != super.s_orphan_file_inum &&
                      !inode.has_flag(EXT4_EA_INODE_FL);
  if (!counts) return;
  const auto& attributes = state_.attributes.all();
  const auto far =
      std::count_if(attributes.begin(), attributes.end(),
                    [](const DiskAttribute& attribute) { return attribute.value_inode != 0; });
  const QuotaUse use{clusters_ * static_cast<std::uint64_t>(EXT2_CLUSTER_SIZE(fs_->super)),
                     1 + static_cast<std::uint64_t>(far)};
  const ext2_inode_large& raw = inode.raw();
  constexpr std::size_t kProjectEnd =
      offsetof(ext2_inode_large, i_projid) + sizeof(ext2_inode_large::i_projid);
  state_.quotas.add(QuotaKind::user, raw.i_uid | std::uint32_t{raw.i_uid_high} << 16, use);
  state_.quotas.add(QuotaKind::group, raw.i_gid | std::uint32_t{raw.i_gid_high} << 16, use);
  state_.quotas.add(QuotaKind::project, inode.has_field(kProjectEnd) ? raw.i_projid : 0, use);
}

// As far as extents count, or what a list of blocks and three levels of them hold.
std::uint64_t InodeCheck::largest_file(const DiskInode& inode) const {
  const std::uint64_t block = fs_->blocksize;
  if (inode.has_flag(EXT4_EXTENTS_FL)) return (block << 32) - 1;
  const std::uint64_t fan = block / sizeof(std::uint32_t);
  return (EXT2_NDIR_BLOCKS + fan + fan * fan + fan * fan * fan) * block;
}

void InodeCheck::check_link(const DiskInode& inode) {
  const std::uint64_t size = inode.size();
  const bool encrypted = inode.has_flag(EXT4_ENCRYPT_FL);
  std::string target;
  const auto area = inode.block_area();
  if (inode.has_flag(EXT4_INLINE_DATA_FL) || map_.runs.empty()) {
    target.assign(reinterpret_cast<const char*>(area.data()), area.size());
    if (const auto rest = state_.attributes.inline_data()) target.append(*rest);
  } else {
    target.resize(fs_->blocksize);
    const auto code = io_channel_read_blk64(fs_->io, map_.runs[0].physical, 1, target.data());
    if (code != 0 || map_.runs[0].logical != 0 || map_.blocks != 1) target.clear();
  }
  if (size == 0 || size > target.size() ||
      (!encrypted && target.substr(0, size).find('\0') != std::string::npos) ||
      (!encrypted && size < target.size() && target[size] != '\0')) {
    state_.found(inode.number(), "is a damaged link");
  }
}

}  // namespace

void check_inodes(CheckState& state) {
  InodeCheck(state).run();
}

}  // namespace update::image
