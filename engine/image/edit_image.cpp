#include "engine/image/edit_image.hpp"

#include "engine/base/text.hpp"
#include "engine/image/file/clone_file.hpp"
#include "engine/image/file/lock_image.hpp"
#include "engine/image/file/output_file.hpp"
#include "engine/image/read/read_image.hpp"
#include "engine/image/watched_contents.hpp"

#include <algorithm>
#include <utility>

namespace update::image {
namespace {

constexpr std::uint32_t kFolderMode = 0755;
constexpr std::uint32_t kNewImageMode = 0600;  // never used: the image is there
constexpr OwnerRule kAsGiven{true};
constexpr std::string_view kParentsHint =
    "--parents makes the folders on the way, or banger-update ext4 mkdir";
constexpr std::string_view kMkdirHint = "banger-update ext4 mkdir IMAGE PATH --parents makes it";

using Names = std::vector<std::string>;

bool is_folder(const Tree& tree) {
  return tree.entries.front().type == EntryType::folder;
}

// nullopt: there is nothing of that name.
Result<std::optional<Tree>> look_up(const os::System& system, os::File& image, const Names& names) {
  auto tree = read_image(system.confinement, image, join_image_path(names), Depth::entry);
  if (tree) return std::optional(std::move(*tree));
  if (tree.error().code() == ErrorCode::not_found) return std::optional<Tree>();
  return fail(std::move(tree).error());
}

// How many of the names are there already, all of them folders.
Result<std::size_t> present_folders(const os::System& system, os::File& image, Names names) {
  while (!names.empty()) {
    UPDATE_TRY_ASSIGN(const auto found, look_up(system, image, names));
    if (found && is_folder(*found)) return names.size();
    if (found) return fail(ErrorCode::failed, join_image_path(names) + " is not a folder");
    names.pop_back();
  }
  return 0;
}

// Puts `source` below the folder `names`, of which those that are missing are made where asked.
struct Addition {
  HostTree source;
  Names names;
  bool parents = false;
  Entry folder;           ///< how missing folders are made
  std::string_view hint;  ///< how else to come to them
};

Result<Made> add_to_copy(const os::System& system, const std::string& image, os::File& original,
                         const Addition& addition, OwnerRule owners, const ImageOptions& options) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, original.info());
  UPDATE_TRY_ASSIGN(OutputFile output, OutputFile::create(system.files, image, kNewImageMode,
                                                          system.host.random_u32()));
  UPDATE_TRY(copy_contents(original, output.file(), &system.stop));
  WatchedContents watched(*addition.source.contents, options.copied,
                          addition.source.tree.total_size());
  UPDATE_TRY(add_to_image(system.confinement, output.file(), join_image_path(addition.names),
                          addition.source.tree, watched, owners, system.stop,
                          making_time(system, options.identity)));
  UPDATE_TRY(output.commit());
  return made_in_image(addition.source.tree, info.identity.size);
}

Result<Made> add(const os::System& system, const std::string& image, os::File& original,
                 Addition addition, OwnerRule owners, const ImageOptions& options) {
  UPDATE_TRY_ASSIGN(const std::size_t present, present_folders(system, original, addition.names));
  if (present < addition.names.size()) {
    if (!addition.parents) {
      return fail(Error(ErrorCode::not_found,
                        "there is no folder " + join_image_path(addition.names) + " in the image")
                      .hint(std::string(addition.hint)));
    }
    const auto missing = addition.names.begin() + static_cast<std::ptrdiff_t>(present);
    addition.source =
        nest(std::move(addition.source), Names(missing, addition.names.end()), addition.folder);
    addition.names.resize(present);
  }
  if (present > 0) addition.source.tree.above = join_image_path(addition.names);
  return add_to_copy(system, image, original, addition, owners, options);
}

Entry folder_of(const EntryOptions& options, std::int64_t now_s) {
  Entry folder;
  folder.type = EntryType::folder;
  folder.mode = kFolderMode;
  folder.uid = options.uid;
  folder.gid = options.gid;
  folder.modified = folder.accessed = folder.changed = Time{now_s, 0};
  return folder;
}

// Of a folder that is there. Not its ACL, which would give others than the mode says.
void keep_attributes(const Tree& present, Tree& made) {
  Entry& entry = made.entries.back();
  for (const Attribute& attribute : present.attributes) {
    if (present.at(attribute.name) == os::kAccessAcl) continue;
    const Text name = made.keep(present.at(attribute.name));
    made.attributes.push_back({name, made.keep(present.at(attribute.value))});
    ++entry.attributes;
  }
}

class NoContents final : public Contents {
 public:
  Result<os::File*> open(const Tree& tree, EntryIndex entry) override {
    return fail(ErrorCode::failed, tree.path(entry) + " has no bytes");
  }
  Status close(const Tree& /*tree*/, EntryIndex /*entry*/) override { return {}; }
};

// Where a file goes: the folder and its name there.
Result<Names> file_names(const os::System& system, os::File& image, const NewFile& file,
                         std::string_view path) {
  UPDATE_TRY_ASSIGN(Names names, split_image_path(path));
  bool into = names.empty() || path.ends_with('/');
  if (!into) {
    UPDATE_TRY_ASSIGN(const auto found, look_up(system, image, names));
    into = found && is_folder(*found);
  }
  if (!into) return names;
  if (file.default_name.empty()) {
    return fail(ErrorCode::usage, join_image_path(names) + " is a folder, and what comes from " +
                                      "standard input has no name of its own");
  }
  names.push_back(file.default_name);
  return names;
}

Error about_image(Error error, const std::string& image) {
  return std::move(error).with("the image " + escape(image));
}

Result<Made> put_into(const os::System& system, const std::string& image, NewFile file,
                      std::string_view path, const EntryOptions& options,
                      const ImageOptions& image_options) {
  UPDATE_TRY_ASSIGN(const auto original, lock_image(system.files, image));
  UPDATE_TRY_ASSIGN(Names names, file_names(system, *original, file, path));
  Tree& tree = file.source.tree;
  Entry& entry = tree.entries.back();
  entry.name = tree.keep(names.back());
  // Set-id bits only where --mode asks for them.
  entry.mode = static_cast<std::uint16_t>(options.mode.value_or(entry.mode & kPermissionBits));
  if (image_options.identity.epoch_s) entry.accessed = entry.changed = entry.modified;
  entry.uid = options.uid;
  entry.gid = options.gid;
  names.pop_back();
  const Entry folder = folder_of(options, making_time(system, image_options.identity));
  tree.entries.front() = folder;
  return add(system, image, *original,
             {std::move(file.source), std::move(names), options.parents, folder, kParentsHint},
             kAsGiven, image_options);
}

}  // namespace

Result<std::vector<std::string>> split_image_path(std::string_view path) {
  Names names;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view name = path.substr(at, end - at);
    at = end + 1;
    if (name.empty() || name == ".") continue;
    if (name == ".." || name.size() > kNameMax || name.find('\0') != std::string_view::npos) {
      return fail(ErrorCode::usage, quote(name) + " cannot be part of a path in an image");
    }
    names.emplace_back(name);
  }
  return names;
}

std::string join_image_path(const std::vector<std::string>& names) {
  std::string path;
  for (const std::string& name : names) path.append("/").append(name);
  return path.empty() ? "/" : path;
}

Result<Made> make_folder(const os::System& system, const std::string& image, std::string_view path,
                         const EntryOptions& options, const IdentityRule& times) {
  const auto make = [&]() -> Result<Made> {
    UPDATE_TRY_ASSIGN(Names names, split_image_path(path));
    if (names.empty()) return fail(ErrorCode::usage, "the top folder of an image is always there");
    UPDATE_TRY_ASSIGN(const auto original, lock_image(system.files, image));
    UPDATE_TRY_ASSIGN(const auto present, look_up(system, *original, names));
    const Entry folder = folder_of(options, making_time(system, times));
    HostTree made{Tree{}, std::make_unique<NoContents>()};
    made.tree.entries.assign(2, folder);
    Entry& entry = made.tree.entries.back();
    entry.parent = 0;
    entry.name = made.tree.keep(names.back());
    entry.mode = static_cast<std::uint16_t>(options.mode.value_or(kFolderMode));
    if (present) keep_attributes(*present, made.tree);
    names.pop_back();
    ImageOptions image_options;
    image_options.identity = times;
    return add(system, image, *original,
               {std::move(made), std::move(names), options.parents, folder, kParentsHint}, kAsGiven,
               image_options);
  };
  auto made = make();
  if (made) return made;
  return fail(about_image(std::move(made).error(), image));
}

Result<Made> put_file(const os::System& system, const std::string& image, NewFile file,
                      std::string_view path, const EntryOptions& options,
                      const ImageOptions& image_options) {
  auto made = put_into(system, image, std::move(file), path, options, image_options);
  if (made) return made;
  return fail(about_image(std::move(made).error(), image));
}

Result<Made> add_tree(const os::System& system, const std::string& image, HostTree source,
                      std::string_view path, const ImageOptions& options) {
  const auto add_all = [&]() -> Result<Made> {
    UPDATE_TRY_ASSIGN(Names names, split_image_path(path));
    UPDATE_TRY_ASSIGN(const auto original, lock_image(system.files, image));
    return add(system, image, *original,
               {std::move(source), std::move(names), false, {}, kMkdirHint}, options.owners,
               options);
  };
  auto made = add_all();
  if (made) return made;
  return fail(about_image(std::move(made).error(), image));
}

}  // namespace update::image
