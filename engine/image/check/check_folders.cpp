#include "engine/image/check/check_state.hpp"
#include "engine/image/read/disk_folder.hpp"

#include "engine/base/text.hpp"

#include <algorithm>

namespace update::image {
namespace {

class FolderCheck {
 public:
  explicit FolderCheck(CheckState& state) : state_(state) {}

  void run() {
    if (state_.facts(EXT2_ROOT_INO).use != InodeUse::folder) {
      state_.findings.add("the image has no top folder");
      return;
    }
    state_.inodes.for_each(
        [&](ext2_ino_t number) {
          if (state_.facts(number).use == InodeUse::folder) check(number);
        },
        [&] { return !state_.findings.full(); });
    for (auto& [number, facts] : state_.folders) check_place(number, facts);
    check_loops();
  }

 private:
  void check(ext2_ino_t number);
  void check_dots(ext2_ino_t number, const FolderDots& dots);
  bool has_types() const { return ext2fs_has_feature_filetype(state_.fs->super) != 0; }
  Status check_entry(const DiskInode& folder, const FolderEntry& entry);
  void check_place(ext2_ino_t number, const FolderFacts& facts);
  void check_loops();
  void count_link(ext2_ino_t number) {
    if (number == 0 || number > state_.fs->super->s_inodes_count) return;
    std::uint16_t& links = state_.facts(number).found_links;
    if (links < UINT16_MAX) ++links;
  }

  CheckState& state_;
  std::vector<std::string> names_;
};

void FolderCheck::check(ext2_ino_t number) {
  const auto inode = DiskInode::read(state_.fs, number);
  if (!inode) return;  // its checksum is wrong, which was told
  names_.clear();
  FolderFacts& facts = state_.folders[number];
  const auto visit = [&](const FolderEntry& entry) { return check_entry(*inode, entry); };
  FolderDots dots;
  const Status read =
      read_disk_folder(state_.fs, *inode, state_.mapper, state_.attributes, visit, &dots);
  facts.above = dots.above;
  count_link(number);
  count_link(facts.above);
  if (!read) return state_.findings.add(read);
  check_dots(number, dots);
  std::sort(names_.begin(), names_.end());
  const auto twice = std::adjacent_find(names_.begin(), names_.end());
  if (twice != names_.end()) state_.found(number, "is a folder with two entries " + quote(*twice));
  if (inode->has_flag(EXT2_INDEX_FL)) check_folder_index(state_, *inode);
}

void FolderCheck::check_dots(ext2_ino_t number, const FolderDots& dots) {
  if (!dots.are_folders) {
    state_.found(number, "is a folder whose '.' or '..' is said to be none");
  }
  if (!dots.are_ended) state_.found(number, "is a folder whose '.' or '..' goes on behind its end");
  if (dots.have_type && !has_types()) {
    state_.found(number,
                 "is a folder whose '.' or '..' has a type, which the image says it has not");
  }
}

Status FolderCheck::check_entry(const DiskInode& folder, const FolderEntry& entry) {
  names_.emplace_back(entry.name);
  const auto wrong = [&](std::string_view problem) {
    state_.found(folder.number(),
                 "is a folder whose entry " + quote(entry.name) + " " + std::string(problem));
  };
  constexpr std::size_t kLeastEncrypted = 16;  // a block of the cipher
  if (folder.has_flag(EXT4_ENCRYPT_FL) && entry.name.size() < kLeastEncrypted) {
    wrong("is too short to be encrypted");
  }
  InodeFacts& facts = state_.facts(entry.inode);
  count_link(entry.inode);
  if (entry.inode == EXT2_ROOT_INO || state_.is_hidden(entry.inode) ||
      facts.use == InodeUse::attribute) {
    wrong("is one that has no name");
    return {};
  }
  if (facts.use == InodeUse::free) {
    wrong("is an inode that is free");
    return {};
  }
  if (entry.type != EXT2_FT_UNKNOWN && !has_types()) {
    wrong("has a type, which the image says it has not");
  } else if (entry.type != EXT2_FT_UNKNOWN && entry.type != facts.folder_type) {
    wrong("is said to be of another type than it is");
  }
  if (facts.use == InodeUse::folder) {
    ext2_ino_t& place = state_.folders[entry.inode].named_in;
    if (place != 0) wrong("is a folder that is in two places");
    place = folder.number();
  }
  return {};
}

void FolderCheck::check_place(ext2_ino_t number, const FolderFacts& facts) {
  if (number == EXT2_ROOT_INO) {
    if (facts.above != number) state_.found(number, "is the top, but has something above it");
  } else if (facts.named_in == 0) {
    state_.found(number, "is a folder that is in none");
  } else if (facts.above != facts.named_in) {
    state_.found(number, "is a folder whose '..' is another than the one it is in");
  }
}

// Each folder has one place: what does not come up at the top or at one without a place is a ring.
void FolderCheck::check_loops() {
  std::unordered_map<ext2_ino_t, ext2_ino_t> seen_from;
  for (const auto& [start, facts] : state_.folders) {
    for (ext2_ino_t at = start; at != 0 && at != EXT2_ROOT_INO;) {
      const auto [seen, fresh] = seen_from.emplace(at, start);
      if (!fresh) {
        if (seen->second == start) state_.found(at, "is a folder that is below itself");
        break;
      }
      const auto found = state_.folders.find(at);
      at = found == state_.folders.end() ? 0 : found->second.named_in;
    }
  }
}

}  // namespace

void check_folders(CheckState& state) {
  FolderCheck(state).run();
}

}  // namespace update::image
