#include "engine/image/write/write_tree.hpp"

#include "engine/base/text.hpp"
#include "engine/image/ext4/channel.hpp"
#include "engine/image/ext4/checksum.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/write/file_blocks.hpp"

#include <algorithm>
#include <cstring>

namespace update::image {
namespace {

constexpr std::uint32_t kMostFileLinks = 65000;
constexpr std::size_t kFastLinkBytes = 60;

std::uint8_t directory_type(EntryType type) {
  switch (type) {
    case EntryType::folder: return EXT2_FT_DIR;
    case EntryType::symbolic_link: return EXT2_FT_SYMLINK;
    case EntryType::regular: break;
  }
  return EXT2_FT_REG_FILE;
}

// As the kernel's ext4_max_size(). Without huge_file an inode counts its blocks in 512 bytes each.
std::uint64_t largest_file(ext2_filsys fs) {
  constexpr std::uint64_t kMostCounted = UINT32_MAX;
  const std::uint64_t sectors = fs->blocksize / 512;
  const bool huge = ext2fs_has_feature_huge_file(fs->super) != 0;
  return (huge ? kMostCounted : kMostCounted / sectors) * fs->blocksize;
}

std::uint64_t count_blocks(std::span<const Piece> pieces) {
  std::uint64_t blocks = 0;
  for (const Piece& piece : pieces) blocks += piece.count;
  return blocks;
}

}  // namespace

TreeWriter::TreeWriter(ext2_filsys fs, const Tree& tree, OwnerRule owners, bool zeroed)
    : fs_(fs),
      tree_(tree),
      owners_(owners),
      zeroed_(zeroed),
      allocator_(fs),
      next_inode_(EXT2_FIRST_INODE(fs->super)),
      inodes_(tree.entries.size()),
      links_(tree.entries.size()) {}

Result<std::vector<DataRun>> TreeWriter::write(const PresentFolders& present) {
  sort_children();
  UPDATE_TRY(take_inodes(present));
  count_links(present);
  auto next = present.begin();
  for (EntryIndex index = 0; index < tree_.entries.size(); ++index) {
    if (tree_.entries[index].link_to != kNoEntry) continue;
    if (next != present.end() && next->first == index) {
      UPDATE_TRY(write_present(index, next->second));
      ++next;
      continue;
    }
    Status written = write_entry(index);
    if (!written) {
      return fail(std::move(written).error().with("writing " + quote(tree_.image_path(index))));
    }
  }
  return std::move(runs_);
}

Status TreeWriter::take_inodes(const PresentFolders& present) {
  for (const auto& [index, folder] : present) inodes_[index] = folder.inode;
  for (EntryIndex index = 0; index < tree_.entries.size(); ++index) {
    const Entry& entry = tree_.entries[index];
    if (entry.link_to != kNoEntry) {
      inodes_[index] = inodes_[entry.link_to];
    } else if (inodes_[index] == 0) {
      UPDATE_TRY_ASSIGN(inodes_[index], take_inode(entry.type == EntryType::folder));
    }
  }
  return {};
}

Result<ext2_ino_t> TreeWriter::take_inode(bool folder) {
  ext2_ino_t number = 0;
  const ext2_ino_t last = fs_->super->s_inodes_count;
  const errcode_t found = next_inode_ > last ? ENOENT
                                             : ext2fs_find_first_zero_inode_bitmap2(
                                                   fs_->inode_map, next_inode_, last, &number);
  if (found != 0) {
    return fail(ErrorCode::no_space,
                "the image has no inodes left (it has " + std::to_string(last) + ")");
  }
  ext2fs_inode_alloc_stats2(fs_, number, +1, folder ? 1 : 0);
  next_inode_ = number + 1;
  return number;
}

void TreeWriter::count_links(const PresentFolders& present) {
  const auto is_present = [&](EntryIndex index) {
    const auto place = std::lower_bound(
        present.begin(), present.end(), index,
        [](const auto& folder, EntryIndex wanted) { return folder.first < wanted; });
    return place != present.end() && place->first == index;
  };
  for (EntryIndex index = 0; index < tree_.entries.size(); ++index) {
    const Entry& entry = tree_.entries[index];
    if (entry.type != EntryType::folder) {
      ++links_[entry.link_to != kNoEntry ? entry.link_to : index];
    } else if (entry.parent != kNoEntry && !is_present(index)) {
      ++links_[entry.parent];
    }
  }
}

// Counted first, then placed: entries of one folder stay in the order of the tree.
void TreeWriter::sort_children() {
  const std::size_t count = tree_.entries.size();
  first_child_.assign(count + 1, 0);
  for (const Entry& entry : tree_.entries) {
    if (entry.parent != kNoEntry) ++first_child_[entry.parent + 1];
  }
  for (std::size_t at = 1; at <= count; ++at) first_child_[at] += first_child_[at - 1];
  children_.resize(first_child_[count]);
  std::vector<std::uint32_t> place(first_child_.begin(), first_child_.end() - 1);
  for (EntryIndex index = 0; index < count; ++index) {
    const EntryIndex parent = tree_.entries[index].parent;
    if (parent != kNoEntry) children_[place[parent]++] = index;
  }
}

std::span<const EntryIndex> TreeWriter::children(EntryIndex folder) const {
  return std::span(children_).subspan(first_child_[folder],
                                      first_child_[folder + 1] - first_child_[folder]);
}

Status TreeWriter::write_entry(EntryIndex index) {
  const Entry& entry = tree_.entries[index];
  InodeRecord record(fs_);
  record.describe(entry, owners_);
  switch (entry.type) {
    case EntryType::folder:
      record.set_links(2 + links_[index]);
      UPDATE_TRY(fill_folder(index, inodes_[entry.parent], nullptr, record));
      break;
    case EntryType::regular: UPDATE_TRY(fill_file(index, record)); break;
    case EntryType::symbolic_link: UPDATE_TRY(fill_link(index, record)); break;
  }
  if (entry.type != EntryType::folder) {
    if (links_[index] > kMostFileLinks) {
      return fail(ErrorCode::failed, "it has more than 65000 names, the most that ext4 can count");
    }
    record.set_links(links_[index]);
  }
  UPDATE_TRY(add_attributes(index, {}, record));
  return record.write(inodes_[index]);
}

Status TreeWriter::write_present(EntryIndex index, const PresentFolder& folder) {
  UPDATE_TRY_ASSIGN(InodeRecord record, InodeRecord::read(fs_, folder.inode));
  if (folder.described) {
    record.describe(tree_.entries[index], owners_);
    record.clear_attributes();
    UPDATE_TRY(add_attributes(index, folder.kept_attributes, record));
  }
  if (!children(index).empty()) {
    UPDATE_TRY(free_blocks(fs_, folder.inode, record.small(), "freeing the blocks of a folder"));
    const std::uint32_t links = record.fields().i_links_count;
    if (links != 1) record.set_links(links + links_[index]);
    UPDATE_TRY(fill_folder(index, folder.parent, &folder, record));
  }
  return record.write(folder.inode);
}

Status TreeWriter::fill_folder(EntryIndex index, ext2_ino_t parent, const PresentFolder* present,
                               InodeRecord& record) {
  std::vector<DirectoryName> names;
  const auto below = children(index);
  names.reserve(below.size() + (present != nullptr ? present->names.size() : 0));
  if (present != nullptr) {
    for (const auto& name : present->names) names.push_back({name.name, name.inode, name.type});
  }
  for (const EntryIndex child : below) {
    names.push_back({name_of(child), inodes_[child], directory_type(tree_.entries[child].type)});
  }
  const ext2_ino_t self = inodes_[index];
  UPDATE_TRY_ASSIGN(const DirectoryBlocks blocks,
                    build_directory(fs_, {self, parent, record.generation()}, names));
  record.fields().i_flags &= ~static_cast<std::uint32_t>(EXT2_INDEX_FL);
  if (blocks.indexed) record.fields().i_flags |= EXT2_INDEX_FL;
  record.set_size(blocks.bytes.size());
  return store_contents(blocks.bytes, self, record);
}

Status TreeWriter::fill_link(EntryIndex index, InodeRecord& record) {
  const std::string_view target = tree_.at(tree_.entries[index].content);
  record.set_size(target.size());
  if (target.size() < kFastLinkBytes) {
    std::memcpy(record.block_map().data(), target.data(), target.size());
    return {};
  }
  if (target.size() >= fs_->blocksize) {
    return fail(ErrorCode::failed, "the symbolic link is too long for an image");
  }
  return store_contents(std::as_bytes(std::span(target)), inodes_[index], record);
}

Status TreeWriter::fill_file(EntryIndex index, InodeRecord& record) {
  const Entry& entry = tree_.entries[index];
  const std::string_view content = tree_.at(entry.content);
  if (entry.size > largest_file(fs_)) {
    return fail(ErrorCode::failed, "it is larger than a file can be in the image");
  }
  if (entry.size > INT32_MAX) ext2fs_set_feature_large_file(fs_->super);
  record.set_size(entry.size);
  if (entry.extents == 0) {
    return store_contents(std::as_bytes(std::span(content)), inodes_[index], record);
  }
  std::vector<Piece> pieces;
  for (const BlockRange range : data_blocks(tree_, entry, fs_->blocksize)) {
    UPDATE_TRY_ASSIGN(const std::vector<Piece> taken, take_blocks(range.begin, range.end));
    pieces.insert(pieces.end(), taken.begin(), taken.end());
  }
  if (!zeroed_) UPDATE_TRY(clear_edges(index, pieces));
  add_runs(index, pieces);
  return store_extents(pieces, inodes_[index], record);
}

Status TreeWriter::store_contents(std::span<const std::byte> contents, ext2_ino_t number,
                                  InodeRecord& record) {
  const std::size_t size = fs_->blocksize;
  UPDATE_TRY_ASSIGN(const std::vector<Piece> pieces,
                    take_blocks(0, (contents.size() + size - 1) / size));
  for (const Piece& piece : pieces) {
    for (std::uint32_t at = 0; at < piece.count; ++at) {
      const std::size_t offset = (std::size_t{piece.logical} + at) * size;
      UPDATE_TRY(allocator_.write(
          piece.physical + at, contents.subspan(offset, std::min(size, contents.size() - offset))));
    }
  }
  return store_extents(pieces, number, record);
}

Result<std::vector<Piece>> TreeWriter::take_blocks(std::uint64_t begin, std::uint64_t end) {
  if (end > UINT32_MAX) return fail(ErrorCode::failed, "it is larger than a file can be in ext4");
  std::vector<Piece> pieces;
  while (begin < end) {
    UPDATE_TRY_ASSIGN(const BlockAllocator::Run run, allocator_.take(end - begin));
    pieces.push_back({static_cast<std::uint32_t>(begin), run.count, run.first});
    begin += run.count;
  }
  return pieces;
}

// Blocks that were somebody else's: where the data does not cover one, the old bytes would show.
Status TreeWriter::clear_edges(EntryIndex index, std::span<const Piece> pieces) {
  const Entry& entry = tree_.entries[index];
  const std::uint64_t size = fs_->blocksize;
  Channel& channel = channel_of(fs_);
  auto piece = pieces.begin();
  for (std::uint32_t at = 0; at < entry.extents; ++at) {
    const Extent& extent = tree_.extents[entry.first_extent + at];
    if (extent.length == 0) continue;
    for (const std::uint64_t edge : {extent.offset, extent.offset + extent.length}) {
      if (edge % size == 0) continue;
      const std::uint64_t block = edge / size;
      while (block >= std::uint64_t{piece->logical} + piece->count) ++piece;
      UPDATE_TRY(channel.zero((piece->physical + block - piece->logical) * size, size));
    }
  }
  return {};
}

void TreeWriter::add_runs(EntryIndex index, std::span<const Piece> pieces) {
  const Entry& entry = tree_.entries[index];
  const std::uint64_t size = fs_->blocksize;
  auto piece = pieces.begin();
  for (std::uint32_t at = 0; at < entry.extents; ++at) {
    const Extent& extent = tree_.extents[entry.first_extent + at];
    for (std::uint64_t done = 0; done < extent.length;) {
      const std::uint64_t offset = extent.offset + done;
      while (offset >= (std::uint64_t{piece->logical} + piece->count) * size) ++piece;
      const std::uint64_t within = offset - piece->logical * size;
      const std::uint64_t length = std::min(extent.length - done, piece->count * size - within);
      runs_.push_back({index, extent.source + done, piece->physical * size + within, length});
      done += length;
    }
  }
}

Status TreeWriter::store_extents(std::span<const Piece> pieces, ext2_ino_t number,
                                 InodeRecord& record) {
  record.fields().i_flags |= EXT4_EXTENTS_FL;
  std::fill(record.block_map().begin(), record.block_map().end(), std::byte{0});
  UPDATE_TRY_ASSIGN(const std::uint64_t tree_blocks,
                    write_extent_tree(fs_, inode_seed(fs_, number, record.generation()), pieces,
                                      allocator_, record.block_map()));
  record.add_blocks(count_blocks(pieces) + tree_blocks);
  return {};
}

Status TreeWriter::add_attributes(EntryIndex index, std::span<const StoredAttribute> kept,
                                  InodeRecord& record) {
  if (tree_.entries[index].attributes == 0 && kept.empty()) return {};
  ext2fs_set_feature_xattr(fs_->super);
  UPDATE_TRY_ASSIGN(StoredAttributes stored,
                    store_attributes(tree_, index, kept, record.attribute_room(), fs_->blocksize));
  if (!stored.in_inode.empty()) record.set_attributes(stored.in_inode);
  if (stored.block.empty()) return {};
  UPDATE_TRY_ASSIGN(const BlockAllocator::Run run, allocator_.take(1));
  if (has_checksums(fs_)) set_attribute_checksum(stored.block, fs_->csum_seed, run.first);
  UPDATE_TRY(allocator_.write(run.first, stored.block));
  record.set_attribute_block(run.first);
  return {};
}

}  // namespace update::image
