#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/image/write/block_allocator.hpp"
#include "engine/image/write/directory_blocks.hpp"
#include "engine/image/write/extent_tree.hpp"
#include "engine/image/write/inode_record.hpp"
#include "engine/image/write/write_image.hpp"

namespace update::image {

/// Bytes of a file that still have to be copied into the image.
struct DataRun {
  EntryIndex entry = kNoEntry;
  std::uint64_t source = 0;
  std::uint64_t target = 0;
  std::uint64_t length = 0;
};

/// What a folder of the file system holds, without `.` and `..`.
struct PresentFolder {
  struct Name {
    std::string name;
    ext2_ino_t inode = 0;
    std::uint8_t type = EXT2_FT_UNKNOWN;
  };
  ext2_ino_t inode = 0;
  ext2_ino_t parent = 0;
  std::vector<Name> names;
  bool described = false;  ///< it gets mode, owner, times and attributes of its entry
  /// Those of its own that no tree carries.
  std::vector<StoredAttribute> kept_attributes;
};

/// Where a tree meets what is there: entries that are folders of the file system. The others are
/// made new. Names that the tree has, too, are not in `names` any more.
using PresentFolders = std::vector<std::pair<EntryIndex, PresentFolder>>;  // by rising index

/// Puts the metadata of a tree into an open file system, the top into a folder that exists.
class TreeWriter {
 public:
  /// `zeroed`: what was never written reads as zeros, so that no block has to be cleared.
  TreeWriter(ext2_filsys fs, const Tree& tree, OwnerRule owners, bool zeroed);

  /// All but the bytes of the files, which the runs say. In memory: flush_image() has to follow.
  /// `present` has entry 0.
  Result<std::vector<DataRun>> write(const PresentFolders& present);

 private:
  Status take_inodes(const PresentFolders& present);
  Result<ext2_ino_t> take_inode(bool folder);
  void count_links(const PresentFolders& present);
  void sort_children();
  std::span<const EntryIndex> children(EntryIndex folder) const;

  Status write_entry(EntryIndex index);
  Status write_present(EntryIndex index, const PresentFolder& folder);
  Status fill_folder(EntryIndex index, ext2_ino_t parent, const PresentFolder* present,
                     InodeRecord& record);
  Status fill_file(EntryIndex index, InodeRecord& record);
  Status fill_link(EntryIndex index, InodeRecord& record);
  Status store_contents(std::span<const std::byte> contents, ext2_ino_t number,
                        InodeRecord& record);
  Result<std::vector<Piece>> take_blocks(std::uint64_t begin, std::uint64_t end);
  Status clear_edges(EntryIndex index, std::span<const Piece> pieces);
  void add_runs(EntryIndex index, std::span<const Piece> pieces);
  Status store_extents(std::span<const Piece> pieces, ext2_ino_t number, InodeRecord& record);
  Status add_attributes(EntryIndex index, std::span<const StoredAttribute> kept,
                        InodeRecord& record);
  std::string_view name_of(EntryIndex index) const { return tree_.name(index); }

  ext2_filsys fs_;
  const Tree& tree_;
  OwnerRule owners_;
  bool zeroed_;
  BlockAllocator allocator_;
  ext2_ino_t next_inode_;
  std::vector<ext2_ino_t> inodes_;    ///< of each entry
  std::vector<std::uint32_t> links_;  ///< names of each file, subfolders of each folder
  std::vector<EntryIndex> children_;  ///< all entries, those of one folder together
  std::vector<std::uint32_t> first_child_;
  std::vector<DataRun> runs_;
};

}  // namespace update::image
