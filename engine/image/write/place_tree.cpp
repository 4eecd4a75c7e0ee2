#include "engine/image/write/place_tree.hpp"

#include "engine/base/text.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/read/disk_attributes.hpp"
#include "engine/image/write/file_blocks.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace update::image {
namespace {

constexpr std::size_t kMostNames = 1'000'000;
constexpr std::uint32_t kNotForUs =
    EXT4_ENCRYPT_FL | EXT4_CASEFOLD_FL | EXT4_INLINE_DATA_FL | EXT2_IMMUTABLE_FL;

Error damaged(ext2_ino_t inode, std::string_view what) {
  return {ErrorCode::not_trusted,
          "the folder with inode " + std::to_string(inode) + " " + std::string(what)};
}

Result<ext2_inode> read_inode(ext2_filsys fs, ext2_ino_t number) {
  ext2_inode inode{};
  UPDATE_TRY(ext2_status(ext2fs_read_inode(fs, number, &inode), "reading an inode"));
  return inode;
}

struct FolderReading {
  PresentFolder folder;
  bool legal = true;
};

int take_name(ext2_dir_entry* entry, int /*offset*/, int /*block_size*/, char* /*buffer*/,
              void* data) {
  auto& reading = *static_cast<FolderReading*>(data);
  const std::string_view name(entry->name, static_cast<std::size_t>(ext2fs_dirent_name_len(entry)));
  if (name == ".") return 0;
  if (name == "..") {
    reading.folder.parent = entry->inode;
    return 0;
  }
  reading.legal = reading.legal && !name.empty() && reading.folder.names.size() < kMostNames &&
                  name.find('/') == std::string_view::npos &&
                  name.find('\0') == std::string_view::npos;
  if (!reading.legal) return DIRENT_ABORT;
  reading.folder.names.push_back(
      {std::string(name), entry->inode, static_cast<std::uint8_t>(ext2fs_dirent_file_type(entry))});
  return 0;
}

Result<PresentFolder> read_present(ext2_filsys fs, ext2_ino_t number) {
  UPDATE_TRY_ASSIGN(const ext2_inode inode, read_inode(fs, number));
  if (!LINUX_S_ISDIR(inode.i_mode)) return fail(damaged(number, "is none"));
  if ((inode.i_flags & kNotForUs) != 0) {
    return fail(ErrorCode::failed,
                "a folder of the image is encrypted, folds the case of its "
                "names, is immutable or lies within its inode: it is not "
                "written to");
  }
  FolderReading reading;
  reading.folder.inode = number;
  UPDATE_TRY(ext2_status(ext2fs_dir_iterate(fs, number, 0, nullptr, take_name, &reading),
                         "reading a folder of the image"));
  if (!reading.legal) return fail(damaged(number, "has a name that cannot be"));
  if (reading.folder.parent == 0) return fail(damaged(number, "has no parent"));
  return std::move(reading.folder);
}

std::string_view kind_of(std::uint32_t mode) {
  if (LINUX_S_ISDIR(mode)) return "a folder";
  if (LINUX_S_ISREG(mode)) return "a file";
  if (LINUX_S_ISLNK(mode)) return "a symbolic link";
  return "a special file";
}

std::string_view kind_of(EntryType type) {
  switch (type) {
    case EntryType::folder: return "a folder";
    case EntryType::symbolic_link: return "a symbolic link";
    case EntryType::regular: break;
  }
  return "a file";
}

/// One folder of the file system that gets names of the tree.
class Meeting {
 public:
  explicit Meeting(const PresentFolder& folder) : taken_(folder.names.size()) {
    for (std::size_t at = 0; at < folder.names.size(); ++at) {
      numbers_.emplace(folder.names[at].name, at);
    }
  }
  const PresentFolder::Name* find(const PresentFolder& folder, std::string_view name) const {
    const auto found = numbers_.find(name);
    return found != numbers_.end() ? &folder.names[found->second] : nullptr;
  }
  void take(std::string_view name) { taken_[numbers_.at(name)] = true; }
  /// Leaves the names that nothing of the tree stands for.
  void leave_others(PresentFolder& folder) const {
    std::size_t at = 0;
    std::erase_if(folder.names, [&](const PresentFolder::Name&) { return taken_[at++]; });
  }

 private:
  /// The names lie where they were read, wherever their folder is moved.
  std::unordered_map<std::string_view, std::size_t> numbers_;
  std::vector<bool> taken_;
};

class Placer {
 public:
  Placer(ext2_filsys fs, const Tree& tree)
      : fs_(fs), tree_(tree), mapper_(fs, TreeLimits().extents), attributes_(fs, mapper_) {}

  Result<Placement> run(ext2_ino_t top) {
    UPDATE_TRY(enter(0, top));
    for (EntryIndex index = 1; index < tree_.entries.size(); ++index) {
      const auto parent = place_of_.find(tree_.entries[index].parent);
      if (parent != place_of_.end()) UPDATE_TRY(meet(index, parent->second));
    }
    for (std::size_t at = 0; at < meetings_.size(); ++at) {
      meetings_[at].leave_others(placement_.folders[at].second);
    }
    return std::move(placement_);
  }

 private:
  Status enter(EntryIndex index, ext2_ino_t number) {
    UPDATE_TRY_ASSIGN(PresentFolder folder, read_present(fs_, number));
    if (!seen_.insert(number).second) return fail(damaged(number, "has two names"));
    if (index != 0) {
      folder.described = true;
      keep_attributes(folder);
    }
    place_of_[index] = meetings_.size();
    meetings_.emplace_back(folder);
    placement_.folders.emplace_back(index, std::move(folder));
    return {};
  }

  Status meet(EntryIndex index, std::size_t place) {
    const Entry& entry = tree_.entries[index];
    const PresentFolder& folder = placement_.folders[place].second;
    const std::string_view name = tree_.name(index);
    const PresentFolder::Name* const present = meetings_[place].find(folder, name);
    if (present == nullptr) return {};
    const ext2_ino_t number = present->inode;
    UPDATE_TRY_ASSIGN(const ext2_inode inode, read_inode(fs_, number));
    if (kind_of(inode.i_mode) != kind_of(entry.type)) {
      return fail(ErrorCode::failed,
                  quote(tree_.image_path(index)) + " is " + std::string(kind_of(inode.i_mode)) +
                      " in the image, and would become " + std::string(kind_of(entry.type)));
    }
    UPDATE_TRY(read_attributes(index, number));
    meetings_[place].take(name);
    if (entry.type == EntryType::folder) return enter(index, number);
    placement_.replaced.push_back(number);
    return {};
  }

  /// Those of what is there, which go. The inode of a value may be used by others, and is not
  /// freed.
  Status read_attributes(EntryIndex index, ext2_ino_t number) {
    UPDATE_TRY_ASSIGN(const DiskInode inode, DiskInode::read(fs_, number));
    UPDATE_TRY(attributes_.read(inode));
    const auto& all = attributes_.all();
    const auto is_far = [](const DiskAttribute& attribute) { return attribute.value_inode != 0; };
    if (std::none_of(all.begin(), all.end(), is_far)) return {};
    return fail(ErrorCode::failed,
                quote(tree_.image_path(index)) +
                    " has, in the image, an attribute with an inode of its own (ea_inode): it is "
                    "not replaced");
  }

  void keep_attributes(PresentFolder& folder) const {
    for (const DiskAttribute& attribute : attributes_.all()) {
      if (is_carried(attribute.kind)) continue;
      folder.kept_attributes.push_back(
          {attribute.kind, std::string(attribute.name), std::string(attribute.value)});
    }
  }

  ext2_filsys fs_;
  const Tree& tree_;
  BlockMapper mapper_;
  DiskAttributes attributes_;  ///< of what was met last
  std::unordered_map<EntryIndex, std::size_t> place_of_;
  std::unordered_set<ext2_ino_t> seen_;
  std::vector<Meeting> meetings_;  ///< one for each of placement_.folders
  Placement placement_;
};

/// `inode` is read anew where that changes it.
Status drop_attribute_block(ext2_filsys fs, ext2_ino_t number, ext2_inode& inode) {
  if (ext2fs_file_acl_block(fs, &inode) == 0) return {};
  UPDATE_TRY(ext2_status(ext2fs_free_ext_attr(fs, number, nullptr), "freeing attributes"));
  UPDATE_TRY_ASSIGN(inode, read_inode(fs, number));
  return {};
}

// A number that an inode could have is one to e2fsck: that of the next in the list of orphans.
std::uint32_t deletion_time(ext2_filsys fs) {
  return std::max(static_cast<std::uint32_t>(fs->now), fs->super->s_inodes_count);
}

Status free_inode(ext2_filsys fs, ext2_ino_t number, ext2_inode& inode) {
  UPDATE_TRY(drop_attribute_block(fs, number, inode));
  if (ext2fs_inode_has_valid_blocks2(fs, &inode) != 0) {
    UPDATE_TRY(free_blocks(fs, number, &inode, "freeing the blocks of a replaced file"));
  }
  inode.i_dtime = deletion_time(fs);
  UPDATE_TRY(ext2_status(ext2fs_write_inode(fs, number, &inode), "freeing an inode"));
  ext2fs_inode_alloc_stats2(fs, number, -1, 0);
  return {};
}

}  // namespace

Result<Placement> place_tree(ext2_filsys fs, const Tree& tree, ext2_ino_t top) {
  return Placer(fs, tree).run(top);
}

Status drop_replaced(ext2_filsys fs, const Placement& placement) {
  for (const auto& [index, folder] : placement.folders) {
    if (!folder.described) continue;
    UPDATE_TRY_ASSIGN(ext2_inode inode, read_inode(fs, folder.inode));
    UPDATE_TRY(drop_attribute_block(fs, folder.inode, inode));
  }
  for (const ext2_ino_t number : placement.replaced) {
    UPDATE_TRY_ASSIGN(ext2_inode inode, read_inode(fs, number));
    if (inode.i_links_count == 0 || number < EXT2_FIRST_INODE(fs->super)) {
      return fail(ErrorCode::not_trusted,
                  "the image names inode " + std::to_string(number) + ", which is no file in use");
    }
    if (--inode.i_links_count > 0) {
      UPDATE_TRY(ext2_status(ext2fs_write_inode(fs, number, &inode), "writing an inode"));
    } else {
      UPDATE_TRY(free_inode(fs, number, inode));
    }
  }
  return {};
}

Result<ext2_ino_t> find_folder(ext2_filsys fs, std::string_view path) {
  ext2_ino_t folder = EXT2_ROOT_INO;
  for (std::string_view rest = path; !rest.empty();) {
    const auto slash = std::min(rest.find('/'), rest.size());
    const std::string_view part = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    if (part.empty()) continue;
    UPDATE_TRY_ASSIGN(const PresentFolder present, read_present(fs, folder));
    const auto found = std::find_if(present.names.begin(), present.names.end(),
                                    [&](const auto& name) { return name.name == part; });
    if (found == present.names.end()) {
      return fail(ErrorCode::not_found, "there is no " + quote(path) + " in the image");
    }
    folder = found->inode;
    UPDATE_TRY_ASSIGN(const ext2_inode inode, read_inode(fs, folder));
    if (!LINUX_S_ISDIR(inode.i_mode)) {
      return fail(ErrorCode::failed, quote(path) + " in the image leads through " +
                                         std::string(kind_of(inode.i_mode)));
    }
  }
  return folder;
}

}  // namespace update::image
