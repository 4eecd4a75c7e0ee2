#include "engine/image/write/directory_blocks.hpp"

#include "engine/image/ext4/checksum.hpp"
#include "engine/image/ext4/open_image.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace update::image {
namespace {

constexpr std::size_t kEntryHeader = 8;
constexpr std::size_t kTail = sizeof(ext2_dir_entry_tail);
constexpr std::size_t kDotBytes = 24;  // `.` and `..`
constexpr std::size_t kRootInfo = kDotBytes;
constexpr std::size_t kRootEntries = kRootInfo + sizeof(ext2_dx_root_info);
constexpr std::size_t kNodeEntries = kEntryHeader;
// A leaf that is full to the brim is split at the first name that the guest adds.
constexpr std::size_t kFillNumerator = 7;
constexpr std::size_t kFillDenominator = 8;

constexpr std::size_t record_bytes(std::size_t name_bytes) {
  return (kEntryHeader + name_bytes + 3) & ~std::size_t{3};
}

/// A name, and where the index puts it.
struct Hashed {
  std::uint32_t hash = 0;
  std::uint32_t name = 0;
};

class DirectoryWriter {
 public:
  DirectoryWriter(ext2_filsys fs, const DirectoryOwner& owner)
      : fs_(fs),
        owner_(owner),
        block_(fs->blocksize),
        tail_(has_checksums(fs) ? kTail : 0),
        seed_(inode_seed(fs, owner.self, owner.generation)) {}

  bool fits_one_block(std::span<const DirectoryName> names) const {
    std::size_t bytes = kDotBytes + tail_;
    for (const DirectoryName& name : names) {
      bytes += record_bytes(name.name.size());
      if (bytes > block_) return false;
    }
    return true;
  }

  DirectoryBlocks build_list(std::span<const DirectoryName> names) {
    begin_leaf();
    put_record(".", owner_.self, EXT2_FT_DIR);
    put_record("..", owner_.parent, EXT2_FT_DIR);
    for (const DirectoryName& name : names) {
      if (used_ + record_bytes(name.name.size()) > block_ - tail_) {
        end_leaf();
        begin_leaf();
      }
      put_record(name.name, name.inode, name.type);
    }
    end_leaf();
    return {std::move(bytes_), false};
  }

  Result<DirectoryBlocks> build_tree(std::span<const DirectoryName> names);

 private:
  struct IndexEntry {
    std::uint32_t hash = 0;
    std::uint32_t block = 0;
  };

  std::byte* at(std::size_t block) { return bytes_.data() + block * block_; }
  std::size_t index_limit(std::size_t begin) const {
    return (block_ - begin - (tail_ != 0 ? sizeof(ext2_dx_tail) : 0)) / sizeof(IndexEntry);
  }

  // Without the feature the byte is the high half of the name's length.
  std::uint8_t stored_type(std::uint8_t type) const {
    return ext2fs_has_feature_filetype(fs_->super) != 0 ? type : std::uint8_t{EXT2_FT_UNKNOWN};
  }
  // The superblock may name others, which an index must not: those over unsigned characters, of
  // which an index does not tell, and that of encrypted names.
  std::uint8_t index_hash() const {
    const std::uint8_t version = fs_->super->s_def_hash_version;
    return version <= EXT2_HASH_TEA ? version : std::uint8_t{EXT2_HASH_HALF_MD4};
  }
  Result<std::vector<Hashed>> hash_all(std::span<const DirectoryName> names) const;
  void write_leaves(std::span<const DirectoryName> names, std::span<const Hashed> order);
  void write_root(std::span<const IndexEntry> entries, bool has_nodes);
  void write_index(std::byte* block, std::size_t begin, std::span<const IndexEntry> entries);
  void begin_leaf();
  void put_record(std::string_view name, ext2_ino_t inode, std::uint8_t type);
  void end_leaf();

  ext2_filsys fs_;
  DirectoryOwner owner_;
  std::size_t block_;
  std::size_t tail_;
  std::uint32_t seed_;
  std::vector<std::byte> bytes_;
  std::size_t leaf_ = 0;  ///< where the present leaf begins in bytes_
  std::size_t used_ = 0;  ///< in it
  std::size_t last_ = 0;  ///< where its last record begins
  std::vector<IndexEntry> leaves_;
};

void put_header(std::byte* to, ext2_ino_t inode, std::size_t record, std::size_t name_bytes,
                std::uint8_t type) {
  const auto record16 = static_cast<std::uint16_t>(record);
  const auto length = static_cast<std::uint16_t>(name_bytes | std::size_t{type} << 8);
  std::memcpy(to, &inode, 4);
  std::memcpy(to + 4, &record16, 2);
  std::memcpy(to + 6, &length, 2);
}

void DirectoryWriter::begin_leaf() {
  leaf_ = bytes_.size();
  used_ = 0;
  bytes_.resize(bytes_.size() + block_);
}

void DirectoryWriter::put_record(std::string_view name, ext2_ino_t inode, std::uint8_t type) {
  const std::size_t record = record_bytes(name.size());
  std::byte* const to = bytes_.data() + leaf_ + used_;
  put_header(to, inode, record, name.size(), stored_type(type));
  std::memcpy(to + kEntryHeader, name.data(), name.size());
  last_ = used_;
  used_ += record;
}

// The last record reaches to the end, or to the checksum, which looks like a record of no inode.
void DirectoryWriter::end_leaf() {
  const auto record = static_cast<std::uint16_t>(block_ - tail_ - last_);
  std::memcpy(bytes_.data() + leaf_ + last_ + 4, &record, 2);
  if (tail_ == 0) return;
  ext2_dir_entry_tail tail{};
  tail.det_rec_len = kTail;
  tail.det_reserved_name_len = EXT2_DIR_NAME_LEN_CSUM;
  tail.det_checksum = checksum(seed_, std::span(bytes_).subspan(leaf_, block_ - tail_));
  std::memcpy(bytes_.data() + leaf_ + block_ - tail_, &tail, sizeof tail);
}

Result<std::vector<Hashed>> DirectoryWriter::hash_all(std::span<const DirectoryName> names) const {
  int version = index_hash();
  // Of each function there is one for unsigned characters, three numbers on.
  if ((fs_->super->s_flags & EXT2_FLAGS_UNSIGNED_HASH) != 0) version += 3;
  std::vector<Hashed> hashed(names.size());
  for (std::uint32_t index = 0; index < names.size(); ++index) {
    hashed[index].name = index;
    const std::string_view name = names[index].name;
    UPDATE_TRY(
        ext2_status(ext2fs_dirhash2(version, name.data(), static_cast<int>(name.size()), nullptr, 0,
                                    fs_->super->s_hash_seed, &hashed[index].hash, nullptr),
                    "hashing a name"));
  }
  std::sort(hashed.begin(), hashed.end(), [](const Hashed& one, const Hashed& other) {
    return std::pair(one.hash, one.name) < std::pair(other.hash, other.name);
  });
  return hashed;
}

void DirectoryWriter::write_leaves(std::span<const DirectoryName> names,
                                   std::span<const Hashed> order) {
  const std::size_t room = (block_ - tail_) * kFillNumerator / kFillDenominator;
  std::uint32_t last_hash = 0;
  for (const Hashed& item : order) {
    const DirectoryName& name = names[item.name];
    if (leaves_.empty() || used_ + record_bytes(name.name.size()) > room) {
      if (!leaves_.empty()) end_leaf();
      begin_leaf();
      // An odd hash says that names of the same hash stand in the leaf before, too.
      const bool goes_on = !leaves_.empty() && item.hash == last_hash;
      leaves_.push_back(
          {item.hash | (goes_on ? 1U : 0U), static_cast<std::uint32_t>(leaf_ / block_)});
    }
    put_record(name.name, name.inode, name.type);
    last_hash = item.hash;
  }
  end_leaf();
}

void DirectoryWriter::write_index(std::byte* block, std::size_t begin,
                                  std::span<const IndexEntry> entries) {
  const std::size_t limit = index_limit(begin);
  std::memcpy(block + begin, entries.data(), entries.size_bytes());
  // The first entry begins at hash 0 whatever it says: its place holds the numbers.
  const ext2_dx_countlimit numbers{static_cast<std::uint16_t>(limit),
                                   static_cast<std::uint16_t>(entries.size())};
  std::memcpy(block + begin, &numbers, sizeof numbers);
  if (tail_ == 0) return;
  const std::size_t used = begin + entries.size_bytes();
  std::uint32_t sum = checksum(seed_, {block, used});
  sum = checksum_of(sum, ext2_dx_tail{});
  const ext2_dx_tail tail{0, sum};
  std::memcpy(block + begin + limit * sizeof(IndexEntry), &tail, sizeof tail);
}

void DirectoryWriter::write_root(std::span<const IndexEntry> entries, bool has_nodes) {
  std::byte* const root = at(0);
  put_header(root, owner_.self, 12, 1, stored_type(EXT2_FT_DIR));
  std::memcpy(root + kEntryHeader, ".", 1);
  put_header(root + 12, owner_.parent, block_ - 12, 2, stored_type(EXT2_FT_DIR));
  std::memcpy(root + 12 + kEntryHeader, "..", 2);
  ext2_dx_root_info info{};
  info.hash_version = index_hash();
  info.info_length = sizeof info;
  info.indirect_levels = has_nodes ? 1 : 0;
  std::memcpy(root + kRootInfo, &info, sizeof info);
  write_index(root, kRootEntries, entries);
}

Result<DirectoryBlocks> DirectoryWriter::build_tree(std::span<const DirectoryName> names) {
  UPDATE_TRY_ASSIGN(const std::vector<Hashed> order, hash_all(names));
  bytes_.resize(block_);  // for the root
  write_leaves(names, order);
  if (leaves_.size() <= index_limit(kRootEntries)) {
    write_root(leaves_, false);
    return DirectoryBlocks{std::move(bytes_), true};
  }
  std::vector<IndexEntry> nodes;
  const std::size_t fan = index_limit(kNodeEntries);
  for (std::size_t begin = 0; begin < leaves_.size(); begin += fan) {
    const auto part = std::span(leaves_).subspan(begin, std::min(fan, leaves_.size() - begin));
    const std::size_t node = bytes_.size() / block_;
    bytes_.resize(bytes_.size() + block_);
    put_header(at(node), 0, block_, 0, 0);
    write_index(at(node), kNodeEntries, part);
    nodes.push_back({part.front().hash, static_cast<std::uint32_t>(node)});
  }
  if (nodes.size() > index_limit(kRootEntries)) {
    return fail(ErrorCode::failed, "a folder has too many names for an image");
  }
  write_root(nodes, true);
  return DirectoryBlocks{std::move(bytes_), true};
}

}  // namespace

Result<DirectoryBlocks> build_directory(ext2_filsys fs, const DirectoryOwner& owner,
                                        std::span<const DirectoryName> names) {
  DirectoryWriter writer(fs, owner);
  const bool may_index = ext2fs_has_feature_dir_index(fs->super) != 0;
  if (!may_index || writer.fits_one_block(names)) return writer.build_list(names);
  return writer.build_tree(names);
}

std::uint64_t most_directory_blocks(std::uint64_t count, std::uint64_t name_bytes,
                                    std::uint64_t longest) {
  constexpr std::uint64_t kSize = 4096;
  const std::uint64_t bytes = count * kEntryHeader + name_bytes;
  if (kDotBytes + bytes + kTail <= kSize) return 1;
  // A leaf is ended when the next record does not fit: all but the last hold more than this.
  const std::uint64_t room = (kSize - kTail) * kFillNumerator / kFillDenominator;
  const std::uint64_t leaves = bytes / (room - record_bytes(longest)) + 1;
  const std::uint64_t fan = (kSize - kNodeEntries - sizeof(ext2_dx_tail)) / sizeof(ext2_dx_entry);
  const std::uint64_t root = (kSize - kRootEntries - sizeof(ext2_dx_tail)) / sizeof(ext2_dx_entry);
  return 1 + leaves + (leaves > root ? (leaves + fan - 1) / fan : 0);
}

}  // namespace update::image
