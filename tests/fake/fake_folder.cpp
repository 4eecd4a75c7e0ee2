#include <cerrno>
#include <cstdio>
#include <utility>

#include "tests/fake/fake_handle.hpp"

namespace update {

namespace {

using Verb = FakeCall::Verb;

constexpr std::size_t kLongestName = 255;  // NAME_MAX

}  // namespace

std::string FakeFolder::path_of(const std::string& name) const {
  return handle_.path.ends_with('/') ? handle_.path + name : handle_.path + "/" + name;
}

tl::unexpected<Error> FakeFolder::error(int code, const std::string& name) const {
  return fail(Error::from_errno(code, path_of(name)));
}

Status FakeFolder::check(const std::string& name) const {
  UPDATE_TRY(handle_.usable());
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (!plain) return error(EINVAL, name);
  if (name.size() > kLongestName) return error(ENAMETOOLONG, name);
  return {};
}

std::optional<InodeNumber> FakeFolder::child(const std::string& name) const {
  return handle_.files.disk_.child(handle_.number, name);
}

Status FakeFolder::perform(Verb verb, const std::string& name, std::string detail,
                           const std::function<void()>& effect) {
  return handle_.files.perform({verb, path_of(name), std::move(detail)}, effect);
}

Result<os::FileInfo> FakeFolder::info() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  return handle_.info();
}

Result<std::optional<os::FileInfo>> FakeFolder::lookup(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(name));
  UPDATE_TRY(handle_.files.readable(path_of(name)));
  const auto number = child(name);
  if (!number) return std::nullopt;
  return file_info_of(*number, handle_.files.disk_.at(*number));
}

Result<std::vector<std::string>> FakeFolder::list() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  UPDATE_TRY(handle_.files.readable(handle_.path));
  std::vector<std::string> names;
  for (const auto& [name, number] : *handle_.inode().now.names) names.push_back(name);
  return names;
}

Result<std::string> FakeFolder::read_link(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(name));
  UPDATE_TRY(handle_.files.readable(path_of(name)));
  const auto number = child(name);
  if (!number) return error(ENOENT, name);
  const Inode& inode = handle_.files.disk_.at(*number);
  if (inode.type != os::FileType::symbolic_link) return error(EINVAL, name);
  return inode.now.text();
}

Result<std::unique_ptr<os::File>> FakeFolder::open(const std::string& name, bool writable) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(name));
  UPDATE_TRY(handle_.files.readable(path_of(name)));
  const auto number = child(name);
  if (!number) return error(ENOENT, name);
  switch (handle_.files.disk_.at(*number).type) {
    case os::FileType::regular: break;
    case os::FileType::folder: return error(EISDIR, name);
    case os::FileType::symbolic_link: return error(ELOOP, name);
    case os::FileType::other: return error(EINVAL, name);
  }
  if (writable) UPDATE_TRY(handle_.writable_device());
  return std::make_unique<FakeFile>(handle_.files, *number, path_of(name), writable);
}

Result<std::unique_ptr<os::File>> FakeFolder::open_file(const std::string& name) {
  return open(name, false);
}

Result<std::unique_ptr<os::File>> FakeFolder::open_file_for_update(const std::string& name) {
  return open(name, true);
}

Status FakeFolder::may_add(const std::string& name) const {
  UPDATE_TRY(check(name));
  if (child(name)) return error(EEXIST, name);
  UPDATE_TRY(handle_.writable_device());
  if (handle_.inode().links == 0) return error(ENOENT, name);  // a removed folder
  return {};
}

Status FakeFolder::may_create(const std::string& name) const {
  UPDATE_TRY(may_add(name));
  const FakeDevice& device = handle_.files.disk_.device_of(handle_.number);
  if (device.free_bytes == 0 || device.free_inodes == 0) return error(ENOSPC, name);
  return {};
}

Result<InodeNumber> FakeFolder::create(Verb verb, const std::string& name, os::FileType type,
                                       std::uint32_t mode) {
  UPDATE_TRY(may_create(name));
  char octal[16];
  std::snprintf(octal, sizeof octal, "%04o", mode & 07777U);
  InodeNumber number = 0;
  UPDATE_TRY(perform(verb, name, octal, [&] {
    FakeFileSystem& files = handle_.files;
    // As the Linux side: private first, then fchmod(2), so that a power cut may leave it private.
    const std::uint32_t first_mode = type == os::FileType::folder ? 0700 : 0600;
    number = files.disk_.create(handle_.number, name, type, first_mode, files.creator_uid_,
                                files.creator_gid_);
    if (mode == first_mode) return;
    files.disk_.change({.kind = DiskOperation::Kind::mode, .inode = number, .mode = mode & 07777U});
  }));
  return number;
}

Result<std::unique_ptr<os::File>> FakeFolder::create_file(const std::string& name,
                                                          std::uint32_t mode) {
  const auto lock = handle_.lock();
  UPDATE_TRY_ASSIGN(const InodeNumber number,
                    create(Verb::create, name, os::FileType::regular, mode));
  return std::make_unique<FakeFile>(handle_.files, number, path_of(name), true);
}

Result<std::unique_ptr<os::Folder>> FakeFolder::open_folder(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(name));
  UPDATE_TRY(handle_.files.readable(path_of(name)));
  const auto number = child(name);
  if (!number) return error(ENOENT, name);
  if (handle_.files.disk_.at(*number).type != os::FileType::folder) return error(ENOTDIR, name);
  return std::make_unique<FakeFolder>(handle_.files, *number, path_of(name));
}

Result<std::unique_ptr<os::Folder>> FakeFolder::create_folder(const std::string& name,
                                                              std::uint32_t mode) {
  const auto lock = handle_.lock();
  UPDATE_TRY_ASSIGN(const InodeNumber number,
                    create(Verb::create_folder, name, os::FileType::folder, mode));
  return std::make_unique<FakeFolder>(handle_.files, number, path_of(name));
}

Status FakeFolder::link(const std::string& name, os::Folder& target, const std::string& new_name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(name));
  const auto* const into = dynamic_cast<FakeFolder*>(&target);
  if (into == nullptr || &into->handle_.files != &handle_.files) return error(EXDEV, name);
  UPDATE_TRY(into->check(new_name));
  FakeDisk& disk = handle_.files.disk_;
  const auto number = child(name);
  if (!number) return error(ENOENT, name);
  UPDATE_TRY(into->may_add(new_name));
  const Inode& inode = disk.at(*number);
  if (inode.device != into->handle_.inode().device) return error(EXDEV, name);
  if (inode.type == os::FileType::folder) return error(EPERM, name);
  const int link_error = disk.device_of(*number).link_error;
  if (link_error != 0) return error(link_error, name);
  return perform(Verb::link, name, "-> " + into->path_of(new_name),
                 [&] { disk.add_name(into->handle_.number, new_name, *number); });
}

Result<std::optional<InodeNumber>> FakeFolder::child_to_move(const std::string& name) const {
  UPDATE_TRY(check(name));
  UPDATE_TRY(handle_.writable_device());
  const auto number = child(name);
  const bool mount_point =
      number && handle_.files.disk_.at(*number).device != handle_.inode().device;
  if (mount_point) return error(EBUSY, name);
  return number;
}

Status FakeFolder::may_replace(InodeNumber moved, const std::string& new_name) const {
  UPDATE_TRY_ASSIGN(const std::optional<InodeNumber> replaced, child_to_move(new_name));
  if (!replaced) return {};
  const FakeDisk& disk = handle_.files.disk_;
  const bool moves_folder = disk.at(moved).type == os::FileType::folder;
  const bool replaces_folder = disk.at(*replaced).type == os::FileType::folder;
  if (moves_folder && !replaces_folder) return error(ENOTDIR, new_name);
  if (!moves_folder && replaces_folder) return error(EISDIR, new_name);
  if (!disk.at(*replaced).now.names->empty()) return error(ENOTEMPTY, new_name);
  return {};
}

Status FakeFolder::rename(const std::string& name, const std::string& new_name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(new_name));
  UPDATE_TRY_ASSIGN(const std::optional<InodeNumber> number, child_to_move(name));
  if (!number) return error(ENOENT, name);
  const auto replaced = child(new_name);
  if (replaced == number) return {};  // rename(2): two names of one inode, and both stay
  UPDATE_TRY(may_replace(*number, new_name));
  return perform(Verb::rename, name, "-> " + path_of(new_name), [&] {
    handle_.files.disk_.move_name(handle_.number, name, new_name);
    if (replaced) handle_.files.release_if_gone(*replaced);
  });
}

Result<bool> FakeFolder::unlink(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY_ASSIGN(const std::optional<InodeNumber> number, child_to_move(name));
  if (!number) return false;
  FakeDisk& disk = handle_.files.disk_;
  if (disk.at(*number).type == os::FileType::folder) return error(EISDIR, name);
  UPDATE_TRY(perform(Verb::unlink, name, {}, [&] {
    disk.remove_name(handle_.number, name);
    handle_.files.release_if_gone(*number);
  }));
  return true;
}

Result<bool> FakeFolder::remove_folder(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY_ASSIGN(const std::optional<InodeNumber> number, child_to_move(name));
  if (!number) return false;
  FakeDisk& disk = handle_.files.disk_;
  if (disk.at(*number).type != os::FileType::folder) return error(ENOTDIR, name);
  if (!disk.at(*number).now.names->empty()) return error(ENOTEMPTY, name);
  UPDATE_TRY(perform(Verb::remove_folder, name, {}, [&] {
    disk.remove_name(handle_.number, name);
    handle_.files.release_if_gone(*number);
  }));
  return true;
}

Result<os::Space> FakeFolder::space() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  const FakeDevice& device = handle_.files.disk_.device_of(handle_.number);
  return os::Space{.free_bytes = device.free_bytes,
                   .unreserved_bytes = device.free_bytes,
                   .free_inodes = device.free_inodes,
                   .device = handle_.info().identity.device};
}

Status FakeFolder::sync() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  FakeDisk& disk = handle_.files.disk_;
  return handle_.files.perform(
      {Verb::sync_folder, handle_.path, {}}, [&] { disk.sync(handle_.number); },
      [&] { disk.sync(handle_.number, true); });
}

}  // namespace update
