#include "engine/image/write/inode_record.hpp"

#include "engine/image/ext4/channel.hpp"
#include "engine/image/ext4/checksum.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/write/write_image.hpp"

#include <algorithm>

namespace update::image {
namespace {

constexpr std::uint16_t kExtraBytes = sizeof(ext2_inode_large) - EXT2_GOOD_OLD_INODE_SIZE;
constexpr std::uint32_t kMostCountedLinks = 65000;
constexpr std::int64_t kFirstSecond = INT32_MIN;
constexpr std::int64_t kEpoch = std::int64_t{1} << 32;
constexpr std::int64_t kLastSecond = INT32_MAX + 3 * kEpoch;  // two more bits: the year 2446

std::uint16_t type_bits(EntryType type) {
  switch (type) {
    case EntryType::folder: return LINUX_S_IFDIR;
    case EntryType::symbolic_link: return LINUX_S_IFLNK;
    case EntryType::regular: break;
  }
  return LINUX_S_IFREG;
}

}  // namespace

InodeRecord::InodeRecord(ext2_filsys fs)
    : fs_(fs), bytes_(std::max<std::size_t>(EXT2_INODE_SIZE(fs->super), sizeof(ext2_inode_large))) {
  if (EXT2_INODE_SIZE(fs->super) <= EXT2_GOOD_OLD_INODE_SIZE) return;
  fields().i_extra_isize = kExtraBytes;
  set_time({fs->now, 0}, fields().i_crtime, fields().i_crtime_extra);
}

Result<InodeRecord> InodeRecord::read(ext2_filsys fs, ext2_ino_t number) {
  InodeRecord record(fs);
  UPDATE_TRY(ext2_status(
      ext2fs_read_inode_full(fs, number, record.small(), static_cast<int>(record.bytes_.size())),
      "reading an inode"));
  return record;
}

bool InodeRecord::has_field(const std::uint32_t& field) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(&field);
  const auto end = static_cast<std::size_t>(bytes - bytes_.data()) + sizeof field;
  return end <= EXT2_INODE_SIZE(fs_->super) &&
         end <= EXT2_GOOD_OLD_INODE_SIZE + std::size_t{fields().i_extra_isize};
}

void InodeRecord::set_time(const Time& time, std::uint32_t& seconds, std::uint32_t& extra) {
  const bool wide = has_field(extra);
  const std::int64_t last = wide ? kLastSecond : INT32_MAX;
  const std::int64_t clamped = std::clamp<std::int64_t>(time.seconds, kFirstSecond, last);
  seconds = static_cast<std::uint32_t>(clamped);
  if (!wide) return;
  const auto epoch =
      static_cast<std::uint32_t>((clamped - static_cast<std::int32_t>(seconds)) >> 32 & 3);
  extra = time.nanoseconds << 2 | epoch;
}

void InodeRecord::describe(const Entry& entry, OwnerRule owners) {
  ext2_inode_large& inode = fields();
  inode.i_mode = static_cast<std::uint16_t>(type_bits(entry.type) | (entry.mode & 07777));
  const std::uint32_t uid = owners.keep ? entry.uid : 0;
  const std::uint32_t gid = owners.keep ? entry.gid : 0;
  inode.i_uid = static_cast<std::uint16_t>(uid);
  inode.osd2.linux2.l_i_uid_high = static_cast<std::uint16_t>(uid >> 16);
  inode.i_gid = static_cast<std::uint16_t>(gid);
  inode.osd2.linux2.l_i_gid_high = static_cast<std::uint16_t>(gid >> 16);
  set_time(entry.modified, inode.i_mtime, inode.i_mtime_extra);
  set_time(entry.accessed, inode.i_atime, inode.i_atime_extra);
  set_time(entry.changed, inode.i_ctime, inode.i_ctime_extra);
}

void InodeRecord::set_size(std::uint64_t size) {
  fields().i_size = static_cast<std::uint32_t>(size);
  fields().i_size_high = static_cast<std::uint32_t>(size >> 32);
}

// A folder with too many subfolders to count them has a count of 1 (dir_nlink).
void InodeRecord::set_links(std::uint32_t links) {
  fields().i_links_count = static_cast<std::uint16_t>(links > kMostCountedLinks ? 1 : links);
}

void InodeRecord::add_blocks(std::uint64_t blocks) {
  ext2fs_iblk_add_blocks(fs_, small(), blocks);
}

std::size_t InodeRecord::attribute_room() {
  const std::size_t size = EXT2_INODE_SIZE(fs_->super);
  if (size <= EXT2_GOOD_OLD_INODE_SIZE || fields().i_extra_isize == 0) return 0;
  const std::size_t begin = EXT2_GOOD_OLD_INODE_SIZE + std::size_t{fields().i_extra_isize};
  return size - std::min(begin, size);
}

void InodeRecord::clear_attributes() {
  const std::span inode = std::span(bytes_).first(EXT2_INODE_SIZE(fs_->super));
  std::ranges::fill(inode.last(attribute_room()), std::byte{0});
}

void InodeRecord::set_attributes(const std::vector<std::byte>& area) {
  const std::size_t begin = EXT2_INODE_SIZE(fs_->super) - attribute_room();
  std::copy(area.begin(), area.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin));
}

void InodeRecord::set_attribute_block(blk64_t block) {
  ext2fs_file_acl_block_set(fs_, small(), block);
  add_blocks(1);
}

Status InodeRecord::write(ext2_ino_t number) {
  UPDATE_TRY(ext2_status(ext2fs_inode_csum_set(fs_, number, &fields()), "writing an inode"));
  // The library keeps the block of the inode that it had last, and would write it back as it was.
  UPDATE_TRY(ext2_status(ext2fs_flush_icache(fs_), "writing an inode"));
  const std::size_t size = EXT2_INODE_SIZE(fs_->super);
  const ext2_ino_t per_group = fs_->super->s_inodes_per_group;
  const blk64_t table = ext2fs_inode_table_loc(fs_, (number - 1) / per_group);
  const std::uint64_t offset = table * fs_->blocksize + (number - 1) % per_group * size;
  return channel_of(fs_).write(std::span(bytes_).first(size), offset);
}

}  // namespace update::image
