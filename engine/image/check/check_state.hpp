#pragma once

#include <ext2fs/ext2fs.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "engine/image/read/disk_attributes.hpp"
#include "engine/image/read/disk_inode.hpp"

// What the passes of check_image() share. Each pass tells what it finds and goes on, as far as what
// the next ones rely on is there.
namespace update::image {

/// What is wrong, the first few; the rest is counted by nobody.
class Findings {
 public:
  explicit Findings(std::size_t most) : most_(most) {}
  void add(std::string line) {
    if (!full()) lines_.push_back(std::move(line));
  }
  /// An error that is one: what came out of reading.
  void add(const Status& status) {
    if (!status) add(status.error().message());
  }
  bool full() const { return lines_.size() >= most_; }
  const std::vector<std::string>& lines() const { return lines_; }

 private:
  std::size_t most_;
  std::vector<std::string> lines_;
};

enum class InodeUse : std::uint8_t { free, file, folder, link, other, attribute };

/// What the table of inodes says of one, and what the folders do.
struct InodeFacts {
  std::uint16_t links = 0;
  std::uint16_t found_links = 0;  ///< 65,535 stands for more, too
  InodeUse use = InodeUse::free;
  std::uint8_t folder_type = 0;  ///< EXT2_FT_*
};

struct FolderFacts {
  ext2_ino_t named_in = 0;  ///< 0: nowhere
  ext2_ino_t above = 0;     ///< what its ".." says
};

/// The facts of all inodes. Those of inodes that are not used, nor named, have no place of their
/// own, so that the memory grows with what an image has, and not with what it could have.
class FactsTable {
 public:
  explicit FactsTable(ext2_filsys fs);
  /// The most memory that they may take, by what the groups say of their use.
  static std::uint64_t most_bytes(ext2_filsys fs);

  /// To be changed; a place is made for them.
  InodeFacts& at(ext2_ino_t number);
  InodeFacts get(ext2_ino_t number) const {
    const Part* const part = parts_[(number - 1) / kPart].get();
    return part != nullptr ? (*part)[(number - 1) % kPart] : InodeFacts{};
  }
  /// Has any of these a place?
  bool has_any(ext2_ino_t first, ext2_ino_t count) const;
  /// Of each inode that has a place, in rising order, until `goes_on` says no.
  template <class Visit, class GoesOn>
  void for_each(const Visit& visit, const GoesOn& goes_on) const {
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      if (parts_[part] == nullptr) continue;
      const std::size_t first = part * kPart + 1;
      for (std::size_t number = first; number < first + kPart && number <= count_; ++number) {
        if (!goes_on()) return;
        visit(static_cast<ext2_ino_t>(number));
      }
    }
  }

 private:
  static constexpr std::size_t kPart = 1024;
  using Part = std::array<InodeFacts, kPart>;

  std::size_t count_;
  std::vector<std::unique_ptr<Part>> parts_;
};

/// What the inodes of one owner take, as a file of quotas counts it.
struct QuotaUse {
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;
  bool operator==(const QuotaUse&) const = default;
};

enum class QuotaKind : std::uint8_t { user, group, project };

/// By their kind and number. Of images that have quotas: owners cost memory.
class QuotaUses {
 public:
  using Owners = std::unordered_map<std::uint32_t, QuotaUse>;
  void add(QuotaKind kind, std::uint32_t owner, const QuotaUse& use) {
    QuotaUse& sum = owners_[static_cast<std::size_t>(kind)][owner];
    sum.bytes += use.bytes;
    sum.inodes += use.inodes;
  }
  const Owners& of(QuotaKind kind) const { return owners_[static_cast<std::size_t>(kind)]; }

 private:
  std::array<Owners, 3> owners_;
};

struct BitmapFree {
  void operator()(ext2fs_block_bitmap bitmap) const { ext2fs_free_block_bitmap(bitmap); }
};
using Bitmap = std::unique_ptr<std::remove_pointer_t<ext2fs_block_bitmap>, BitmapFree>;

struct CheckState {
  CheckState(ext2_filsys opened, std::size_t most);

  /// Marks blocks as used by `inode` (0: the file system); tells where they are used already.
  void take_blocks(ext2_ino_t inode, std::uint64_t first, std::uint64_t length);
  void found(ext2_ino_t inode, std::string_view problem) {
    findings.add(damaged_inode(inode, problem).message());
  }
  /// One that no folder has to name: a quota file, the journal.
  bool is_hidden(ext2_ino_t inode) const;
  InodeFacts& facts(ext2_ino_t inode) { return inodes.at(inode); }

  ext2_filsys fs;
  Findings findings;
  BlockMapper mapper;
  DiskAttributes attributes;
  Bitmap used;  ///< clusters, as they were found to be used
  FactsTable inodes;
  std::unordered_map<ext2_ino_t, FolderFacts> folders;
  QuotaUses quotas;
};

/// What the superblock says of parts that it says the image has not.
void check_superblock(CheckState& state);
/// Descriptors of the groups, backups of the superblock, where the tables lie. false: so damaged
/// that nothing else can be looked at.
bool check_groups(CheckState& state);
void check_inodes(CheckState& state);
/// What no folder names: space for more descriptors, orphans, the block against double mounts.
void check_hidden(CheckState& state);
void check_journal(CheckState& state);
/// Is there one that the image does not hold itself?
bool names_other_journal(const ext2_super_block& super);
/// The files of quotas, against what the inodes take.
void check_quotas(CheckState& state);
/// Is it a file of quotas, as the superblock says?
bool is_quota_file(const ext2_super_block& super, ext2_ino_t number);
/// Entries, and that each folder is below the top.
void check_folders(CheckState& state);
/// The hash tree of a large folder.
void check_folder_index(CheckState& state, const DiskInode& inode);
/// Links, bitmaps, and what is counted.
void check_counts(CheckState& state);

}  // namespace update::image
