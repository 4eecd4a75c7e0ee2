#include "engine/installation/atomic_replace.hpp"

#include "engine/base/layout.hpp"

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace update {
namespace {

constexpr std::size_t kChunk = 1U << 20;
constexpr std::uint32_t kTemporaryNamesMax = 1000;

/// link(2): no hard links here, no more of them, or (fs.protected_hardlinks) not for this file.
bool has_no_hard_links(const Error& error) {
  const int number = error.system_errno();
  return number == EPERM || number == EMLINK || number == EOPNOTSUPP;
}

Status copy_bytes(os::File& source, os::File& target) {
  UPDATE_TRY_ASSIGN(const bool shared, target.clone_from(source));
  if (shared) return {};
  std::vector<std::byte> chunk(kChunk);
  for (std::uint64_t offset = 0;;) {
    UPDATE_TRY_ASSIGN(const std::size_t count, source.read_at(chunk, offset));
    UPDATE_TRY(target.write_at(std::span(chunk).first(count), offset));
    offset += count;
    if (count < chunk.size()) return {};
  }
}

/// The owner before the mode and the attributes: chown(2) takes set-id bits and capabilities away.
Status copy_whole(os::File& source, os::File& target) {
  UPDATE_TRY(copy_bytes(source, target));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source.info());
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, source.attributes());
  UPDATE_TRY(target.set_owner(info.uid, info.gid));
  UPDATE_TRY(target.set_mode(info.mode));
  for (const auto& [name, value] : attributes) UPDATE_TRY(target.set_attribute(name, value));
  UPDATE_TRY(target.set_times(info.identity.mtime_ns));
  return target.sync();
}

/// Makes a name that was free until now, by `make`, which says EEXIST where it was not.
template <class Make>
Result<std::string> make_temporary(const std::string& name, Make make) {
  for (std::uint32_t number = 0; number < kTemporaryNamesMax; ++number) {
    std::string temporary = helper_temporary_name(name, number);
    const Status made = make(temporary);
    if (made) return temporary;
    if (made.error().system_errno() != EEXIST) return fail(made.error());
  }
  return fail(Error::from_errno(EEXIST, "finding a free name for " + name));
}

Status copy_file(os::Folder& from, const std::string& name, os::Folder& to,
                 const std::string& new_name) {
  UPDATE_TRY_ASSIGN(const auto source, from.open_file(name));
  // Nobody else reads it before it has its owner and its mode.
  UPDATE_TRY_ASSIGN(const auto target, to.create_file(new_name, 0600));
  Status copied = copy_whole(*source, *target);
  if (!copied) static_cast<void>(to.unlink(new_name));
  return copied;
}

/// A second name in `to` for the file `name`, or a synced copy of it where there are no hard links.
Result<std::string> second_name(os::Folder& from, const std::string& name, os::Folder& to,
                                const std::string& wanted) {
  auto linked = make_temporary(
      wanted, [&](const std::string& temporary) { return from.link(name, to, temporary); });
  if (linked || !has_no_hard_links(linked.error())) return linked;
  return make_temporary(
      wanted, [&](const std::string& temporary) { return copy_file(from, name, to, temporary); });
}

/// Where a replacement takes place: the destination's folder, and the names in it.
struct Place {
  std::unique_ptr<os::Folder> folder;
  std::string name;
  std::string previous;
};

Result<Place> open_place(os::FileSystem& files, const AbsolutePath& destination,
                         std::string_view suffix) {
  const std::string name = destination.name();
  const std::string previous = previous_name(name, suffix);
  // With an empty suffix the backup would be the destination itself, and nothing would be kept.
  if (suffix.empty()) return fail(ErrorCode::usage, "the suffix of the backup is empty");
  if (!is_plain_file_name(name) || !is_plain_file_name(previous)) {
    return fail(ErrorCode::usage, "'" + previous + "' cannot be the name of a backup");
  }
  UPDATE_TRY_ASSIGN(auto folder, files.open_folder(destination.parent().text()));
  return Place{std::move(folder), name, previous};
}

Status check_regular(const os::FileInfo& info, const AbsolutePath& path) {
  if (info.type == os::FileType::regular) return {};
  return fail(ErrorCode::failed, path.text() + " is not a regular file");
}

/// If the machine stops in here, the destination is what it was; at most a temporary name is left.
Status keep_previous(const Place& place, const os::FileInfo& old) {
  UPDATE_TRY_ASSIGN(const auto stale, place.folder->lookup(place.previous));
  // An earlier run may have been stopped right here. A rename would do nothing (F17).
  if (stale && stale->identity.same_inode(old.identity)) return {};
  UPDATE_TRY_ASSIGN(const std::string temporary,
                    second_name(*place.folder, place.name, *place.folder, place.previous));
  Status kept = place.folder->rename(temporary, place.previous);
  if (!kept) static_cast<void>(place.folder->unlink(temporary));
  return kept;
}

/// What became of the backup once the destination could not be replaced: the destination holds the
/// old bytes under its own name.
Error take_back(const Place& place, bool has_old, Error error) {
  if (!has_old) return error;
  const auto removed = place.folder->unlink(place.previous);
  const Status synced = removed ? place.folder->sync() : Status();
  if (removed && synced) {
    return std::move(error).with("the old file is in place, its backup removed");
  }
  const Error& why = removed ? synced.error() : removed.error();
  return std::move(error).with("the old file is in place, its backup not removed (" +
                               why.message() + ")");
}

struct Source {
  std::unique_ptr<os::Folder> folder;
  std::string name;
  os::FileIdentity identity;
  bool beside = false;  ///< in the destination's own folder
};

Result<Source> open_source(os::FileSystem& files, const AbsolutePath& path, const Place& place) {
  Source source{nullptr, path.name(), {}, false};
  UPDATE_TRY_ASSIGN(source.folder, files.open_folder(path.parent().text()));
  UPDATE_TRY_ASSIGN(const os::FileInfo from, source.folder->info());
  UPDATE_TRY_ASSIGN(const os::FileInfo to, place.folder->info());
  source.beside = from.identity.same_inode(to.identity);
  if (source.beside && (source.name == place.name || source.name == place.previous)) {
    return fail(ErrorCode::usage, path.text() + " is the destination or its backup");
  }
  UPDATE_TRY_ASSIGN(const auto file, source.folder->open_file(source.name));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  if (info.identity.device != to.identity.device) {
    return fail(Error::from_errno(EXDEV, path.text() + " and " + place.folder->path()));
  }
  source.identity = info.identity;
  UPDATE_TRY(file->sync());
  return source;
}

/// The one rename. os::Folder renames within a folder, so that a file of another folder first gets
/// a name beside the destination.
Status put_in_place(const Source& source, const Place& place, bool same_inode) {
  if (source.beside) return place.folder->rename(source.name, place.name);
  UPDATE_TRY_ASSIGN(const std::string temporary,
                    second_name(*source.folder, source.name, *place.folder, place.name));
  Status renamed = place.folder->rename(temporary, place.name);
  // Two names of one inode both stay, and the rename succeeds (F17).
  if (!renamed || same_inode) static_cast<void>(place.folder->unlink(temporary));
  return renamed;
}

/// The destination is new from here on, whatever fails.
Status settle(const Source& source, const Place& place, bool first_install, bool same_inode) {
  // A backup beside a first install is of some earlier life: an undo would bring that back.
  if (first_install) UPDATE_TRY(place.folder->unlink(place.previous));
  if (source.beside && same_inode) UPDATE_TRY(place.folder->unlink(source.name));
  UPDATE_TRY(place.folder->sync());
  if (source.beside) return {};
  // A second name of the new bytes would let whoever writes there next write into the destination.
  UPDATE_TRY(source.folder->unlink(source.name));
  return source.folder->sync();
}

}  // namespace

Status atomic_replace(os::FileSystem& files, const AbsolutePath& new_source,
                      const AbsolutePath& destination, std::string_view suffix) {
  const std::string doing = "replacing " + destination.text() + " with " + new_source.text();
  const auto replace = [&]() -> Status {
    UPDATE_TRY_ASSIGN(const Place place, open_place(files, destination, suffix));
    UPDATE_TRY_ASSIGN(const auto old, place.folder->lookup(place.name));
    if (old) UPDATE_TRY(check_regular(*old, destination));
    UPDATE_TRY_ASSIGN(const Source source, open_source(files, new_source, place));
    const bool same_inode = old && old->identity.same_inode(source.identity);
    if (old) UPDATE_TRY(keep_previous(place, *old));
    if (Status put = put_in_place(source, place, same_inode); !put) {
      return fail(take_back(place, old.has_value(), std::move(put).error()));
    }
    Status settled = settle(source, place, !old, same_inode);
    if (settled) return settled;
    return fail(std::move(settled).error().with("the new file is in place, but"));
  };
  Status replaced = replace();
  if (!replaced) return fail(std::move(replaced).error().with(doing));
  return replaced;
}

Status undo_atomic_replace(os::FileSystem& files, const AbsolutePath& destination,
                           std::string_view suffix) {
  const auto undo = [&]() -> Status {
    auto opened = open_place(files, destination, suffix);
    if (!opened && opened.error().system_errno() == ENOENT) return {};
    UPDATE_TRY_ASSIGN(const Place place, std::move(opened));
    UPDATE_TRY_ASSIGN(const auto previous, place.folder->lookup(place.previous));
    if (!previous) return {};
    UPDATE_TRY(check_regular(*previous, destination.parent() / place.previous));
    UPDATE_TRY_ASSIGN(const auto present, place.folder->lookup(place.name));
    if (present && present->identity.same_inode(previous->identity)) {
      UPDATE_TRY(place.folder->unlink(place.previous));
    } else {
      UPDATE_TRY(place.folder->rename(place.previous, place.name));
    }
    return place.folder->sync();
  };
  Status undone = undo();
  if (undone) return undone;
  return fail(std::move(undone).error().with("putting " + destination.text() + std::string(suffix) +
                                             " back as " + destination.text()));
}

}  // namespace update
