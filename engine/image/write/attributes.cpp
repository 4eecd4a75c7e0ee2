#include "engine/image/write/attributes.hpp"

#include "engine/base/text.hpp"
#include "engine/image/ext4/checksum.hpp"
#include "engine/image/write/write_image.hpp"

#include <ext2fs/ext2_ext_attr.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>

namespace update::image {
namespace {

constexpr std::size_t kMagicBytes = 4;
constexpr std::size_t kEndBytes = 4;  // four zeros after the last entry
constexpr std::size_t kBlockHeader = sizeof(ext2_ext_attr_header);
constexpr std::uint8_t kAccessAcl = 2;
constexpr std::uint8_t kDefaultAcl = 3;

struct Prefix {
  std::string_view text;
  std::uint8_t kind;
  bool whole;  ///< the prefix is the name
};

// The kernel's fs/ext4/xattr.h. trusted.* is never carried.
constexpr Prefix kPrefixes[] = {
    {"user.", 1, false},
    {"system.posix_acl_access", kAccessAcl, true},
    {"system.posix_acl_default", kDefaultAcl, true},
    {"security.", 6, false},
};

const Prefix* prefix_of(std::string_view name) {
  for (const Prefix& prefix : kPrefixes) {
    if (prefix.whole ? name == prefix.text
                     : name.starts_with(prefix.text) && name.size() > prefix.text.size()) {
      return &prefix;
    }
  }
  return nullptr;
}

template <class T>
T load(std::string_view bytes, std::size_t at) {
  T value{};
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <class T>
void append(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// getxattr(2) gives 8 bytes an entry after the number 2; the disk has 4 or 8 after the number 1.
std::optional<std::string> acl_for_disk(std::string_view acl) {
  constexpr std::uint32_t kKernelVersion = 2;
  constexpr std::uint32_t kDiskVersion = 1;
  if (acl.size() < 4 || acl.size() % 8 != 4 || load<std::uint32_t>(acl, 0) != kKernelVersion) {
    return std::nullopt;
  }
  std::string disk;
  append(disk, kDiskVersion);
  for (std::size_t at = 4; at < acl.size(); at += 8) {
    const auto tag = load<std::uint16_t>(acl, at);
    append(disk, tag);
    append(disk, load<std::uint16_t>(acl, at + 2));
    switch (tag) {
      case 0x01:  // the owner, the group, the mask and the others: without an id
      case 0x04:
      case 0x10:
      case 0x20: break;
      case 0x02:  // a user and a group
      case 0x08: append(disk, load<std::uint32_t>(acl, at + 4)); break;
      default: return std::nullopt;
    }
  }
  return disk;
}

std::uint32_t entry_hash(const StoredAttribute& attribute) {
  std::uint32_t hash = 0;
  for (const char letter : attribute.name) {
    hash = hash << 5 ^ hash >> 27 ^ static_cast<unsigned char>(letter);
  }
  std::string padded = attribute.value;
  padded.resize(attribute.value_bytes());
  for (std::size_t at = 0; at < padded.size(); at += 4) {
    hash = hash << 16 ^ hash >> 16 ^ load<std::uint32_t>(padded, at);
  }
  return hash;
}

Error attribute_error(const Tree& tree, EntryIndex entry, std::string_view name,
                      std::string_view what) {
  return {ErrorCode::failed, "the attribute " + quote(name) + " of " +
                                 quote(tree.image_path(entry)) + " " + std::string(what)};
}

Result<std::vector<StoredAttribute>> attributes_to_store(const Tree& tree, EntryIndex index,
                                                         std::span<const StoredAttribute> kept) {
  const Entry& entry = tree.entries[index];
  std::vector<StoredAttribute> list(kept.begin(), kept.end());
  for (std::uint32_t at = 0; at < entry.attributes; ++at) {
    const Attribute& attribute = tree.attributes[entry.first_attribute + at];
    const std::string_view name = tree.at(attribute.name);
    const Prefix* const prefix = prefix_of(name);
    if (prefix == nullptr) continue;
    const std::string_view rest = name.substr(prefix->text.size());
    StoredAttribute disk{prefix->kind, std::string(rest), std::string(tree.at(attribute.value))};
    if (rest.size() > UINT8_MAX) {
      return fail(attribute_error(tree, index, name, "has a name that is too long for an image"));
    }
    if (prefix->whole) {
      auto acl = acl_for_disk(disk.value);
      if (!acl) return fail(attribute_error(tree, index, name, "is no valid ACL"));
      disk.value = std::move(*acl);
    }
    list.push_back(std::move(disk));
  }
  // The kernel searches a block in this order.
  std::sort(list.begin(), list.end(), [](const StoredAttribute& one, const StoredAttribute& other) {
    return std::tuple(one.kind, one.name.size(), std::string_view(one.name)) <
           std::tuple(other.kind, other.name.size(), std::string_view(other.name));
  });
  return list;
}

/// Entries from `begin` on, values from the end backwards; offsets count from `origin`.
void fill(std::vector<std::byte>& area, std::size_t begin, std::size_t origin,
          const std::vector<const StoredAttribute*>& list, bool hashes) {
  std::size_t at = begin;
  std::size_t end = area.size();
  for (const StoredAttribute* const attribute : list) {
    ext2_ext_attr_entry entry{};
    entry.e_name_len = static_cast<std::uint8_t>(attribute->name.size());
    entry.e_name_index = attribute->kind;
    entry.e_value_size = static_cast<std::uint32_t>(attribute->value.size());
    if (!attribute->value.empty()) {
      end -= attribute->value_bytes();
      entry.e_value_offs = static_cast<std::uint16_t>(end - origin);
      std::memcpy(area.data() + end, attribute->value.data(), attribute->value.size());
    }
    if (hashes) entry.e_hash = entry_hash(*attribute);
    std::memcpy(area.data() + at, &entry, sizeof entry);
    std::memcpy(area.data() + at + sizeof entry, attribute->name.data(), attribute->name.size());
    at += attribute->entry_bytes();
  }
}

std::vector<std::byte> inode_area(const std::vector<const StoredAttribute*>& list,
                                  std::size_t bytes) {
  std::vector<std::byte> area(bytes);
  const std::uint32_t magic = EXT2_EXT_ATTR_MAGIC;
  std::memcpy(area.data(), &magic, sizeof magic);
  fill(area, kMagicBytes, kMagicBytes, list, false);
  return area;
}

std::vector<std::byte> block_area(const std::vector<const StoredAttribute*>& list,
                                  std::size_t bytes) {
  std::vector<std::byte> area(bytes);
  ext2_ext_attr_header header{};
  header.h_magic = EXT2_EXT_ATTR_MAGIC;
  header.h_refcount = 1;
  header.h_blocks = 1;
  for (const StoredAttribute* const attribute : list) {
    header.h_hash = header.h_hash << 16 ^ header.h_hash >> 16 ^ entry_hash(*attribute);
  }
  std::memcpy(area.data(), &header, sizeof header);
  fill(area, kBlockHeader, 0, list, true);
  return area;
}

/// Which of `list` go into the inode: those that together leave the least of `room` unused, so that
/// the block has to hold as little as can be. All sizes are multiples of 4.
std::vector<bool> fullest(const std::vector<StoredAttribute>& list, std::size_t room) {
  constexpr std::size_t kUnit = 4;
  constexpr std::size_t kNotReached = SIZE_MAX;
  // For each sum the attribute that reached it first, with smaller numbers for the rest of it.
  std::vector<std::size_t> last(room / kUnit + 1, kNotReached);
  const auto is_reached = [&](std::size_t sum) { return sum == 0 || last[sum] != kNotReached; };
  for (std::size_t at = 0; at < list.size(); ++at) {
    const std::size_t size = list[at].bytes() / kUnit;
    for (std::size_t sum = last.size() - 1; sum >= size; --sum) {
      if (!is_reached(sum) && is_reached(sum - size)) last[sum] = at;
    }
  }
  std::vector<bool> chosen(list.size());
  std::size_t sum = last.size() - 1;
  while (!is_reached(sum)) --sum;
  for (; sum > 0; sum -= list[last[sum]].bytes() / kUnit) chosen[last[sum]] = true;
  return chosen;
}

}  // namespace

std::size_t StoredAttribute::entry_bytes() const {
  return EXT2_EXT_ATTR_LEN(name.size());
}

std::size_t StoredAttribute::value_bytes() const {
  return EXT2_EXT_ATTR_SIZE(value.size());
}

bool is_carried(std::uint8_t kind) {
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes),
                     [&](const Prefix& prefix) { return prefix.kind == kind; });
}

std::uint64_t unstorable_attributes(const Tree& tree) {
  return static_cast<std::uint64_t>(
      std::count_if(tree.attributes.begin(), tree.attributes.end(),
                    [&](const Attribute& one) { return prefix_of(tree.at(one.name)) == nullptr; }));
}

Result<StoredAttributes> store_attributes(const Tree& tree, EntryIndex entry,
                                          std::span<const StoredAttribute> kept,
                                          std::size_t inode_bytes, std::size_t block_bytes) {
  UPDATE_TRY_ASSIGN(const std::vector<StoredAttribute> list,
                    attributes_to_store(tree, entry, kept));
  const std::size_t inode_room =
      inode_bytes > kMagicBytes + kEndBytes ? inode_bytes - kMagicBytes - kEndBytes : 0;
  const std::vector<bool> chosen = fullest(list, inode_room);
  std::size_t block_room = block_bytes - kBlockHeader - kEndBytes;
  std::vector<const StoredAttribute*> in_inode;
  std::vector<const StoredAttribute*> in_block;
  for (std::size_t at = 0; at < list.size(); ++at) {
    (chosen[at] ? in_inode : in_block).push_back(&list[at]);
    if (chosen[at]) continue;
    if (list[at].bytes() > block_room) {
      return fail(Error(ErrorCode::failed, "the attributes of " + quote(tree.image_path(entry)) +
                                               " do not fit into an image"));
    }
    block_room -= list[at].bytes();
  }
  StoredAttributes stored;
  if (!in_inode.empty()) stored.in_inode = inode_area(in_inode, inode_bytes);
  if (!in_block.empty()) stored.block = block_area(in_block, block_bytes);
  return stored;
}

void set_attribute_checksum(std::vector<std::byte>& block, std::uint32_t filesystem_seed,
                            std::uint64_t place) {
  const std::uint32_t sum = checksum(checksum_of(filesystem_seed, place), block);
  std::memcpy(block.data() + offsetof(ext2_ext_attr_header, h_checksum), &sum, sizeof sum);
}

}  // namespace update::image
