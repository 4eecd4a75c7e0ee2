#include "engine/image/check/check_state.hpp"

#include <algorithm>
#include <cstring>

namespace update::image {
namespace {

constexpr std::size_t kRootInfoAt = 24;  // behind "." and ".."
constexpr std::size_t kRootHead = 32;
constexpr std::size_t kNodeHead = 8;
constexpr std::size_t kIndexEntry = 8;
constexpr std::size_t kIndexTail = 8;
constexpr std::size_t kNameAt = 8;
constexpr std::uint8_t kMostKnownHash = EXT2_HASH_TEA;
constexpr int kToUnsigned = 3;  // from a kind of hash to the same over unsigned characters

template <class Number>
Number number_at(std::string_view block, std::size_t offset) {
  Number number{};
  std::memcpy(&number, block.data() + offset, sizeof(number));
  return number;
}

// The tree that finds a name's block by its hash, against the names that are there. That the blocks
// are well-formed as parts of a folder was checked before.
class IndexCheck {
 public:
  IndexCheck(CheckState& state, const DiskInode& inode)
      : state_(state), fs_(state.fs), inode_(inode) {}

  void run() {
    if (inode_.has_flag(EXT4_INLINE_DATA_FL)) return wrong("is within its inode");
    BlockMap map;
    if (!state_.mapper.map(inode_, map)) return;
    for (const BlockRun& run : map.runs) {
      for (std::uint64_t at = 0; at < run.length; ++at) blocks_.push_back(run.physical + at);
    }
    seen_.assign(blocks_.size(), false);
    std::string root;
    if (!read(0, root)) return;
    const auto version = number_at<std::uint8_t>(root, kRootInfoAt + 4);
    const auto levels = number_at<std::uint8_t>(root, kRootInfoAt + 6);
    const int most_levels = ext2fs_has_feature_largedir(fs_->super) != 0 ? 2 : 1;
    if (number_at<std::uint8_t>(root, kRootInfoAt + 5) != kRootHead - kRootInfoAt ||
        levels > most_levels || number_at<std::uint32_t>(root, kRootInfoAt) != 0) {
      return wrong("has a damaged root");
    }
    if (version > kMostKnownHash && version != EXT2_HASH_SIPHASH) {
      return wrong("has an unknown kind of hash");
    }
    // Of encrypted and of case-folded names only who has the key or the tables knows the hash.
    hashes_known_ = version <= kMostKnownHash && !inode_.has_flag(EXT4_ENCRYPT_FL) &&
                    !inode_.has_flag(EXT4_CASEFOLD_FL);
    version_ = version;
    if ((fs_->super->s_flags & EXT2_FLAGS_UNSIGNED_HASH) != 0) version_ += kToUnsigned;
    if (!node(root, kRootHead, levels, 0, UINT32_MAX)) return;
    if (std::find(seen_.begin(), seen_.end(), false) != seen_.end()) {
      wrong("does not name all of its blocks");
    }
  }

 private:
  void wrong(std::string_view problem) {
    state_.found(inode_.number(), "is a folder whose index " + std::string(problem));
  }

  // Each block has one place in the tree, so that no tree takes longer than the folder is large.
  bool read(std::uint64_t logical, std::string& block) {
    if (logical >= blocks_.size() || seen_[logical]) {
      wrong("names a block twice, or one that is not there");
      return false;
    }
    seen_[logical] = true;
    block.resize(fs_->blocksize);
    return io_channel_read_blk64(fs_->io, blocks_[logical], 1, block.data()) == 0;
  }

  bool node(std::string_view block, std::size_t head, int levels, std::uint32_t low,
            std::uint32_t high) {
    const std::size_t tail = ext2fs_has_feature_metadata_csum(fs_->super) != 0 ? kIndexTail : 0;
    const auto limit = number_at<std::uint16_t>(block, head);
    const auto count = number_at<std::uint16_t>(block, head + 2);
    if (limit != (block.size() - head - tail) / kIndexEntry || count == 0 || count > limit) {
      wrong("has a damaged part");
      return false;
    }
    std::string below;
    for (std::size_t at = 0; at < count; ++at) {
      const std::size_t offset = head + at * kIndexEntry;
      // The first entry has no hash of its own: its place has the counts.
      const std::uint32_t begin = at == 0 ? low : number_at<std::uint32_t>(block, offset);
      const std::uint32_t end =
          at + 1 < count ? number_at<std::uint32_t>(block, offset + kIndexEntry) : high;
      if (begin < low || end < begin || end > high) {
        wrong("is out of order");
        return false;
      }
      if (!read(number_at<std::uint32_t>(block, offset + 4) & 0x0FFFFFFFU, below)) return false;
      const bool good = levels > 0 ? node(below, kNodeHead, levels - 1, begin, end)
                                   : leaf(below, begin & ~1U, end);
      if (!good) return false;
    }
    return true;
  }

  bool leaf(std::string_view block, std::uint32_t low, std::uint32_t high) {
    if (!hashes_known_) return true;
    while (block.size() > kNameAt) {
      unsigned int length = 0;
      auto* const entry =
          reinterpret_cast<ext2_dir_entry*>(const_cast<char*>(block.data()));  // only read
      if (ext2fs_get_rec_len(fs_, entry, &length) != 0 || length < kNameAt ||
          length > block.size()) {
        return false;
      }
      ext2_dirhash_t hash = 0;
      const int name_length = ext2fs_dirent_name_len(entry);
      if (entry->inode != 0 && (ext2fs_dirhash2(version_, entry->name, name_length, nullptr, 0,
                                                fs_->super->s_hash_seed, &hash, nullptr) != 0 ||
                                hash < low || hash > high)) {
        wrong("has a name in the wrong block");
        return false;
      }
      block.remove_prefix(length);
    }
    return true;
  }

  CheckState& state_;
  ext2_filsys fs_;
  const DiskInode& inode_;
  std::vector<std::uint64_t> blocks_;
  std::vector<bool> seen_;
  int version_ = 0;
  bool hashes_known_ = false;
};

}  // namespace

void check_folder_index(CheckState& state, const DiskInode& inode) {
  IndexCheck(state, inode).run();
}

}  // namespace update::image
