#include <cerrno>
#include <cstdio>
#include <set>
#include <utility>

#include "engine/os/clock.hpp"
#include "tests/fake/fake_handle.hpp"

namespace update {

namespace {

using Verb = FakeCall::Verb;
using Kind = DiskOperation::Kind;

std::string owner_detail(std::uint32_t uid, std::uint32_t gid) {
  return std::to_string(uid) + ":" + std::to_string(gid);
}

std::int64_t as_nanoseconds(const os::FileTime& time) {
  return time.seconds * os::kNsPerSecond + time.nanoseconds;
}

}  // namespace

Status FakeFolder::create_link(const std::string& name, const std::string& target) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_create(name));
  if (target.find('\0') != std::string::npos) return error(EINVAL, name);
  if (target.empty()) return error(ENOENT, name);
  return perform(Verb::create_link, name, "-> " + target, [&] {
    FakeFileSystem& files = handle_.files;
    const InodeNumber number = files.disk_.create(handle_.number, name, os::FileType::symbolic_link,
                                                  0777, files.creator_uid_, files.creator_gid_);
    DiskOperation write{.kind = Kind::write, .inode = number};
    write.content.edit().edit_text() = target;
    files.disk_.change(std::move(write));
  });
}

Status FakeFolder::change(Verb verb, std::string detail, DiskOperation operation) {
  UPDATE_TRY(handle_.usable());
  UPDATE_TRY(handle_.writable_device());
  operation.inode = handle_.number;
  return handle_.change(verb, handle_.path, std::move(detail), std::move(operation));
}

Status FakeFolder::change_of(const std::string& name, Verb verb, std::string detail,
                             DiskOperation operation) {
  UPDATE_TRY(check(name));
  const auto number = child(name);
  if (!number) return error(ENOENT, name);
  UPDATE_TRY(handle_.writable_device());
  operation.inode = *number;
  return handle_.change(verb, path_of(name), std::move(detail), std::move(operation));
}

Status FakeFolder::set_owner(std::uint32_t uid, std::uint32_t gid) {
  const auto lock = handle_.lock();
  return change(Verb::set_owner, owner_detail(uid, gid),
                {.kind = Kind::owner, .uid = uid, .gid = gid});
}

Status FakeFolder::set_mode(std::uint32_t mode) {
  const auto lock = handle_.lock();
  char octal[16];
  std::snprintf(octal, sizeof octal, "%04o", mode & 07777U);
  return change(Verb::set_mode, octal, {.kind = Kind::mode, .mode = mode & 07777U});
}

Status FakeFolder::set_both_times(const os::FileTime& modified, const os::FileTime& /*accessed*/) {
  const auto lock = handle_.lock();
  const std::int64_t mtime_ns = as_nanoseconds(modified);
  return change(Verb::set_times, std::to_string(mtime_ns),
                {.kind = Kind::times, .mtime_ns = mtime_ns});
}

Result<os::Attributes> FakeFolder::attributes_at(InodeNumber number) const {
  if (!handle_.files.disk_.device_of(number).attributes) return os::Attributes{};
  return *handle_.files.disk_.at(number).now.attributes;
}

Result<os::Attributes> FakeFolder::attributes() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  UPDATE_TRY(handle_.files.readable(handle_.path));
  return attributes_at(handle_.number);
}

Status FakeFolder::set_attribute(const std::string& name, const std::string& value) {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.can_hold_attribute(name));
  return change(Verb::set_attribute, name,
                {.kind = Kind::attribute, .attribute = name, .value = value});
}

Status FakeFolder::set_owner_of(const std::string& name, std::uint32_t uid, std::uint32_t gid) {
  const auto lock = handle_.lock();
  return change_of(name, Verb::set_owner, owner_detail(uid, gid),
                   {.kind = Kind::owner, .uid = uid, .gid = gid});
}

Status FakeFolder::set_times_of(const std::string& name, const os::FileTime& modified,
                                const os::FileTime& /*accessed*/) {
  const auto lock = handle_.lock();
  const std::int64_t mtime_ns = as_nanoseconds(modified);
  return change_of(name, Verb::set_times, std::to_string(mtime_ns),
                   {.kind = Kind::times, .mtime_ns = mtime_ns});
}

Result<os::Attributes> FakeFolder::attributes_of(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check(name));
  UPDATE_TRY(handle_.files.readable(path_of(name)));
  const auto number = child(name);
  if (!number) return error(ENOENT, name);
  return attributes_at(*number);
}

Status FakeFolder::set_attribute_of(const std::string& name, const std::string& attribute,
                                    const std::string& value) {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.can_hold_attribute(attribute));
  return change_of(name, Verb::set_attribute, attribute,
                   {.kind = Kind::attribute, .attribute = attribute, .value = value});
}

Status FakeFolder::sync_all() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  FakeDisk& disk = handle_.files.disk_;
  const auto sync_device = [&](bool fails) {
    std::set<InodeNumber> numbers;
    for (const auto& operation : disk.pending_operations()) numbers.insert(operation->inode);
    for (const InodeNumber number : numbers) {
      if (disk.at(number).device == handle_.inode().device) disk.sync(number, fails);
    }
  };
  return handle_.files.perform(
      {Verb::sync_all, handle_.path, {}}, [&] { sync_device(false); }, [&] { sync_device(true); });
}

}  // namespace update
