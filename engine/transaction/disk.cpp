#include "engine/transaction/disk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/base/text.hpp"

namespace update {

Result<TargetFolders> TargetFolders::open(const InstallationRoot& root,
                                          const std::vector<AbsolutePath>& destinations) {
  TargetFolders targets;
  for (const AbsolutePath& destination : destinations) {
    auto opened = open_trusted_parent(root, destination);
    if (!opened) return fail(std::move(opened).error().with("the folder of " + destination.text()));
    UPDATE_TRY(targets.add(destination, std::move(opened->folder)));
  }
  return targets;
}

Result<TargetFolders> TargetFolders::find(const InstallationRoot& root,
                                          const std::vector<AbsolutePath>& destinations) {
  TargetFolders targets;
  for (const AbsolutePath& destination : destinations) {
    auto found = find_trusted_parent(root, destination);
    if (!found) return fail(std::move(found).error().with("the folder of " + destination.text()));
    if (*found) UPDATE_TRY(targets.add(destination, std::move((*found)->folder)));
  }
  return targets;
}

Status TargetFolders::add(const AbsolutePath& destination, std::unique_ptr<os::Folder> folder) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, folder->info());
  // Two paths may lead to one folder: it is synced once, so it is kept once.
  const auto known = std::find_if(identities_.begin(), identities_.end(), [&](const auto& other) {
    return other.same_inode(info.identity);
  });
  const auto index = static_cast<std::size_t>(known - identities_.begin());
  index_by_destination_.emplace_back(destination, index);
  if (known != identities_.end()) return {};
  identities_.push_back(info.identity);
  folders_.push_back(std::move(folder));
  return {};
}

os::Folder& TargetFolders::of(const AbsolutePath& destination) const {
  return *find_of(destination);
}

Result<os::Folder*> TargetFolders::need(const AbsolutePath& destination) const {
  os::Folder* folder = find_of(destination);
  if (folder != nullptr) return folder;
  return fail(Error(ErrorCode::failed, "the folder of " + destination.text() + " does not exist")
                  .hint("make it, then run the command again"));
}

os::Folder* TargetFolders::find_of(const AbsolutePath& destination) const {
  const auto entry = std::find_if(index_by_destination_.begin(), index_by_destination_.end(),
                                  [&](const auto& pair) { return pair.first == destination; });
  return entry == index_by_destination_.end() ? nullptr : folders_.at(entry->second).get();
}

namespace {

/// Is it gone, no folder, or not to be trusted any more?
bool tells_of_exchange(const Error& error) {
  const int number = error.system_errno();
  return error.code() == ErrorCode::not_trusted || number == ENOENT || number == ENOTDIR ||
         number == ELOOP;
}

}  // namespace

Status TargetFolders::check_in_place(const InstallationRoot& root) const {
  for (const auto& [destination, index] : index_by_destination_) {
    const auto now = open_trusted_folder(root, destination.parent());
    UPDATE_TRY_ASSIGN(const os::FileInfo held, folders_[index]->info());
    // No answer (EMFILE, EIO, …) is no sign that anything was exchanged.
    if (!now && !tells_of_exchange(now.error())) return fail(now.error());
    if (now) {
      UPDATE_TRY_ASSIGN(const os::FileInfo found, (*now)->info());
      if (found.identity.same_inode(held.identity)) continue;
    }
    return fail(ErrorCode::needs_operator,
                destination.parent().text() + " is not the folder any more that was updated");
  }
  return {};
}

Status TargetFolders::check_distinct(const std::string& backup_suffix) const {
  for (const auto& [one, folder] : index_by_destination_) {
    for (const auto& [other, other_folder] : index_by_destination_) {
      if (one == other || folder != other_folder) continue;
      if (one.name() != other.name() && previous_name(one.name(), backup_suffix) != other.name()) {
        continue;
      }
      return fail(ErrorCode::usage, one.text() + " (or its backup) and " + other.text() +
                                        " are one file, reached in two ways");
    }
  }
  return {};
}

Status TargetFolders::check_not_in(os::Folder& folder) const {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, folder.info());
  for (const auto& [destination, index] : index_by_destination_) {
    if (!identities_[index].same_inode(info.identity)) continue;
    return fail(ErrorCode::usage, destination.text() + " is in " + folder.path() +
                                      ", which is for this program's own files");
  }
  return {};
}

Status TargetFolders::sync() const {
  for (const auto& folder : folders_) UPDATE_TRY(folder->sync());
  return {};
}

std::vector<AbsolutePath> destinations_of(const Plan& plan) {
  std::vector<AbsolutePath> destinations;
  for (const PlannedFile& file : plan.files) destinations.push_back(file.destination);
  return destinations;
}

std::vector<AbsolutePath> destinations_of(const Configuration& config) {
  std::vector<AbsolutePath> destinations;
  for (const ConfiguredFile& file : config.files) destinations.push_back(file.destination);
  return destinations;
}

namespace {

Status refuse_unless_regular(os::Folder& folder, const std::string& name, os::FileType type) {
  const std::string path = folder.path() + "/" + name;
  switch (type) {
    case os::FileType::regular: return {};
    case os::FileType::folder: return fail(ErrorCode::failed, path + " is a folder");
    case os::FileType::symbolic_link: {
      auto target = folder.read_link(name);
      return fail(Error(ErrorCode::failed,
                        path + " is a symbolic link to '" + (target ? escape(*target) : "?") + "'")
                      .hint("name the file itself as the destination"));
    }
    case os::FileType::other: break;
  }
  return fail(ErrorCode::failed, path + " is a device, a pipe or a socket");
}

/// Null if the name is gone: `status` looks while an update runs, which may rename it away between
/// a lookup and this.
Result<std::unique_ptr<os::File>> open_if_there(os::Folder& folder, const std::string& name) {
  auto opened = folder.open_file(name);
  if (!opened && opened.error().system_errno() == ENOENT) return std::unique_ptr<os::File>();
  return opened;
}

}  // namespace

Result<std::optional<FileState>> look_at(os::Folder& folder, const std::string& name) {
  UPDATE_TRY_ASSIGN(const std::optional<os::FileInfo> found, folder.lookup(name));
  if (!found) return std::nullopt;
  UPDATE_TRY(refuse_unless_regular(folder, name, found->type));
  UPDATE_TRY_ASSIGN(const std::unique_ptr<os::File> file, open_if_there(folder, name));
  if (!file) return std::nullopt;
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  FileState state;
  state.size = info.identity.size;
  state.mode = info.mode;
  state.uid = info.uid;
  state.gid = info.gid;
  state.identity = info.identity;
  UPDATE_TRY_ASSIGN(state.attributes, file->attributes());
  // Measurements are of these bytes; whoever measures will do so again for others.
  state.attributes.erase("security.ima");
  state.attributes.erase("security.evm");
  return state;
}

Result<Sha256Digest> hash_file(os::File& file) {
  // Bigger reads gain nothing, and the buffer stays in the processor's cache.
  constexpr std::size_t kChunk = 128 * 1024;
  std::vector<std::byte> buffer(kChunk);
  Sha256 hash;
  std::uint64_t offset = 0;
  while (true) {
    UPDATE_TRY_ASSIGN(const std::size_t count, file.read_at(buffer, offset));
    if (count == 0) return hash.finish();
    hash.update(std::span(buffer).first(count));
    offset += count;
  }
}

Result<Sha256Digest> hash_named(os::Folder& folder, const std::string& name) {
  UPDATE_TRY_ASSIGN(const std::unique_ptr<os::File> file, folder.open_file(name));
  return hash_file(*file);
}

Result<std::optional<Sha256Digest>> hash_if_there(os::Folder& folder, const std::string& name) {
  UPDATE_TRY_ASSIGN(const std::unique_ptr<os::File> file, open_if_there(folder, name));
  if (!file) return std::nullopt;
  return hash_file(*file);
}

std::string_view state_name(const PlannedFile& file, Holds holds) {
  if (file.unchanged) return "unchanged";
  switch (holds) {
    case Holds::old_bytes: return file.old_state ? "old" : "absent";
    case Holds::new_bytes: return file.new_state ? "new" : "absent";
    case Holds::foreign: return "foreign";
  }
  return "";
}

Result<bool> holds_bytes(os::Folder& folder, const std::string& name, const FileState& expected) {
  UPDATE_TRY_ASSIGN(const std::optional<os::FileInfo> found, folder.lookup(name));
  if (!found || found->type != os::FileType::regular) return false;
  if (expected.identity == found->identity) return true;
  if (!expected.sha256 || found->identity.size != expected.size) return false;
  UPDATE_TRY_ASSIGN(const auto digest, hash_if_there(folder, name));
  return digest == expected.sha256;
}

namespace {

/// Old and new are the same file but for its inode (--reinstall, a repair): either will do.
bool indistinguishable(const PlannedFile& file) {
  return file.old_state && file.new_state && file.old_state->sha256 &&
         file.old_state->sha256 == file.new_state->sha256 &&
         file.old_state->same_metadata(*file.new_state);
}

Holds observe_absent(const PlannedFile& file) {
  if (!file.old_state) return Holds::old_bytes;
  return file.new_state ? Holds::foreign : Holds::new_bytes;
}

/// The same bytes either way (a repaired mode or ACL): what else a file is tells them apart.
Result<Holds> observe_by_metadata(os::Folder& folder, const PlannedFile& file) {
  UPDATE_TRY_ASSIGN(const auto present, look_at(folder, file.destination.name()));
  const bool is_new = present && present->same_metadata(*file.new_state);
  return is_new ? Holds::new_bytes : Holds::old_bytes;
}

}  // namespace

Result<Holds> observe(os::Folder& folder, const PlannedFile& file) {
  const std::string name = file.destination.name();
  UPDATE_TRY_ASSIGN(const std::optional<os::FileInfo> found, folder.lookup(name));
  if (!found) return observe_absent(file);
  if (found->type != os::FileType::regular) return Holds::foreign;
  const auto& identity = found->identity;
  if (file.old_state && file.old_state->identity == identity) return Holds::old_bytes;
  if (file.new_state && file.new_state->identity == identity) return Holds::new_bytes;
  const bool old_size = file.old_state && file.old_state->size == identity.size;
  const bool new_size = file.new_state && file.new_state->size == identity.size;
  if (!old_size && !new_size) return Holds::foreign;
  UPDATE_TRY_ASSIGN(const auto digest, hash_if_there(folder, name));
  if (!digest) return observe_absent(file);
  const bool is_old = old_size && file.old_state->sha256 == digest;
  const bool is_new = new_size && file.new_state->sha256 == digest;
  if (is_old && is_new) return observe_by_metadata(folder, file);
  if (is_old) return Holds::old_bytes;
  return is_new ? Holds::new_bytes : Holds::foreign;
}

namespace {

Result<Observation> observe_one(os::Folder& folder, const Plan& plan, const PlannedFile& file) {
  if (file.unchanged) return Observation{true, Holds::old_bytes, true, true, true};
  Observation seen;
  UPDATE_TRY_ASSIGN(seen.destination, observe(folder, file));
  if (seen.destination != Holds::foreign && indistinguishable(file)) {
    return Observation{true, seen.destination, true, true, true};
  }
  if (file.new_state && seen.destination != Holds::new_bytes) {
    UPDATE_TRY_ASSIGN(seen.still_staged,
                      holds_bytes(folder, plan.staged_name_of(file), *file.new_state));
  }
  seen.new_available = seen.destination == Holds::new_bytes || !file.new_state || seen.still_staged;
  seen.old_available = seen.destination == Holds::old_bytes || !file.old_state;
  if (!seen.old_available) {
    UPDATE_TRY_ASSIGN(seen.old_available,
                      holds_bytes(folder, plan.backup_name_of(file), *file.old_state));
  }
  return seen;
}

}  // namespace

Result<std::vector<Observation>> observe_all(const TargetFolders& folders, const Plan& plan) {
  std::vector<Observation> observations;
  for (const PlannedFile& file : plan.files) {
    UPDATE_TRY_ASSIGN(const Observation seen,
                      observe_one(folders.of(file.destination), plan, file));
    observations.push_back(seen);
  }
  return observations;
}

bool was_renamed(const Observation& file) {
  if (file.unchanged || file.destination == Holds::old_bytes) return false;
  return file.destination == Holds::new_bytes || !file.still_staged;
}

}  // namespace update
