#include "engine/image/ext4/superblock.hpp"

#include <ext2fs/ext2_fs.h>
#include <ext2fs/ext2fs.h>

#include <bit>
#include <cstring>

#include "engine/base/text.hpp"

namespace update::image {
namespace {

// The structures of the disk are read as they lie there.
static_assert(std::endian::native == std::endian::little);
static_assert(sizeof(ext2_super_block) == kSuperblockBytes);

constexpr std::uint32_t kLeastBlockLog = 10;
constexpr std::uint32_t kMostBlockLog = 16;
constexpr std::uint64_t kMostGroups = 1U << 18;  // 32 TiB in groups of 128 MiB
constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 47;
constexpr std::uint32_t kLeastInodesPerGroup = 8;
constexpr std::uint32_t kMostInodes = UINT32_MAX - 1;
// The library knows multi-mount protection; its header says so only to the library itself.
constexpr std::uint32_t kKnownIncompatible =
    (EXT2_LIB_FEATURE_INCOMPAT_SUPP | EXT4_FEATURE_INCOMPAT_MMP) &
    ~EXT3_FEATURE_INCOMPAT_JOURNAL_DEV;

// What a writer may find and leaves as it is, or keeps consistent: what it must not touch of the
// others (encrypted folders, data within an inode) the inodes say themselves.
constexpr std::uint32_t kWritableCompatible =
    EXT3_FEATURE_COMPAT_HAS_JOURNAL | EXT2_FEATURE_COMPAT_EXT_ATTR |
    EXT2_FEATURE_COMPAT_RESIZE_INODE | EXT2_FEATURE_COMPAT_DIR_INDEX |
    EXT4_FEATURE_COMPAT_SPARSE_SUPER2 | EXT4_FEATURE_COMPAT_FAST_COMMIT |
    EXT4_FEATURE_COMPAT_STABLE_INODES | EXT4_FEATURE_COMPAT_ORPHAN_FILE;
constexpr std::uint32_t kWritableIncompatible =
    EXT2_FEATURE_INCOMPAT_FILETYPE | EXT3_FEATURE_INCOMPAT_RECOVER | EXT2_FEATURE_INCOMPAT_META_BG |
    EXT3_FEATURE_INCOMPAT_EXTENTS | EXT4_FEATURE_INCOMPAT_64BIT | EXT4_FEATURE_INCOMPAT_FLEX_BG |
    EXT4_FEATURE_INCOMPAT_EA_INODE | EXT4_FEATURE_INCOMPAT_CSUM_SEED |
    EXT4_FEATURE_INCOMPAT_LARGEDIR | EXT4_FEATURE_INCOMPAT_INLINE_DATA |
    EXT4_FEATURE_INCOMPAT_ENCRYPT | EXT4_FEATURE_INCOMPAT_CASEFOLD;
constexpr std::uint32_t kWritableReadOnlyCompatible =
    EXT2_FEATURE_RO_COMPAT_SPARSE_SUPER | EXT2_FEATURE_RO_COMPAT_LARGE_FILE |
    EXT4_FEATURE_RO_COMPAT_HUGE_FILE | EXT4_FEATURE_RO_COMPAT_GDT_CSUM |
    EXT4_FEATURE_RO_COMPAT_DIR_NLINK | EXT4_FEATURE_RO_COMPAT_EXTRA_ISIZE |
    EXT4_FEATURE_RO_COMPAT_METADATA_CSUM | EXT4_FEATURE_RO_COMPAT_VERITY |
    EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT;

struct Feature {
  char kind;  ///< compatible, incompatible, or read-only compatible
  std::uint32_t bit;
  std::string_view name;
};

// Those of the others that libext2fs opens, by the names of dumpe2fs.
constexpr Feature kNamedFeatures[] = {
    {'C', EXT2_FEATURE_COMPAT_DIR_PREALLOC, "dir_prealloc"},
    {'C', EXT2_FEATURE_COMPAT_IMAGIC_INODES, "imagic_inodes"},
    {'I', EXT4_FEATURE_INCOMPAT_MMP, "mmp"},
    {'R', EXT4_FEATURE_RO_COMPAT_QUOTA, "quota"},
    {'R', EXT4_FEATURE_RO_COMPAT_BIGALLOC, "bigalloc"},
    {'R', EXT4_FEATURE_RO_COMPAT_READONLY, "read-only"},
    {'R', EXT4_FEATURE_RO_COMPAT_PROJECT, "project"},
    {'R', EXT4_FEATURE_RO_COMPAT_SHARED_BLOCKS, "shared_blocks"},
};

bool has(std::uint32_t features, std::uint32_t feature) {
  return (features & feature) != 0;
}

tl::unexpected<Error> damaged_superblock(std::string_view problem) {
  return fail(Error(ErrorCode::not_trusted,
                    "the superblock of the image is damaged: " + std::string(problem))
                  .hint("e2fsck can look for a backup of it"));
}

std::uint64_t joined(std::uint32_t low, std::uint32_t high, const ext2_super_block& raw) {
  const bool wide = has(raw.s_feature_incompat, EXT4_FEATURE_INCOMPAT_64BIT);
  return low | (wide ? std::uint64_t{high} << 32 : 0);
}

Status check_kind(const ext2_super_block& raw) {
  if (raw.s_magic != EXT2_SUPER_MAGIC) {
    return fail(ErrorCode::not_trusted, "the file is no ext4 image: its magic number is missing");
  }
  if (raw.s_rev_level > EXT2_DYNAMIC_REV) {
    return fail(ErrorCode::failed, "the image has revision " + std::to_string(raw.s_rev_level) +
                                       " of the format, which is not known");
  }
  if (has(raw.s_feature_incompat, EXT3_FEATURE_INCOMPAT_JOURNAL_DEV)) {
    return fail(ErrorCode::failed, "the image is the journal of another file system");
  }
  const std::uint32_t unknown = raw.s_feature_incompat & ~kKnownIncompatible;
  if (unknown == 0) return {};
  return fail(ErrorCode::failed, "the image has features that are not known (bits " +
                                     std::to_string(unknown) + " of the incompatible ones)");
}

Status check_checksum(const ext2_super_block& raw) {
  if (!has(raw.s_feature_ro_compat, EXT4_FEATURE_RO_COMPAT_METADATA_CSUM)) return {};
  if (raw.s_checksum_type != EXT2_CRC32C_CHKSUM) {
    return fail(ErrorCode::failed, "the image has a kind of checksums that is not known");
  }
  unsigned char bytes[kSuperblockBytes];
  std::memcpy(bytes, &raw, sizeof(bytes));
  const std::uint32_t sum =
      ext2fs_crc32c_le(UINT32_MAX, bytes, offsetof(ext2_super_block, s_checksum));
  if (sum != raw.s_checksum) return damaged_superblock("its checksum is wrong");
  return {};
}

Status check_blocks(const ext2_super_block& raw, const Superblock& parsed,
                    std::uint64_t file_bytes) {
  const bool clusters = has(raw.s_feature_ro_compat, EXT4_FEATURE_RO_COMPAT_BIGALLOC);
  const std::uint32_t block_bits = parsed.block_size * 8;
  const std::uint32_t first = parsed.block_size == 1024 && !clusters ? 1 : 0;
  if (parsed.blocks > kMostBlocks) return damaged_superblock("it counts too many blocks");
  if (parsed.blocks <= raw.s_first_data_block) return damaged_superblock("it counts no blocks");
  if (parsed.blocks > file_bytes / parsed.block_size) {
    return damaged_superblock("it counts " + format_size(parsed.blocks * parsed.block_size) +
                              ", the file has " + format_size(file_bytes));
  }
  if (raw.s_first_data_block != first) return damaged_superblock("the first block is wrong");
  const std::uint32_t ratio = raw.s_log_cluster_size - raw.s_log_block_size;
  if (raw.s_log_cluster_size < raw.s_log_block_size || raw.s_log_cluster_size > 29 ||
      (ratio != 0 && !clusters)) {
    return damaged_superblock("the size of a cluster is wrong");
  }
  const std::uint64_t per_group = raw.s_clusters_per_group;
  if (per_group < 8 || per_group > block_bits || per_group % 8 != 0 ||
      raw.s_blocks_per_group != per_group << ratio) {
    return damaged_superblock("the size of a group is wrong");
  }
  return {};
}

Status check_groups(const ext2_super_block& raw, const Superblock& parsed) {
  if (parsed.groups > kMostGroups) return damaged_superblock("it counts too many groups");
  const bool wide = has(raw.s_feature_incompat, EXT4_FEATURE_INCOMPAT_64BIT);
  const std::uint32_t descriptor = wide ? raw.s_desc_size : EXT2_MIN_DESC_SIZE;
  if (!std::has_single_bit(descriptor) || descriptor > EXT2_MAX_DESC_SIZE ||
      (wide && descriptor < EXT2_MIN_DESC_SIZE_64BIT)) {
    return damaged_superblock("the size of a group's descriptor is wrong");
  }
  const std::uint64_t descriptor_blocks =
      (parsed.groups * descriptor + parsed.block_size - 1) / parsed.block_size;
  if (raw.s_first_data_block + 1 + descriptor_blocks > parsed.blocks) {
    return damaged_superblock("the groups' descriptors pass its end");
  }
  if (raw.s_reserved_gdt_blocks > parsed.block_size / 4) {
    return damaged_superblock("the space for more descriptors is too large");
  }
  return {};
}

Status check_inodes(const ext2_super_block& raw, const Superblock& parsed) {
  const bool old = raw.s_rev_level == EXT2_GOOD_OLD_REV;
  const std::uint32_t size = old ? EXT2_GOOD_OLD_INODE_SIZE : raw.s_inode_size;
  const std::uint32_t first = old ? EXT2_GOOD_OLD_FIRST_INO : raw.s_first_ino;
  if (!std::has_single_bit(size) || size < EXT2_GOOD_OLD_INODE_SIZE || size > parsed.block_size) {
    return damaged_superblock("the size of an inode is wrong");
  }
  const std::uint32_t per_group = raw.s_inodes_per_group;
  if (per_group < kLeastInodesPerGroup || per_group > parsed.block_size * 8 ||
      per_group * parsed.groups != parsed.inodes || parsed.inodes > kMostInodes) {
    return damaged_superblock("the number of inodes is wrong");
  }
  if (first < EXT2_GOOD_OLD_FIRST_INO || first > parsed.inodes) {
    return damaged_superblock("the first inode is wrong");
  }
  if (std::uint64_t{parsed.inodes} * size > parsed.blocks * parsed.block_size) {
    return damaged_superblock("the inodes pass its end");
  }
  return {};
}

// At most 16 bytes, ended by a NUL if shorter.
std::string label_of(const ext2_super_block& raw) {
  const std::string label(std::begin(raw.s_volume_name), std::end(raw.s_volume_name));
  return label.substr(0, label.find('\0'));
}

std::string feature_name(char kind, std::uint32_t bit) {
  for (const Feature& feature : kNamedFeatures) {
    if (feature.kind == kind && feature.bit == bit) return std::string(feature.name);
  }
  return std::string("FEATURE_") + kind + std::to_string(std::countr_zero(bit));
}

// By name, with commas.
void add_features(char kind, std::uint32_t features, std::string& names) {
  for (; features != 0; features &= features - 1) {
    names.append(names.empty() ? "" : ", ");
    names.append(feature_name(kind, features & ~(features - 1)));
  }
}

std::string unwritable_features(const ext2_super_block& raw) {
  std::string names;
  add_features('C', raw.s_feature_compat & ~kWritableCompatible, names);
  add_features('I', raw.s_feature_incompat & ~kWritableIncompatible, names);
  add_features('R', raw.s_feature_ro_compat & ~kWritableReadOnlyCompatible, names);
  return names;
}

std::string unknown_features(const ext2_super_block& raw) {
  constexpr std::uint32_t kCompatible = EXT2_LIB_FEATURE_COMPAT_SUPP;
  constexpr std::uint32_t kReadOnlyCompatible = EXT2_LIB_FEATURE_RO_COMPAT_SUPP;
  std::string names;
  add_features('C', raw.s_feature_compat & ~kCompatible, names);
  add_features('R', raw.s_feature_ro_compat & ~kReadOnlyCompatible, names);
  return names;
}

void read_state(const ext2_super_block& raw, Superblock& parsed) {
  const bool journal = has(raw.s_feature_compat, EXT3_FEATURE_COMPAT_HAS_JOURNAL);
  parsed.needs_recovery = has(raw.s_feature_incompat, EXT3_FEATURE_INCOMPAT_RECOVER);
  parsed.has_orphans =
      raw.s_last_orphan != 0 || has(raw.s_feature_ro_compat, EXT4_FEATURE_RO_COMPAT_ORPHAN_PRESENT);
  parsed.not_unmounted = (raw.s_state & EXT2_VALID_FS) == 0 && !journal;
  parsed.has_errors =
      (raw.s_state & EXT2_ERROR_FS) != 0 || ((raw.s_state & EXT2_VALID_FS) == 0 && journal);
  parsed.unwritable_features = unwritable_features(raw);
  parsed.unknown_features = unknown_features(raw);
}

}  // namespace

Result<Superblock> parse_superblock(std::span<const std::byte, kSuperblockBytes> bytes,
                                    std::uint64_t file_bytes) {
  ext2_super_block raw;
  std::memcpy(&raw, bytes.data(), sizeof(raw));
  UPDATE_TRY(check_kind(raw));
  UPDATE_TRY(check_checksum(raw));
  if (raw.s_log_block_size > kMostBlockLog - kLeastBlockLog) {
    return damaged_superblock("the size of a block is wrong");
  }
  Superblock parsed;
  parsed.block_size = 1U << (kLeastBlockLog + raw.s_log_block_size);
  parsed.blocks = joined(raw.s_blocks_count, raw.s_blocks_count_hi, raw);
  parsed.free_blocks = joined(raw.s_free_blocks_count, raw.s_free_blocks_hi, raw);
  parsed.inodes = raw.s_inodes_count;
  parsed.free_inodes = raw.s_free_inodes_count;
  UPDATE_TRY(check_blocks(raw, parsed, file_bytes));
  parsed.groups = (parsed.blocks - raw.s_first_data_block + raw.s_blocks_per_group - 1) /
                  raw.s_blocks_per_group;
  UPDATE_TRY(check_groups(raw, parsed));
  UPDATE_TRY(check_inodes(raw, parsed));
  std::memcpy(parsed.uuid.data(), raw.s_uuid, parsed.uuid.size());
  parsed.label = label_of(raw);
  read_state(raw, parsed);
  return parsed;
}

Result<Superblock> read_superblock(os::File& file) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file.info());
  std::array<std::byte, kSuperblockBytes> bytes{};
  UPDATE_TRY_ASSIGN(const std::size_t count, file.read_at(bytes, kSuperblockOffset));
  if (count < bytes.size()) {
    return fail(ErrorCode::not_trusted, "the file is no ext4 image: it is too short");
  }
  return parse_superblock(bytes, info.identity.size);
}

Status check_settled(const Superblock& superblock, bool writes) {
  const auto unsettled = [](std::string_view problem) {
    return fail(Error(ErrorCode::failed, "the image " + std::string(problem))
                    .hint("stop the VM that uses it, or run e2fsck on it"));
  };
  if (superblock.needs_recovery) {
    return unsettled("is in use or was not cleanly unmounted: its journal needs recovery");
  }
  if (superblock.not_unmounted) return unsettled("is in use or was not cleanly unmounted");
  if (!writes) return {};
  if (superblock.has_orphans) return unsettled("has deleted files that were still open");
  if (superblock.has_errors) return unsettled("was marked as damaged by the kernel");
  if (superblock.unwritable_features.empty()) return {};
  return fail(ErrorCode::failed,
              "the image has features that are not written to: " + superblock.unwritable_features);
}

}  // namespace update::image
