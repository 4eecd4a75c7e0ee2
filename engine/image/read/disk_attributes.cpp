#include "engine/image/read/disk_attributes.hpp"

#include <ext2fs/ext2_ext_attr.h>

#include <algorithm>
#include <cstring>

#include "engine/image/ext4/open_image.hpp"

namespace update::image {
namespace {

constexpr std::size_t kEntryBytes = sizeof(ext2_ext_attr_entry);
constexpr std::size_t kEndMark = 4;  // four zeros after the last entry
constexpr std::size_t kMostValue = 64U << 10;
constexpr std::uint8_t kKindSystem = 7;
constexpr std::uint8_t kKindAccessAcl = 2;
constexpr std::uint8_t kKindDefaultAcl = 3;
constexpr std::string_view kDataName = "data";

// POSIX ACLs: linux/posix_acl_xattr.h and the kernel's fs/ext4/acl.h.
constexpr std::uint32_t kAclDiskVersion = 1;
constexpr std::uint32_t kAclKernelVersion = 2;
constexpr std::uint16_t kAclUser = 0x02;
constexpr std::uint16_t kAclGroup = 0x08;
constexpr std::uint16_t kAclTags[] = {0x01, kAclUser, 0x04, kAclGroup, 0x10, 0x20};
constexpr std::size_t kMostAclEntries = 500;

template <class Part>
Part part_of(std::string_view bytes, std::size_t offset) {
  Part part;
  std::memcpy(&part, bytes.data() + offset, sizeof(part));
  return part;
}

template <class Number>
void append_number(std::string& bytes, Number value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

Error damaged_attributes(ext2_ino_t number) {
  return damaged_inode(number, "has damaged extended attributes");
}

}  // namespace

Status DiskAttributes::read(const DiskInode& inode) {
  all_.clear();
  far_values_.clear();
  const ext2_inode_large& raw = inode.raw();
  const std::size_t begin = EXT2_GOOD_OLD_INODE_SIZE + std::size_t{raw.i_extra_isize};
  const auto bytes = inode.bytes();
  if (bytes.size() > EXT2_GOOD_OLD_INODE_SIZE) {
    if (begin > bytes.size() || begin % 4 != 0) {
      return fail(damaged_inode(inode.number(), "has an illegal size of its extra fields"));
    }
    body_.assign(reinterpret_cast<const char*>(bytes.data()) + begin, bytes.size() - begin);
    constexpr std::size_t kMagicBytes = 4;
    if (body_.size() >= kMagicBytes + 4 &&
        part_of<std::uint32_t>(body_, 0) == EXT2_EXT_ATTR_MAGIC) {
      UPDATE_TRY(read_entries(inode.number(), body_, kMagicBytes, kMagicBytes));
    }
  }
  const std::uint64_t block = ext2fs_file_acl_block(fs_, reinterpret_cast<const ext2_inode*>(&raw));
  if (block == 0) return {};
  if (block <= fs_->super->s_first_data_block || block >= ext2fs_blocks_count(fs_->super)) {
    return fail(damaged_inode(inode.number(), "has attributes outside of the image"));
  }
  block_.resize(fs_->blocksize);
  UPDATE_TRY(ext2_status(ext2fs_read_ext_attr3(fs_, block, block_.data(), inode.number()),
                         "reading the attributes of inode " + std::to_string(inode.number())));
  const auto header = part_of<ext2_ext_attr_header>(block_, 0);
  if (header.h_magic != EXT2_EXT_ATTR_MAGIC || header.h_blocks != 1 || header.h_refcount == 0) {
    return fail(damaged_attributes(inode.number()));
  }
  return read_entries(inode.number(), block_, sizeof(header), 0);
}

// Values are counted from `values` on, in a block from its beginning; entries begin at `first`.
Status DiskAttributes::read_entries(ext2_ino_t number, std::string_view area, std::size_t first,
                                    std::size_t values) {
  std::size_t used = 0;
  std::size_t lowest_value = area.size();
  std::size_t at = first;
  for (;;) {
    if (area.size() - at < kEndMark) return fail(damaged_attributes(number));
    if (part_of<std::uint32_t>(area, at) == 0) break;
    if (area.size() - at < kEntryBytes) return fail(damaged_attributes(number));
    const auto entry = part_of<ext2_ext_attr_entry>(area, at);
    const std::size_t length = EXT2_EXT_ATTR_LEN(std::size_t{entry.e_name_len});
    if (area.size() - at < length) return fail(damaged_attributes(number));
    DiskAttribute found{entry.e_name_index,
                        area.substr(at + kEntryBytes, entry.e_name_len),
                        {},
                        entry.e_hash,
                        entry.e_value_inum,
                        values == 0};
    if (found.name.find('\0') != std::string_view::npos) return fail(damaged_attributes(number));
    if (entry.e_value_inum != 0) {
      UPDATE_TRY_ASSIGN(found.value,
                        value_from_inode(number, entry.e_value_inum, entry.e_value_size));
    } else if (const std::size_t offset = values + entry.e_value_offs; entry.e_value_size == 0) {
      found.is_outside = offset > area.size();
    } else {
      // Up to a whole word, as the kernel takes it.
      if (offset > area.size() ||
          EXT2_EXT_ATTR_SIZE(std::uint64_t{entry.e_value_size}) > area.size() - offset) {
        return fail(damaged_attributes(number));
      }
      found.value = area.substr(offset, entry.e_value_size);
      lowest_value = std::min(lowest_value, offset);
      // Values that share bytes would make much of little.
      used += entry.e_value_size;
      if (used > area.size()) return fail(damaged_attributes(number));
    }
    all_.push_back(found);
    at += length;
  }
  if (lowest_value < at + kEndMark) return fail(damaged_attributes(number));
  return {};
}

Result<std::string_view> DiskAttributes::value_from_inode(ext2_ino_t owner, ext2_ino_t number,
                                                          std::uint32_t size) {
  UPDATE_TRY_ASSIGN(const DiskInode inode, DiskInode::read(fs_, number));
  if (!inode.has_flag(EXT4_EA_INODE_FL) || !LINUX_S_ISREG(inode.raw().i_mode) ||
      inode.size() != size || size > kMostValue) {
    return fail(damaged_attributes(owner));
  }
  BlockMap map;
  UPDATE_TRY(mapper_.map(inode, map));
  std::string value;
  std::string block(fs_->blocksize, '\0');
  for (const BlockRun& run : map.runs) {
    if (run.logical != value.size() / fs_->blocksize || !run.written) break;
    for (std::uint64_t done = 0; done < run.length && value.size() < size; ++done) {
      UPDATE_TRY(ext2_status(io_channel_read_blk64(fs_->io, run.physical + done, 1, block.data()),
                             "reading an attribute of inode " + std::to_string(owner)));
      value.append(block);
    }
  }
  if (value.size() < size) return fail(damaged_attributes(owner));
  value.resize(size);
  return std::string_view(far_values_.emplace_back(std::move(value)));
}

std::optional<std::string_view> DiskAttributes::inline_data() const {
  for (const DiskAttribute& attribute : all_) {
    if (is_inline_data(attribute.kind, attribute.name)) return attribute.value;
  }
  return std::nullopt;
}

bool is_acl(std::uint8_t kind) {
  return kind == kKindAccessAcl || kind == kKindDefaultAcl;
}

bool is_inline_data(std::uint8_t kind, std::string_view name) {
  return kind == kKindSystem && name == kDataName;
}

std::optional<std::string> full_attribute_name(std::uint8_t kind, std::string_view name) {
  if (is_acl(kind)) {
    if (!name.empty()) return std::nullopt;
    return kind == kKindAccessAcl ? "system.posix_acl_access" : "system.posix_acl_default";
  }
  if (name.empty()) return std::nullopt;
  const char* const prefix = kind == 1 ? "user." : kind == 4 ? "trusted." : "security.";
  if (kind != 1 && kind != 4 && kind != 6) return std::nullopt;
  return prefix + std::string(name);
}

std::optional<std::string> acl_from_disk(std::string_view value) {
  if (value.size() < 4 || part_of<std::uint32_t>(value, 0) != kAclDiskVersion) return std::nullopt;
  std::string converted;
  append_number(converted, kAclKernelVersion);
  std::size_t entries = 0;
  for (value.remove_prefix(4); !value.empty(); ++entries) {
    if (value.size() < 4 || entries == kMostAclEntries) return std::nullopt;
    const auto tag = part_of<std::uint16_t>(value, 0);
    const auto permissions = part_of<std::uint16_t>(value, 2);
    if (std::find(std::begin(kAclTags), std::end(kAclTags), tag) == std::end(kAclTags) ||
        permissions > 7) {
      return std::nullopt;
    }
    const bool named = tag == kAclUser || tag == kAclGroup;
    const std::size_t length = named ? 8 : 4;
    if (value.size() < length) return std::nullopt;
    append_number(converted, tag);
    append_number(converted, permissions);
    append_number(converted, named ? part_of<std::uint32_t>(value, 4) : UINT32_MAX);
    value.remove_prefix(length);
  }
  return converted;
}

}  // namespace update::image
