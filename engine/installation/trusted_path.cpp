#include "engine/installation/trusted_path.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace update {
namespace {

constexpr std::uint32_t kWritableByGroup = 0020;
constexpr std::uint32_t kWritableByOthers = 0002;
constexpr std::uint32_t kSticky = 01000;
constexpr int kLinksMax = 40;  // path_resolution(7)

std::string path_in(const os::Folder& folder, std::string_view name) {
  std::string path = folder.path();
  if (!path.ends_with('/')) path.push_back('/');
  return path.append(name);
}

bool is_trusted_owner(const InstallationRoot& root, std::uint32_t uid) {
  return uid == 0 || uid == root.caller_uid;
}

/// Below a --root, paths are those of the image: whoever types the command on the host must know.
std::string advice(const InstallationRoot& root, const std::string& command) {
  return root.folder == "/" ? command : "inside the --root: " + command;
}

Status check_owner(const InstallationRoot& root, std::uint32_t uid, const std::string& path) {
  if (is_trusted_owner(root, uid)) return {};
  return fail(Error(ErrorCode::not_trusted, escape(path) + " belongs to user " +
                                                std::to_string(uid) + ", who could exchange it")
                  .hint(advice(root, "chown root " + escape(path))));
}

/// An access control list that lets others write shows in the bits of the group (acl(5)).
Status check_writers(const InstallationRoot& root, const os::FileInfo& info,
                     const std::string& path) {
  const bool group = (info.mode & kWritableByGroup) != 0;
  const bool others = (info.mode & kWritableByOthers) != 0;
  if (!group && !others) return {};
  const std::string_view change = group && others ? "go-w" : group ? "g-w" : "o-w";
  return fail(Error(ErrorCode::not_trusted,
                    escape(path) + " can be written by " + (others ? "anybody" : "its group"))
                  .hint(advice(root, "chmod " + std::string(change) + " " + escape(path))));
}

/// The parts of `path`, the last one first: the way ahead, to be taken from the end.
std::vector<std::string> parts_backwards(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const std::string_view part = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(part.size() + 1, path.size()));
    if (!part.empty() && part != ".") parts.emplace_back(part);
  }
  std::reverse(parts.begin(), parts.end());
  return parts;
}

/// A walk from the root of the installation. Each folder on the way stays open, so that `..` leads
/// back through what was checked, and never above the root.
class Walk {
 public:
  static Result<Walk> begin(const InstallationRoot& root) {
    Walk walk(root);
    UPDATE_TRY_ASSIGN(auto folder, root.files.open_root(root.folder));
    UPDATE_TRY(walk.enter(std::move(folder)));
    return walk;
  }

  /// Goes along `path`, to its end: a folder.
  Status to_folder(const AbsolutePath& path) {
    UPDATE_TRY_ASSIGN(const auto name, go(path));
    const os::Folder& folder = *folders_.back().folder;
    if (name) return fail(Error::from_errno(ENOTDIR, "opening " + path_in(folder, *name)));
    return check_writers(root_, folders_.back().info, folders_.back().folder->path());
  }

  /// Goes along `path`, to the folder of what it names at last, links followed.
  Result<TrustedPlace> to_file(const AbsolutePath& path) {
    UPDATE_TRY_ASSIGN(auto name, go(path));
    if (!name) {
      return fail(ErrorCode::usage,
                  escape(folders_.back().folder->path()) + " is a folder, not a file");
    }
    return TrustedPlace{std::move(folders_.back().folder), std::move(*name)};
  }

  std::unique_ptr<os::Folder> take_folder() { return std::move(folders_.back().folder); }

 private:
  struct Entered {
    std::unique_ptr<os::Folder> folder;
    os::FileInfo info;
  };

  explicit Walk(const InstallationRoot& root) : root_(root) {}

  Status enter(std::unique_ptr<os::Folder> folder) {
    // Asked of the open folder, not of its name: this is the one that is used from here on.
    UPDATE_TRY_ASSIGN(const os::FileInfo info, folder->info());
    UPDATE_TRY(check_owner(root_, info.uid, folder->path()));
    folders_.push_back({std::move(folder), info});
    return {};
  }

  /// Goes on until nothing lies ahead, or the last part is neither a folder nor a link: its name.
  Result<std::optional<std::string>> go(const AbsolutePath& path) {
    ahead_ = parts_backwards(path.text());
    int links = 0;
    while (!ahead_.empty()) {
      const std::string part = std::move(ahead_.back());
      ahead_.pop_back();
      if (part == "..") {
        if (folders_.size() > 1) folders_.pop_back();
        continue;
      }
      os::Folder& folder = *folders_.back().folder;
      UPDATE_TRY_ASSIGN(const os::FileInfo info, look_up(part));
      if (info.type == os::FileType::folder) {
        UPDATE_TRY_ASSIGN(auto next, folder.open_folder(part));
        UPDATE_TRY(enter(std::move(next)));
      } else if (info.type == os::FileType::symbolic_link) {
        if (++links > kLinksMax) return fail(Error::from_errno(ELOOP, "opening " + path.text()));
        UPDATE_TRY(follow(part));
      } else if (ahead_.empty()) {
        return part;
      } else {
        return fail(Error::from_errno(ENOTDIR, "opening " + path_in(folder, part)));
      }
    }
    return std::nullopt;
  }

  /// The next part, after the check that nobody else can put another in its place.
  Result<os::FileInfo> look_up(const std::string& part) {
    const Entered& top = folders_.back();
    const bool sticky = (top.info.mode & kSticky) != 0;
    if (!sticky) UPDATE_TRY(check_writers(root_, top.info, top.folder->path()));
    UPDATE_TRY_ASSIGN(const auto found, top.folder->lookup(part));
    if (!found) return fail(Error::from_errno(ENOENT, "opening " + path_in(*top.folder, part)));
    const bool writable = (top.info.mode & (kWritableByGroup | kWritableByOthers)) != 0;
    if (writable) UPDATE_TRY(check_owner(root_, found->uid, path_in(*top.folder, part)));
    return *found;
  }

  Status follow(const std::string& part) {
    UPDATE_TRY_ASSIGN(const std::string target, folders_.back().folder->read_link(part));
    if (target.starts_with('/')) folders_.erase(folders_.begin() + 1, folders_.end());
    auto parts = parts_backwards(target);
    ahead_.insert(ahead_.end(), std::make_move_iterator(parts.begin()),
                  std::make_move_iterator(parts.end()));
    return {};
  }

  const InstallationRoot& root_;
  std::vector<Entered> folders_;  ///< from the root to where the walk stands
  std::vector<std::string> ahead_;
};

}  // namespace

Result<std::unique_ptr<os::Folder>> open_trusted_folder(const InstallationRoot& root,
                                                        const AbsolutePath& path) {
  UPDATE_TRY_ASSIGN(Walk walk, Walk::begin(root));
  UPDATE_TRY(walk.to_folder(path));
  return walk.take_folder();
}

Result<TrustedPlace> open_trusted_parent(const InstallationRoot& root, const AbsolutePath& path) {
  if (path.name().empty()) return fail(ErrorCode::usage, path.text() + " is a folder, not a file");
  UPDATE_TRY_ASSIGN(auto folder, open_trusted_folder(root, path.parent()));
  return TrustedPlace{std::move(folder), path.name()};
}

Result<std::optional<TrustedPlace>> find_trusted_parent(const InstallationRoot& root,
                                                        const AbsolutePath& path) {
  auto place = open_trusted_parent(root, path);
  if (place) return std::optional(std::move(*place));
  const int number = place.error().system_errno();
  if (number == ENOENT || number == ENOTDIR) return std::nullopt;
  return fail(std::move(place).error());
}

Result<std::string> read_trusted_file(const InstallationRoot& root, const AbsolutePath& path,
                                      std::size_t limit) {
  UPDATE_TRY_ASSIGN(Walk walk, Walk::begin(root));
  UPDATE_TRY_ASSIGN(const TrustedPlace place, walk.to_file(path));
  const std::string shown = path_in(*place.folder, place.name);
  UPDATE_TRY_ASSIGN(const auto found, place.folder->lookup(place.name));
  if (found && found->type != os::FileType::regular) {
    return fail(ErrorCode::usage, escape(shown) + " is not a regular file");
  }
  UPDATE_TRY_ASSIGN(const auto file, place.folder->open_file(place.name));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  UPDATE_TRY(check_owner(root, info.uid, shown));
  UPDATE_TRY(check_writers(root, info, shown));
  // One byte more than allowed is asked for: the size of before may not be that of now.
  std::string text(std::min<std::uint64_t>(info.identity.size, limit) + 1, '\0');
  UPDATE_TRY_ASSIGN(const std::size_t count,
                    file->read_at(std::as_writable_bytes(std::span(text)), 0));
  if (count > limit) {
    return fail(ErrorCode::usage,
                escape(shown) + " has more than " + std::to_string(limit) + " bytes");
  }
  text.resize(count);
  return text;
}

}  // namespace update
