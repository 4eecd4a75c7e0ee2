#include "engine/image/file/output_file.hpp"

#include "engine/base/layout.hpp"
#include "engine/image/file/copied_mode.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string_view>
#include <utility>

namespace update::image {
namespace {

/// Those of runs that were killed. One that still runs holds the lock of its file.
Status remove_left_temporaries(const NamedPlace& place) {
  UPDATE_TRY_ASSIGN(const std::vector<std::string> names, place.folder->list());
  for (const std::string& name : names) {
    const auto own = parse_own_name(name);
    if (!own || own->kind != OwnNameKind::helper || own->destination_name != place.name) continue;
    const auto left = place.folder->open_file(name);
    if (!left) continue;  // not of our making, or gone
    UPDATE_TRY_ASSIGN(const bool nobody_else, (*left)->try_lock());
    if (nobody_else) UPDATE_TRY(place.folder->unlink(name));
  }
  return {};
}

struct Temporary {
  std::string name;
  std::unique_ptr<os::File> file;
};

/// A new file beside the target, locked: others leave it alone.
Result<Temporary> make_temporary(const NamedPlace& place, std::uint32_t random) {
  constexpr std::uint32_t kPrivate = 0600;
  constexpr std::uint32_t kAttempts = 8;
  for (std::uint32_t attempt = 0; attempt < kAttempts; ++attempt) {
    const std::string name = helper_temporary_name(place.name, random + attempt);
    if (name.size() > kNameMax) {
      return fail(ErrorCode::usage, "its name is too long to have a temporary one beside it");
    }
    UPDATE_TRY_ASSIGN(auto file, place.folder->create_file(name, kPrivate));
    UPDATE_TRY_ASSIGN(const bool locked, file->try_lock());
    // Before it was locked it looked like one that was left, and another run may have removed it.
    UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
    UPDATE_TRY_ASSIGN(const auto present, place.folder->lookup(name));
    if (locked && present && present->identity.same_inode(info.identity)) {
      return Temporary{name, std::move(file)};
    }
  }
  return fail(Error(ErrorCode::busy, "others are writing it, too").hint("try again later"));
}

/// What says who may do what, and what its owner wrote; not what stands for the old bytes (IMA).
bool is_kept(std::string_view name) {
  return name == os::kAccessAcl || name == "security.selinux" || name.starts_with("user.");
}

bool is_refused(const Error& error) {
  const int number = error.system_errno();
  return number == EPERM || number == EACCES || number == EOPNOTSUPP || number == EINVAL;
}

/// Who may write in the folder may replace another's file, but give none away; to a group of theirs
/// they may.
Status take_owner(os::File& file, const os::FileInfo& old) {
  Status owned = file.set_owner(old.uid, old.gid);
  if (owned || owned.error().system_errno() != EPERM) return owned;
  UPDATE_TRY_ASSIGN(const os::FileInfo own, file.info());
  owned = file.set_owner(own.uid, old.gid);
  if (owned || owned.error().system_errno() != EPERM) return owned;
  return {};
}

/// As `old`, the file that is replaced. Nobody else can open it before.
Status take_metadata(os::File& file, const os::FileInfo& old, const os::Attributes& attributes) {
  UPDATE_TRY(take_owner(file, old));
  std::uint32_t mode = old.mode & kPermissionBits;
  for (const auto& [name, value] : attributes) {
    if (!is_kept(name)) continue;
    Status set = file.set_attribute(name, value);
    if (set) continue;
    if (!is_refused(set.error())) return set;
    if (name == os::kAccessAcl) mode = mode_without_acl(mode, attributes);
  }
  return file.set_mode(mode);
}

/// Without those of a file that the caller may not read.
Result<os::Attributes> attributes_of(const NamedPlace& place) {
  auto attributes = place.folder->attributes_of(place.name);
  if (!attributes && attributes.error().system_errno() == EACCES) return os::Attributes{};
  return attributes;
}

}  // namespace

Result<OutputFile> OutputFile::create(os::FileSystem& files, const std::string& target,
                                      std::uint32_t mode, std::uint32_t random) {
  const auto make = [&]() -> Result<OutputFile> {
    UPDATE_TRY_ASSIGN(NamedPlace place, open_named_place(files, target));
    UPDATE_TRY_ASSIGN(const auto old, place.folder->lookup(place.name));
    if (old && old->type != os::FileType::regular) {
      return fail(Error(ErrorCode::failed, "it is not a regular file, and is left alone")
                      .hint("remove it, or name another file"));
    }
    UPDATE_TRY(remove_left_temporaries(place));
    UPDATE_TRY_ASSIGN(Temporary temporary, make_temporary(place, random));
    OutputFile output(std::move(place), std::move(temporary.name), std::move(temporary.file));
    if (!old) {
      UPDATE_TRY(output.file_->set_mode(mode & kPermissionBits));
      return output;
    }
    UPDATE_TRY_ASSIGN(const os::Attributes attributes, attributes_of(output.place_));
    UPDATE_TRY(take_metadata(*output.file_, *old, attributes));
    return output;
  };
  auto made = make();
  if (!made) return fail(std::move(made).error().with("writing " + target));
  return made;
}

OutputFile::~OutputFile() {
  // Where that fails, the next run for this target removes it.
  if (place_.folder && !temporary_.empty()) static_cast<void>(place_.folder->unlink(temporary_));
}

Status OutputFile::commit() {
  const auto replace = [&]() -> Status {
    UPDATE_TRY(file_->sync());
    UPDATE_TRY(place_.folder->rename(temporary_, place_.name));
    temporary_.clear();
    Status synced = place_.folder->sync();
    if (synced) return synced;
    return fail(std::move(synced).error().with("the new file is in place, but"));
  };
  Status replaced = replace();
  if (replaced) return replaced;
  return fail(
      std::move(replaced).error().with("writing " + place_.name + " in " + place_.folder->path()));
}

Status OutputFile::give_new_name() {
  // A link, which replaces nothing; renaming without replacing is what fewer file systems can.
  Status linked = place_.folder->link(temporary_, *place_.folder, place_.name);
  constexpr std::array kNoLinks{EPERM, EMLINK, EOPNOTSUPP, EXDEV};
  const int number = linked ? 0 : linked.error().system_errno();
  if (std::find(kNoLinks.begin(), kNoLinks.end(), number) == kNoLinks.end()) return linked;
  UPDATE_TRY_ASSIGN(const auto present, place_.folder->lookup(place_.name));
  if (present) return fail(Error::from_errno(EEXIST, place_.name));
  UPDATE_TRY(place_.folder->rename(temporary_, place_.name));
  temporary_.clear();
  return {};
}

Status OutputFile::commit_new() {
  UPDATE_TRY(file_->sync());
  UPDATE_TRY(give_new_name());
  const auto settle = [&]() -> Status {
    if (!temporary_.empty()) UPDATE_TRY(place_.folder->unlink(temporary_).map([](bool) {}));
    return place_.folder->sync();
  };
  Status settled = settle();
  if (settled) {
    temporary_.clear();
    return settled;
  }
  const auto removed = place_.folder->unlink(place_.name);
  if (removed) return settled;
  return fail(std::move(settled).error().with(place_.name + " is left, since " +
                                              removed.error().message()));
}

}  // namespace update::image
