#include "tests/fake/fake_filesystem.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <stdexcept>
#include <utility>

#include "tests/fake/fake_handle.hpp"

namespace update {

namespace {

struct SplitPath {
  std::string folder;
  std::string name;
};

SplitPath split(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos || slash + 1 == path.size()) {
    throw std::logic_error("not the absolute path of a name: " + path);
  }
  return {slash == 0 ? "/" : path.substr(0, slash), path.substr(slash + 1)};
}

/// The last part first.
void push_parts(std::string_view path, std::vector<std::string>& parts) {
  std::size_t end = path.size();
  while (end > 0) {
    const std::size_t slash = path.rfind('/', end - 1);
    const std::size_t begin = slash == std::string_view::npos ? 0 : slash + 1;
    if (begin < end) parts.emplace_back(path.substr(begin, end - begin));
    end = begin == 0 ? 0 : begin - 1;
  }
}

}  // namespace

Result<InodeNumber> FakeFileSystem::walk(const std::string& path, bool follow_last) const {
  constexpr int kMostLinks = 40;  // path_resolution(7)
  std::vector<std::string> parts;
  push_parts(path, parts);
  std::vector<InodeNumber> way{FakeDisk::kRoot};
  int links = 0;
  while (!parts.empty()) {
    const std::string part = std::move(parts.back());
    parts.pop_back();
    if (disk_.at(way.back()).type != os::FileType::folder) {
      return fail(Error::from_errno(ENOTDIR, path));
    }
    if (part == ".") continue;
    if (part == "..") {
      if (way.size() > 1) way.pop_back();
      continue;
    }
    const auto child = disk_.child(way.back(), part);
    if (!child) return fail(Error::from_errno(ENOENT, path));
    const Inode& inode = disk_.at(*child);
    if (inode.type != os::FileType::symbolic_link || (parts.empty() && !follow_last)) {
      way.push_back(*child);
      continue;
    }
    if (++links > kMostLinks) return fail(Error::from_errno(ELOOP, path));
    if (inode.now.text().starts_with('/')) way.resize(1);
    push_parts(inode.now.text(), parts);
  }
  return way.back();
}

std::optional<InodeNumber> FakeFileSystem::find(const std::string& path) const {
  const Lock lock(mutex_);
  const auto found = walk(path, false);
  if (!found) return std::nullopt;
  return *found;
}

InodeNumber FakeFileSystem::must_find(const std::string& path) const {
  const auto found = find(path);
  if (!found) throw std::logic_error("the fake file system has no " + path);
  return *found;
}

Result<InodeNumber> FakeFileSystem::folder_of_path(const std::string& path) {
  const Lock lock(mutex_);
  UPDATE_TRY(powered(boot_));
  UPDATE_TRY(readable(path));
  UPDATE_TRY_ASSIGN(const InodeNumber number, walk(path, true));
  if (disk_.at(number).type != os::FileType::folder) {
    return fail(Error::from_errno(ENOTDIR, path));
  }
  return number;
}

Result<std::unique_ptr<os::Folder>> FakeFileSystem::open_folder(const std::string& path) {
  UPDATE_TRY_ASSIGN(const InodeNumber number, folder_of_path(path));
  return std::make_unique<FakeFolder>(*this, number, path);
}

Result<std::unique_ptr<os::Folder>> FakeFileSystem::open_root(const std::string& path) {
  UPDATE_TRY_ASSIGN(const InodeNumber number, folder_of_path(path));
  return std::make_unique<FakeFolder>(*this, number, "/");
}

Result<FakeFileSystem::Place> FakeFileSystem::place(const std::string& path) {
  const auto [folder_path, name] = split(path);
  UPDATE_TRY_ASSIGN(auto folder, open_folder(folder_path));
  return Place{std::move(folder), name};
}

std::size_t FakeFileSystem::count(FakeCall::Verb verb) const {
  return static_cast<std::size_t>(std::count_if(
      calls_.begin(), calls_.end(), [verb](const FakeCall& call) { return call.verb == verb; }));
}

void FakeFileSystem::stop_at(std::uint64_t call, When when) {
  stop_call_ = call;
  stop_when_ = when;
}

void FakeFileSystem::stop(std::uint64_t call) {
  stopped_ = true;
  stop_call_ = call;
  stopped_thread_ = std::this_thread::get_id();
  throw PowerCut{call};
}

void FakeFileSystem::cut_power() {
  stop(calls_.size());
}

void FakeFileSystem::restart() {
  for (const auto& [number, handles] : open_) {
    if (disk_.at(number).links == 0) disk_.release(number);
  }
  open_.clear();
  locks_.clear();
  handles_ = 0;
  ++boot_;
  stopped_ = false;
  stop_call_ = 0;
  calls_.clear();
  faults_.clear();
  call_predicates_.clear();
  read_predicates_.clear();
  dropped_.clear();
  before_each_ = nullptr;
  hooks_.clear();
}

void FakeFileSystem::kill() {
  const Lock lock(mutex_);
  restart();
}

void FakeFileSystem::lose(const LossPattern& pattern) {
  const Lock lock(mutex_);
  restart();
  disk_.lose(pattern);
}

void FakeFileSystem::fail_at(std::uint64_t call, int error, Repeat repeat) {
  faults_.push_back({call, error, repeat});
}

void FakeFileSystem::fail_always(int error, std::function<bool(const FakeCall&)> predicate) {
  call_predicates_.emplace_back(error, std::move(predicate));
}

void FakeFileSystem::fail_reading(int error,
                                  std::function<bool(const std::string& path)> predicate) {
  read_predicates_.emplace_back(error, std::move(predicate));
}

void FakeFileSystem::drop_always(std::function<bool(const FakeCall&)> predicate) {
  dropped_.push_back(std::move(predicate));
}

void FakeFileSystem::before_each_call(std::function<void(const FakeCall&)> hook) {
  before_each_ = std::move(hook);
}

void FakeFileSystem::after_call(std::uint64_t call, std::function<void()> hook) {
  hooks_.insert_or_assign(call, std::move(hook));
}

Status FakeFileSystem::powered(std::uint64_t boot) {
  if (stopped_) {
    const bool can_unwind =
        std::this_thread::get_id() == stopped_thread_ && std::uncaught_exceptions() == 0;
    if (can_unwind) throw PowerCut{stop_call_};
    return fail(Error::from_errno(EIO, "the power is off"));
  }
  if (boot != boot_) return fail(Error::from_errno(EIO, "opened before the last restart"));
  return {};
}

Status FakeFileSystem::readable(const std::string& path) const {
  for (const auto& [error, predicate] : read_predicates_) {
    if (predicate(path)) return fail(Error::from_errno(error, path));
  }
  return {};
}

int FakeFileSystem::injected_error(const FakeCall& call) const {
  const std::uint64_t number = calls_.size() + 1;
  for (const Fault& fault : faults_) {
    const bool later = fault.repeat == Repeat::from_then_on && number > fault.call;
    if (number == fault.call || later) return fault.error;
  }
  for (const auto& [error, predicate] : call_predicates_) {
    if (predicate(call)) return error;
  }
  return 0;
}

bool FakeFileSystem::is_dropped(const FakeCall& call) const {
  return std::any_of(dropped_.begin(), dropped_.end(),
                     [&](const auto& predicate) { return predicate(call); });
}

Status FakeFileSystem::perform(FakeCall call, const std::function<void()>& effect,
                               const std::function<void()>& failure) {
  const std::uint64_t number = calls_.size() + 1;
  if (number == stop_call_ && stop_when_ == When::before) stop(number);
  if (before_each_) before_each_(call);
  call.failed_with = injected_error(call);
  if (call.failed_with == 0) {
    if (is_dropped(call)) {
      ++drop_count_;
    } else {
      effect();
    }
  } else if (failure) {
    failure();
  }
  const FakeCall& done = calls_.emplace_back(std::move(call));
  Status result;
  if (done.failed_with != 0) result = fail(Error::from_errno(done.failed_with, done.path));
  if (const auto hook = hooks_.extract(number)) hook.mapped()();
  if (number == stop_call_) stop(number);
  return result;
}

void FakeFileSystem::release_if_gone(InodeNumber number) {
  if (disk_.at(number).links == 0 && !open_.contains(number)) disk_.release(number);
}

std::uint64_t FakeFileSystem::opened(InodeNumber number) {
  ++handles_;
  ++open_[number];
  return ++last_handle_;
}

void FakeFileSystem::closed(InodeNumber number, std::uint64_t boot, std::uint64_t handle) {
  if (boot != boot_) return;
  --handles_;
  const auto lock = locks_.find(number);
  if (lock != locks_.end() && lock->second == handle) locks_.erase(lock);
  const auto open = open_.find(number);
  if (--open->second > 0) return;
  open_.erase(open);
  release_if_gone(number);
}

InodeNumber FakeFileSystem::make_folders(const std::string& path) {
  std::vector<std::string> parts;
  push_parts(path, parts);
  InodeNumber folder = FakeDisk::kRoot;
  std::string here;
  while (!parts.empty()) {
    const std::string name = std::move(parts.back());
    parts.pop_back();
    here.append("/").append(name);
    if (const auto found = walk(here, true)) {
      folder = *found;
      continue;
    }
    const InodeNumber made = disk_.create(folder, name, os::FileType::folder, 0755, 0, 0);
    disk_.sync(folder);
    folder = made;
  }
  if (disk_.at(folder).type != os::FileType::folder) {
    throw std::logic_error("not a folder: " + path);
  }
  return folder;
}

void FakeFileSystem::make_folder(const std::string& path, std::uint32_t mode, std::uint32_t uid,
                                 std::uint32_t gid) {
  const Lock lock(mutex_);
  const InodeNumber folder = make_folders(path);
  disk_.change({.kind = DiskOperation::Kind::owner, .inode = folder, .uid = uid, .gid = gid});
  disk_.change({.kind = DiskOperation::Kind::mode, .inode = folder, .mode = mode});
  disk_.sync(folder);
}

InodeNumber FakeFileSystem::plant(const std::string& path, os::FileType type,
                                  std::string_view bytes, std::uint32_t mode, std::uint32_t uid,
                                  std::uint32_t gid) {
  const Lock lock(mutex_);
  const auto [folder_path, name] = split(path);
  const InodeNumber folder = make_folders(folder_path);
  if (disk_.child(folder, name)) remove_tree(folder, name);
  const InodeNumber number = disk_.create(folder, name, type, mode, uid, gid);
  DiskOperation write{.kind = DiskOperation::Kind::write, .inode = number};
  write.content.edit().edit_text() = bytes;
  disk_.change(std::move(write));
  disk_.sync(number);
  disk_.sync(folder);
  return number;
}

void FakeFileSystem::put_file(const std::string& path, std::string_view bytes, std::uint32_t mode,
                              std::uint32_t uid, std::uint32_t gid) {
  plant(path, os::FileType::regular, bytes, mode, uid, gid);
}

void FakeFileSystem::symlink(const std::string& path, const std::string& target) {
  plant(path, os::FileType::symbolic_link, target, 0777, creator_uid_, creator_gid_);
}

void FakeFileSystem::overwrite(const std::string& path, std::string_view bytes) {
  const Lock lock(mutex_);
  const InodeNumber number = must_find(path);
  DiskOperation write{.kind = DiskOperation::Kind::write, .inode = number};
  write.content.edit().edit_text() = bytes;
  disk_.change(std::move(write));
  disk_.change({.kind = DiskOperation::Kind::truncate, .inode = number, .offset = bytes.size()});
  disk_.sync(number);
}

void FakeFileSystem::set_attribute(const std::string& path, const std::string& name,
                                   const std::string& value) {
  const Lock lock(mutex_);
  const InodeNumber number = must_find(path);
  disk_.change({.kind = DiskOperation::Kind::attribute,
                .inode = number,

                .attribute = name,
                .value = value});
  disk_.sync(number);
}

void FakeFileSystem::hard_link(const std::string& path, const std::string& new_path) {
  const Lock lock(mutex_);
  const InodeNumber number = must_find(path);
  const auto [folder_path, name] = split(new_path);
  const InodeNumber folder = make_folders(folder_path);
  if (disk_.child(folder, name)) throw std::logic_error("there is already a " + new_path);
  disk_.add_name(folder, name, number);
  disk_.sync(folder);
}

void FakeFileSystem::remove_tree(InodeNumber folder, const std::string& name) {
  const InodeNumber number = *disk_.child(folder, name);
  const Shared<FolderNames> names = disk_.at(number).now.names;
  for (const auto& [child_name, child] : *names) remove_tree(number, child_name);
  disk_.remove_name(folder, name);
  release_if_gone(number);
  disk_.sync(folder);
}

void FakeFileSystem::remove(const std::string& path) {
  const Lock lock(mutex_);
  must_find(path);
  const auto [folder_path, name] = split(path);
  remove_tree(*walk(folder_path, true), name);
}

void FakeFileSystem::set_creator(std::uint32_t uid, std::uint32_t gid) {
  creator_uid_ = uid;
  creator_gid_ = gid;
}

FakeDevice& FakeFileSystem::mount(const std::string& path) {
  const Lock lock(mutex_);
  const InodeNumber folder = make_folders(path);
  disk_.mount(folder);
  return disk_.device_of(folder);
}

FakeDevice& FakeFileSystem::device(const std::string& path) {
  return disk_.device_of(must_find(path));
}

std::optional<std::string> FakeFileSystem::read(const std::string& path) const {
  const auto number = find(path);
  if (!number || disk_.at(*number).type != os::FileType::regular) return std::nullopt;
  return disk_.at(*number).now.text();
}

}  // namespace update
