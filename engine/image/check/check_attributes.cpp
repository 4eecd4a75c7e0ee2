#include "engine/image/check/check_attributes.hpp"

#include <ext2fs/ext2_ext_attr.h>

#include <algorithm>
#include <cstring>
#include <functional>

namespace update::image {
namespace {

constexpr std::uint8_t kKindEncryption = 9;  // the kernel's fs/ext4/xattr.h

}  // namespace

std::uint64_t AttributeCheck::check(const DiskInode& inode) {
  clusters_ = 0;
  check_all(inode);
  return clusters_;
}

void AttributeCheck::check_users() {
  for (const auto& [block, counts] : blocks_) {
    if (counts.counted == counts.found) continue;
    state_.findings.add("the image's block " + std::to_string(block) + " of attributes has " +
                        std::to_string(counts.found) + " users and counts " +
                        std::to_string(counts.counted));
  }
}

void AttributeCheck::check_all(const DiskInode& inode) {
  const Status read = state_.attributes.read(inode);
  state_.findings.add(read);
  const ext2_inode_large& raw = inode.raw();
  if ((raw.i_file_acl != 0 && ext2fs_has_feature_xattr(fs_->super) == 0) ||
      (raw.osd2.linux2.l_i_file_acl_high != 0 && ext2fs_has_feature_64bit(fs_->super) == 0)) {
    state_.found(inode.number(), "has attributes, which the image says it has not");
  }
  take_block(inode);
  if (!read) return;
  check_hashes(inode);
  check_places(inode);
  if (inode.has_flag(EXT4_ENCRYPT_FL) && !has_encryption_context()) {
    state_.found(inode.number(), "is encrypted, but does not say how");
  }
  if (inode.has_flag(EXT4_INLINE_DATA_FL) && !state_.attributes.inline_data()) {
    state_.found(inode.number(), "should have its data within, but has none");
  }
  for (const DiskAttribute& attribute : state_.attributes.all()) {
    if (is_acl(attribute.kind) && !acl_from_disk(attribute.value)) {
      state_.found(inode.number(), "has a damaged ACL");
    }
    // What an attribute has in an inode of its own is counted with its owner, too.
    if (attribute.value_inode != 0) {
      state_.facts(attribute.value_inode).found_links = 1;
      clusters_ += (attribute.value.size() + fs_->blocksize - 1) / fs_->blocksize;
    }
  }
}

void AttributeCheck::check_hashes(const DiskInode& inode) {
  for (const DiskAttribute& attribute : state_.attributes.all()) {
    // In an inode it may be left out.
    if (attribute.value_inode != 0 || (attribute.hash == 0 && !attribute.in_block)) continue;
    struct {
      ext2_ext_attr_entry entry;
      char name[EXT2_NAME_LEN + 1];
    } copy{};
    copy.entry.e_name_len = static_cast<std::uint8_t>(attribute.name.size());
    copy.entry.e_name_index = attribute.kind;
    copy.entry.e_value_size = static_cast<std::uint32_t>(attribute.value.size());
    std::memcpy(copy.name, attribute.name.data(), attribute.name.size());
    // The hash reads whole words: up to three zeros behind the value.
    std::string value(attribute.value);
    value.resize((value.size() + 3) / 4 * 4);
    if (ext2fs_ext_attr_hash_entry(&copy.entry, value.data()) != attribute.hash &&
        ext2fs_ext_attr_hash_entry_signed(&copy.entry, value.data()) != attribute.hash) {
      state_.found(inode.number(), "has an attribute with a wrong hash");
    }
  }
}

void AttributeCheck::check_places(const DiskInode& inode) {
  std::vector<std::string_view> values;
  for (const DiskAttribute& attribute : state_.attributes.all()) {
    if (attribute.in_block && attribute.kind == 0) {
      state_.found(inode.number(), "has an attribute of no kind");
    }
    // libext2fs, that reads what lies within an inode for e2fsck, looks at the place of nothing.
    if (attribute.is_outside && inode.has_flag(EXT4_INLINE_DATA_FL)) {
      state_.found(inode.number(), "has an empty attribute outside of its place");
    }
    if (attribute.value_inode == 0 && !attribute.value.empty()) values.push_back(attribute.value);
  }
  std::sort(values.begin(), values.end(), [](std::string_view left, std::string_view right) {
    return std::less<>()(left.data(), right.data());
  });
  const auto shared = std::adjacent_find(values.begin(), values.end(),
                                         [](std::string_view left, std::string_view right) {
                                           const std::size_t room = EXT2_EXT_ATTR_SIZE(left.size());
                                           return std::less<>()(right.data(), left.data() + room);
                                         });
  if (shared != values.end()) state_.found(inode.number(), "has attributes that share bytes");
}

bool AttributeCheck::has_encryption_context() const {
  const auto& all = state_.attributes.all();
  return std::any_of(all.begin(), all.end(), [](const DiskAttribute& attribute) {
    return attribute.kind == kKindEncryption && attribute.name == "c";
  });
}

void AttributeCheck::take_block(const DiskInode& inode) {
  const std::uint64_t block =
      ext2fs_file_acl_block(fs_, reinterpret_cast<const ext2_inode*>(&inode.raw()));
  if (block <= fs_->super->s_first_data_block || block >= ext2fs_blocks_count(fs_->super)) return;
  ++clusters_;
  const auto [at, fresh] = blocks_.try_emplace(block);
  ++at->second.found;
  if (!fresh) return;
  state_.take_blocks(inode.number(), block, 1);
  std::string bytes(fs_->blocksize, '\0');
  if (io_channel_read_blk64(fs_->io, block, 1, bytes.data()) != 0) return;
  ext2_ext_attr_header header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  at->second.counted = header.h_refcount;
}

}  // namespace update::image
