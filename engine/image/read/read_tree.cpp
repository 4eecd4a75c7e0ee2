#include "engine/image/read/read_tree.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "engine/base/text.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/read/disk_attributes.hpp"
#include "engine/image/read/disk_folder.hpp"
#include "engine/image/read/disk_inode.hpp"

namespace update::image {
namespace {

constexpr std::uint32_t kMostNanoseconds = 999'999'999;
constexpr std::size_t kMostTarget = 4095;
constexpr std::uint32_t kModeBits = 07777;
constexpr std::string_view kLostAndFound = "lost+found";

#define UPDATE_FIELD_END(field) \
  (offsetof(ext2_inode_large, field) + sizeof(ext2_inode_large::field))

class TreeReader {
 public:
  TreeReader(ext2_filsys fs, const TreeLimits& limits)
      : fs_(fs),
        limits_(limits),
        metadata_(fs),
        mapper_(fs, limits.extents),
        attributes_(fs, mapper_),
        blocks_left_(ext2fs_blocks_count(fs->super)) {}

  Result<Tree> read(std::string_view path, Depth depth) {
    wanted_ = depth;
    UPDATE_TRY(check_top());
    UPDATE_TRY_ASSIGN(const ext2_ino_t top, look_up(path));
    UPDATE_TRY(add(kNoEntry, {}, top));
    if (tree_.entries.empty()) {
      return fail(ErrorCode::failed, quote(path) + " in the image is a device, a socket or a pipe");
    }
    // Folder after folder, in the order in which they were found.
    for (EntryIndex index = 0; index < tree_.entries.size(); ++index) {
      if (depth == Depth::entry || (depth == Depth::children && index > 0)) break;
      if (tree_.entries[index].type == EntryType::folder) {
        UPDATE_TRY(add_children(index, depth));
      }
    }
    return std::move(tree_);
  }

 private:
  Status check_top() const;
  Result<ext2_ino_t> look_up(std::string_view path);
  Status add(EntryIndex parent, std::string_view name, ext2_ino_t number);
  Status add_children(EntryIndex folder, Depth depth);
  Status check_use(const DiskInode& inode);
  static Status check_readable(const DiskInode& inode);
  Status check_marked_used(ext2_ino_t number);
  Status fill(const DiskInode& inode, Entry& entry);
  void fill_times(const DiskInode& inode, Entry& entry) const;
  Status fill_attributes(Entry& entry);
  Status fill_file(const DiskInode& inode, Entry& entry);
  Status fill_link(const DiskInode& inode, Entry& entry);
  Result<std::string> inline_content(const DiskInode& inode);
  Status take_blocks(ext2_ino_t number, const BlockMap& map);
  Result<Text> keep(std::string_view bytes);

  ext2_filsys fs_;
  const TreeLimits& limits_;
  Depth wanted_ = Depth::tree;
  Tree tree_;
  MetadataBlocks metadata_;
  BlockMapper mapper_;
  DiskAttributes attributes_;
  BlockMap map_;
  std::uint64_t
      blocks_left_;  ///< of files that share none, all together have no more than there are
  std::unordered_map<ext2_ino_t, EntryIndex> first_names_;
  std::vector<std::uint16_t> depths_;
  std::uint32_t bitmap_group_ = UINT32_MAX;
  std::vector<std::uint8_t> bitmap_;
};

// Without it nothing would be found, and an image that is damaged be taken for an empty one.
Status TreeReader::check_top() const {
  UPDATE_TRY_ASSIGN(const DiskInode top, DiskInode::read(fs_, EXT2_ROOT_INO));
  if (LINUX_S_ISDIR(top.raw().i_mode)) return {};
  return fail(damaged_inode(EXT2_ROOT_INO, "should be the top folder, but is none"));
}

Result<ext2_ino_t> TreeReader::look_up(std::string_view path) {
  ext2_ino_t number = EXT2_ROOT_INO;
  for (std::string_view rest = path;;) {
    rest.remove_prefix(std::min(rest.find_first_not_of('/'), rest.size()));
    if (rest.empty()) return number;
    const std::string_view name = rest.substr(0, rest.find('/'));
    rest.remove_prefix(name.size());
    const auto missing = [&] {
      return fail(ErrorCode::not_found, "there is no " + quote(path) + " in the image");
    };
    UPDATE_TRY_ASSIGN(const DiskInode folder, DiskInode::read(fs_, number));
    if (!LINUX_S_ISDIR(folder.raw().i_mode)) return missing();
    UPDATE_TRY(check_use(folder));
    UPDATE_TRY(check_readable(folder));
    ext2_ino_t found = 0;
    UPDATE_TRY(read_disk_folder(fs_, folder, mapper_, attributes_, [&](const FolderEntry& entry) {
      if (entry.name == name) found = entry.inode;
      return Status{};
    }));
    if (found == 0) return missing();
    number = found;
  }
}

Status TreeReader::add_children(EntryIndex folder, Depth depth) {
  const auto number = static_cast<ext2_ino_t>(tree_.entries[folder].inode);
  UPDATE_TRY_ASSIGN(const DiskInode inode, DiskInode::read(fs_, number));
  const bool leave_out = (depth == Depth::tree && number == EXT2_ROOT_INO) ||
                         (depth == Depth::contents && folder == 0);
  std::vector<std::pair<std::string, ext2_ino_t>> children;
  const auto visit = [&](const FolderEntry& entry) -> Status {
    if (leave_out && entry.name == kLostAndFound) return {};
    if (children.size() + tree_.entries.size() >= limits_.entries) {
      return fail(ErrorCode::failed, "the image has more than " + std::to_string(limits_.entries) +
                                         " files and folders");
    }
    children.emplace_back(entry.name, entry.inode);
    return {};
  };
  FolderDots dots;
  UPDATE_TRY(read_disk_folder(fs_, inode, mapper_, attributes_, visit, &dots));
  const EntryIndex parent = tree_.entries[folder].parent;
  if (parent != kNoEntry && tree_.entries[parent].inode != dots.above) {
    return fail(damaged_inode(number, "is a folder whose '..' is another than the one it is in"));
  }
  std::sort(children.begin(), children.end());
  for (const auto& [name, child] : children) UPDATE_TRY(add(folder, name, child));
  return {};
}

Status TreeReader::add(EntryIndex parent, std::string_view name, ext2_ino_t number) {
  UPDATE_TRY_ASSIGN(const DiskInode inode, DiskInode::read(fs_, number));
  Entry entry;
  entry.parent = parent;
  entry.inode = number;
  UPDATE_TRY_ASSIGN(entry.name, keep(name));
  const auto index = static_cast<EntryIndex>(tree_.entries.size());
  const auto depth = static_cast<std::uint16_t>(parent == kNoEntry ? 0 : depths_[parent] + 1);
  // The entry is there before it is complete: errors name it by its path.
  tree_.entries.push_back(entry);
  const auto complete = [&]() -> Status {
    // Deep is not damaged: a folder that is in itself is found at its second name.
    if (depth > limits_.depth) {
      return fail(ErrorCode::failed, "it lies in more than " + std::to_string(limits_.depth) +
                                         " folders, the limit for reading an image");
    }
    UPDATE_TRY(check_use(inode));
    const bool shown_alone = wanted_ == Depth::children && parent != kNoEntry;
    if (!(shown_alone && LINUX_S_ISDIR(inode.raw().i_mode))) UPDATE_TRY(check_readable(inode));
    const auto [first, fresh] = first_names_.emplace(number, index);
    if (fresh) return fill(inode, entry);
    if (LINUX_S_ISDIR(inode.raw().i_mode)) {
      return fail(damaged_inode(number, "is a folder that is in two places"));
    }
    if (inode.raw().i_links_count < 2) {
      return fail(damaged_inode(number, "has more names than it counts"));
    }
    entry.link_to = first->second;
    entry.type = tree_.entries[entry.link_to].type;
    return {};
  };
  std::optional<Skipped> skipped;
  const std::uint16_t mode = inode.raw().i_mode;
  if (LINUX_S_ISCHR(mode) || LINUX_S_ISBLK(mode)) skipped = Skipped::device;
  if (LINUX_S_ISSOCK(mode)) skipped = Skipped::socket;
  if (LINUX_S_ISFIFO(mode)) skipped = Skipped::pipe;
  if (skipped) {
    tree_.entries.pop_back();
    tree_.skip(*skipped);
    return {};
  }
  if (Status done = complete(); !done) {
    return fail(std::move(done).error().with(quote(tree_.path(index))));
  }
  tree_.entries.back() = entry;
  depths_.push_back(depth);
  return {};
}

Status TreeReader::check_use(const DiskInode& inode) {
  const ext2_ino_t number = inode.number();
  const bool reserved = number != EXT2_ROOT_INO && number < EXT2_FIRST_INO(fs_->super);
  if (reserved || inode.has_flag(EXT4_EA_INODE_FL)) {
    return fail(damaged_inode(number, "is named, but is one that has no name"));
  }
  if (inode.raw().i_links_count == 0) return fail(damaged_inode(number, "is named, but deleted"));
  return check_marked_used(number);
}

Status TreeReader::check_readable(const DiskInode& inode) {
  if (!inode.has_flag(EXT4_ENCRYPT_FL)) return {};
  return fail(ErrorCode::not_trusted,
              "it is encrypted: only the kernel that has the key can read it");
}

// One group's bitmap at a time: inodes that belong together are mostly in one.
Status TreeReader::check_marked_used(ext2_ino_t number) {
  const dgrp_t group = ext2fs_group_of_ino(fs_, number);
  if (bitmap_group_ != group) {
    bitmap_group_ = UINT32_MAX;
    bitmap_.assign(fs_->blocksize, 0);
    if (ext2fs_bg_flags_test(fs_, group, EXT2_BG_INODE_UNINIT) == 0 ||
        ext2fs_has_group_desc_csum(fs_) == 0) {
      UPDATE_TRY(ext2_status(
          io_channel_read_blk64(fs_->io, ext2fs_inode_bitmap_loc(fs_, group), 1, bitmap_.data()),
          "reading a bitmap of the image's inodes"));
    }
    bitmap_group_ = group;
  }
  const std::uint32_t bit = (number - 1) % fs_->super->s_inodes_per_group;
  if ((bitmap_[bit / 8] >> (bit % 8) & 1U) != 0) return {};
  return fail(damaged_inode(number, "is named, but marked as free"));
}

Result<Text> TreeReader::keep(std::string_view bytes) {
  if (bytes.size() > limits_.text_bytes - std::min(tree_.text.size(), limits_.text_bytes)) {
    return fail(ErrorCode::failed, "the image has more than " + format_size(limits_.text_bytes) +
                                       " of names and attributes");
  }
  return tree_.keep(bytes);
}

Status TreeReader::fill(const DiskInode& inode, Entry& entry) {
  const ext2_inode_large& raw = inode.raw();
  entry.mode = static_cast<std::uint16_t>(raw.i_mode & kModeBits);
  entry.uid = raw.i_uid | std::uint32_t{raw.i_uid_high} << 16;
  entry.gid = raw.i_gid | std::uint32_t{raw.i_gid_high} << 16;
  entry.links = raw.i_links_count;
  fill_times(inode, entry);
  UPDATE_TRY(attributes_.read(inode));
  UPDATE_TRY(fill_attributes(entry));
  if (LINUX_S_ISDIR(raw.i_mode)) {
    entry.type = EntryType::folder;
    return {};
  }
  if (LINUX_S_ISREG(raw.i_mode)) {
    entry.type = EntryType::regular;
    return fill_file(inode, entry);
  }
  if (LINUX_S_ISLNK(raw.i_mode)) {
    entry.type = EntryType::symbolic_link;
    return fill_link(inode, entry);
  }
  return fail(damaged_inode(inode.number(), "has an unknown type"));
}

void TreeReader::fill_times(const DiskInode& inode, Entry& entry) const {
  // Two bits more of the seconds, and the nanoseconds, where the inode has room for them.
  const auto time = [&](std::uint32_t low, std::uint32_t extra, std::size_t end) {
    Time read{static_cast<std::int32_t>(low), 0};
    if (inode.has_field(end)) {
      read.seconds += std::int64_t{extra & 3U} << 32;
      // The kernel takes what is there: too many are no reason to refuse a whole image.
      read.nanoseconds = std::min(extra >> 2, kMostNanoseconds);
    }
    return read;
  };
  const ext2_inode_large& raw = inode.raw();
  entry.modified = time(raw.i_mtime, raw.i_mtime_extra, UPDATE_FIELD_END(i_mtime_extra));
  entry.accessed = time(raw.i_atime, raw.i_atime_extra, UPDATE_FIELD_END(i_atime_extra));
  entry.changed = time(raw.i_ctime, raw.i_ctime_extra, UPDATE_FIELD_END(i_ctime_extra));
}

Status TreeReader::fill_attributes(Entry& entry) {
  entry.first_attribute = static_cast<std::uint32_t>(tree_.attributes.size());
  for (const DiskAttribute& attribute : attributes_.all()) {
    if (is_inline_data(attribute.kind, attribute.name)) continue;
    const auto name = full_attribute_name(attribute.kind, attribute.name);
    if (!name || name->size() > EXT2_NAME_LEN || name->substr(0, 8) == "trusted.") {
      tree_.skip(Skipped::attribute);
      continue;
    }
    std::string_view value = attribute.value;
    std::optional<std::string> acl;
    if (is_acl(attribute.kind)) {
      acl = acl_from_disk(value);
      if (!acl) {
        return fail(damaged_inode(static_cast<ext2_ino_t>(entry.inode), "has a damaged ACL"));
      }
      value = *acl;
    }
    if (tree_.attributes.size() >= limits_.extents) {
      return fail(ErrorCode::failed, "the image has too many extended attributes");
    }
    Attribute kept;
    UPDATE_TRY_ASSIGN(kept.name, keep(*name));
    UPDATE_TRY_ASSIGN(kept.value, keep(value));
    tree_.attributes.push_back(kept);
    ++entry.attributes;
  }
  return {};
}

Result<std::string> TreeReader::inline_content(const DiskInode& inode) {
  const auto area = inode.block_area();
  std::string content(reinterpret_cast<const char*>(area.data()), area.size());
  content.append(attributes_.inline_data().value_or(std::string_view()));
  if (inode.size() > content.size()) {
    return fail(damaged_inode(inode.number(), "is longer than what it holds"));
  }
  content.resize(inode.size());
  return content;
}

Status TreeReader::take_blocks(ext2_ino_t number, const BlockMap& map) {
  if (map.blocks > blocks_left_) {
    return fail(damaged_inode(number, "shares blocks with others"));
  }
  blocks_left_ -= map.blocks;
  for (const BlockRun& run : map.runs) {
    if (metadata_.overlaps(run.physical, run.length)) {
      return fail(damaged_inode(number, "has blocks that are the file system's own"));
    }
  }
  return {};
}

Status TreeReader::fill_file(const DiskInode& inode, Entry& entry) {
  entry.size = inode.size();
  const std::uint64_t block = fs_->blocksize;
  if (entry.size > block << 32) return fail(damaged_inode(inode.number(), "has an illegal size"));
  // A verity file is read as any other, but can be one no longer elsewhere.
  if (inode.has_flag(EXT4_VERITY_FL)) tree_.skip(Skipped::attribute);
  if (inode.has_flag(EXT4_INLINE_DATA_FL)) {
    UPDATE_TRY_ASSIGN(const std::string content, inline_content(inode));
    UPDATE_TRY_ASSIGN(entry.content, keep(content));
    return {};
  }
  UPDATE_TRY(mapper_.map(inode, map_));
  UPDATE_TRY(take_blocks(inode.number(), map_));
  entry.first_extent = static_cast<std::uint32_t>(tree_.extents.size());
  for (const BlockRun& run : map_.runs) {
    const std::uint64_t offset = run.logical * block;
    if (offset >= entry.size) break;
    if (!run.written) continue;
    if (tree_.extents.size() >= limits_.extents) {
      return fail(ErrorCode::failed, "the files of the image have more than " +
                                         std::to_string(limits_.extents) + " extents");
    }
    tree_.extents.push_back(
        {offset, run.physical * block, std::min(run.length * block, entry.size - offset)});
    ++entry.extents;
  }
  return {};
}

Status TreeReader::fill_link(const DiskInode& inode, Entry& entry) {
  const auto damaged = [&] { return fail(damaged_inode(inode.number(), "is a damaged link")); };
  const std::uint64_t size = inode.size();
  if (size == 0 || size > kMostTarget || size > fs_->blocksize) return damaged();
  std::string target;
  const bool short_one = size < inode.block_area().size() && !inode.has_flag(EXT4_EXTENTS_FL);
  if (inode.has_flag(EXT4_INLINE_DATA_FL) || short_one) {
    UPDATE_TRY_ASSIGN(target, inline_content(inode));
  } else {
    UPDATE_TRY(mapper_.map(inode, map_));
    UPDATE_TRY(take_blocks(inode.number(), map_));
    if (map_.runs.empty() || map_.runs[0].logical != 0 || !map_.runs[0].written) return damaged();
    target.resize(fs_->blocksize);
    UPDATE_TRY(ext2_status(io_channel_read_blk64(fs_->io, map_.runs[0].physical, 1, target.data()),
                           "reading the target of a link"));
    target.resize(size);
  }
  if (target.find('\0') != std::string::npos) return damaged();
  UPDATE_TRY_ASSIGN(entry.content, keep(target));
  return {};
}

#undef UPDATE_FIELD_END

}  // namespace

Result<Tree> read_tree(ext2_filsys fs, std::string_view path, Depth depth,
                       const TreeLimits& limits) {
  return TreeReader(fs, limits).read(path, depth);
}

}  // namespace update::image
