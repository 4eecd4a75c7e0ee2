#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "engine/os/clock.hpp"
#include "tests/fake/fake_handle.hpp"

namespace update {

namespace {

using Verb = FakeCall::Verb;
using Kind = DiskOperation::Kind;

constexpr std::uint64_t kLargestFile = std::uint64_t{1} << 32U;
constexpr std::uint64_t kBlock = 4096;

std::string octal(std::uint32_t mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

os::FileTime file_time(std::int64_t ns) {
  const std::int64_t second = ns / os::kNsPerSecond - (ns % os::kNsPerSecond < 0 ? 1 : 0);
  return {second, static_cast<std::uint32_t>(ns - second * os::kNsPerSecond)};
}

/// Errors of pwrite(2) that no disk has a say in.
Status check_range(std::uint64_t end, std::uint64_t offset, const FakeHandle& handle) {
  if (offset > INT64_MAX) return handle.error(EINVAL);
  if (end > kLargestFile) return handle.error(EFBIG);
  return {};
}

}  // namespace

os::FileInfo file_info_of(InodeNumber number, const Inode& inode) {
  constexpr std::uint64_t kFirstDevice = 2049;
  const os::FileTime modified = file_time(inode.now.mtime_ns);
  const bool folder = inode.type == os::FileType::folder;
  return {.type = inode.type,
          .identity = {.device = kFirstDevice + inode.device,
                       .inode = number,
                       .size = folder ? kBlock : inode.now.text().size(),
                       .mtime_ns = inode.now.mtime_ns},
          .mode = inode.now.mode,
          .uid = inode.now.uid,
          .gid = inode.now.gid,
          .links = inode.links,
          .ctime_ns = inode.ctime_ns,
          .special = os::SpecialType::none,
          .modified = modified,
          .accessed = modified,
          .changed = file_time(inode.ctime_ns)};
}

std::optional<os::FileInfo> FakeFileSystem::info(const std::string& path) const {
  const auto number = find(path);
  if (!number) return std::nullopt;
  return file_info_of(*number, disk_.at(*number));
}

FakeHandle::FakeHandle(FakeFileSystem& owner, InodeNumber inode_number, std::string opened_path)
    : files(owner),
      number(inode_number),
      path(std::move(opened_path)),
      id(owner.opened(inode_number)),
      boot_(owner.boot_) {}

FakeHandle::~FakeHandle() {
  const Lock held = lock();
  files.closed(number, boot_, id);
}

os::FileInfo FakeHandle::info() const {
  return file_info_of(number, inode());
}

Status FakeHandle::writable_device() const {
  if (files.disk_.device_of(number).read_only) return error(EROFS);
  return {};
}

Result<os::FileInfo> FakeFile::info() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  return handle_.info();
}

Result<std::size_t> FakeFile::read_at(std::span<std::byte> into, std::uint64_t offset) {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  UPDATE_TRY(handle_.files.readable(handle_.path));
  if (offset > INT64_MAX) return handle_.error(EINVAL);
  const std::string& text = handle_.inode().now.text();
  if (offset >= text.size()) return 0;
  const std::size_t length = std::min(into.size(), text.size() - offset);
  if (length > 0) std::memcpy(into.data(), text.data() + offset, length);
  return length;
}

Status FakeFile::may_change(Needs needs) const {
  UPDATE_TRY(handle_.usable());
  UPDATE_TRY(handle_.writable_device());
  if (needs == Needs::open_for_writing && !writable_) return handle_.error(EBADF);
  return {};
}

Status FakeHandle::change(Verb verb, const std::string& changed_path, std::string detail,
                          DiskOperation operation) const {
  return files.perform({verb, changed_path, std::move(detail)},
                       [&] { files.disk_.change(std::move(operation)); });
}

Status FakeFile::change(Verb verb, std::string detail, DiskOperation operation) {
  operation.inode = handle_.number;
  return handle_.change(verb, handle_.path, std::move(detail), std::move(operation));
}

Status FakeFile::write_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open_for_writing));
  std::string text(bytes.size(), '\0');
  if (!bytes.empty()) std::memcpy(text.data(), bytes.data(), bytes.size());
  return write(Verb::write, std::move(text), offset);
}

Status FakeFile::write(Verb verb, std::string bytes, std::uint64_t offset) {
  if (bytes.empty()) return {};
  const std::uint64_t end = offset + bytes.size();
  UPDATE_TRY(check_range(end, offset, handle_));
  FakeDisk& disk = handle_.files.disk_;
  const std::uint64_t free = disk.device_of(handle_.number).free_bytes;
  const bool full = disk.bytes_needed(handle_.number, end) > free;
  if (full) {
    // write(2) first writes what fits, and only the next call says ENOSPC.
    const std::uint64_t fitting_end = handle_.inode().now.allocated + free;
    if (fitting_end <= offset) return handle_.error(ENOSPC);
    bytes.resize(fitting_end - offset);
  }
  std::string detail = std::to_string(bytes.size()) + " bytes at " + std::to_string(offset);
  DiskOperation operation{.kind = Kind::write, .offset = offset};
  operation.content.edit().edit_text() = std::move(bytes);
  UPDATE_TRY(change(verb, std::move(detail), std::move(operation)));
  if (full) return handle_.error(ENOSPC);
  return {};
}

Result<bool> FakeFile::clone_from(os::File& source) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open_for_writing));
  const auto* const from = dynamic_cast<FakeFile*>(&source);
  if (from == nullptr || !handle_.files.disk_.device_of(handle_.number).clones ||
      from->handle_.inode().device != handle_.inode().device) {
    return false;
  }
  UPDATE_TRY(from->handle_.usable());
  DiskOperation operation{.kind = Kind::write};
  operation.content = from->handle_.inode().now.content;
  operation.shares_blocks = true;
  UPDATE_TRY(change(Verb::clone, "<- " + from->handle_.path, std::move(operation)));
  return true;
}

Result<bool> FakeFile::clone_range(os::File& source, std::uint64_t source_offset,
                                   std::uint64_t offset, std::uint64_t length) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open_for_writing));
  const auto* const from = dynamic_cast<FakeFile*>(&source);
  const bool aligned = (source_offset | offset | length) % kBlock == 0;
  if (from == nullptr || !aligned || !handle_.files.disk_.device_of(handle_.number).clones ||
      from->handle_.inode().device != handle_.inode().device) {
    return false;
  }
  UPDATE_TRY(from->handle_.usable());
  const std::string& text = from->handle_.inode().now.text();
  if (source_offset > text.size() || length > text.size() - source_offset) return false;
  if (length == 0) return true;
  DiskOperation operation{.kind = Kind::write, .offset = offset};
  operation.content.edit().edit_text() = text.substr(source_offset, length);
  operation.shares_blocks = true;
  UPDATE_TRY(change(Verb::clone, "<- " + from->handle_.path, std::move(operation)));
  return true;
}

Result<std::optional<std::size_t>> FakeFile::copy_from(os::File& source,
                                                       std::uint64_t source_offset,
                                                       std::uint64_t offset, std::size_t length) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open_for_writing));
  const auto* const from = dynamic_cast<FakeFile*>(&source);
  const FakeDevice& device = handle_.files.disk_.device_of(handle_.number);
  if (from == nullptr || !device.kernel_copies ||
      from->handle_.inode().device != handle_.inode().device) {
    return std::nullopt;
  }
  UPDATE_TRY(from->handle_.usable());
  UPDATE_TRY(from->handle_.files.readable(from->handle_.path));
  const std::string& text = from->handle_.inode().now.text();
  if (source_offset >= text.size()) return std::size_t{0};
  std::string bytes = text.substr(source_offset, std::min(length, device.copy_chunk));
  const std::size_t count = bytes.size();
  UPDATE_TRY(write(Verb::copy, std::move(bytes), offset));
  return count;
}

Result<std::optional<os::File::Extent>> FakeFile::next_data(std::uint64_t offset) {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  const std::string& text = handle_.inode().now.text();
  // A block of zeros counts as a hole, which lseek(2) allows, so that holes need no record of their
  // own.
  const auto is_hole = [&](std::uint64_t block) {
    const std::string_view bytes = std::string_view(text).substr(block * kBlock, kBlock);
    return bytes.find_first_not_of('\0') == std::string_view::npos;
  };
  const std::uint64_t blocks = (text.size() + kBlock - 1) / kBlock;
  std::uint64_t block = offset / kBlock;
  while (block < blocks && is_hole(block)) ++block;
  if (block >= blocks || offset >= text.size()) return std::nullopt;
  const std::uint64_t begin = std::max(offset, block * kBlock);
  while (block < blocks && !is_hole(block)) ++block;
  return Extent{.begin = begin, .end = std::min<std::uint64_t>(block * kBlock, text.size())};
}

Status FakeFile::truncate(std::uint64_t size) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open));
  if (!writable_) return handle_.error(EINVAL);  // ftruncate(2) has its own word for it
  UPDATE_TRY(check_range(size, size, handle_));
  return change(Verb::truncate, std::to_string(size), {.kind = Kind::truncate, .offset = size});
}

Status FakeFile::reserve(std::uint64_t size) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open));
  if (size == 0) return {};
  if (!writable_) return handle_.error(EBADF);
  UPDATE_TRY(check_range(size, size, handle_));
  FakeDisk& disk = handle_.files.disk_;
  if (disk.bytes_needed(handle_.number, size) > disk.device_of(handle_.number).free_bytes) {
    return handle_.error(ENOSPC);
  }
  return change(Verb::reserve, std::to_string(size), {.kind = Kind::reserve, .offset = size});
}

void FakeFile::start_writeback(std::uint64_t, std::uint64_t) {
  const auto lock = handle_.lock();
  // Throws where the power is off; a hint has no error else.
  static_cast<void>(handle_.usable());
}

Status FakeFile::set_owner(std::uint32_t uid, std::uint32_t gid) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open));
  return change(Verb::set_owner, std::to_string(uid) + ":" + std::to_string(gid),
                {.kind = Kind::owner, .uid = uid, .gid = gid});
}

Status FakeFile::set_mode(std::uint32_t mode) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open));
  return change(Verb::set_mode, octal(mode & 07777U), {.kind = Kind::mode, .mode = mode & 07777U});
}

Status FakeFile::set_times(std::int64_t mtime_ns) {
  const auto lock = handle_.lock();
  UPDATE_TRY(may_change(Needs::open));
  return change(Verb::set_times, std::to_string(mtime_ns),
                {.kind = Kind::times, .mtime_ns = mtime_ns});
}

Status FakeFile::set_both_times(const os::FileTime& modified, const os::FileTime& /*accessed*/) {
  return set_times(modified.seconds * os::kNsPerSecond + modified.nanoseconds);
}

Result<os::Attributes> FakeFile::attributes() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  UPDATE_TRY(handle_.files.readable(handle_.path));
  if (!handle_.files.disk_.device_of(handle_.number).attributes) return os::Attributes{};
  return *handle_.inode().now.attributes;
}

Status FakeHandle::can_hold_attribute(const std::string& name) const {
  if (name.find('\0') != std::string::npos) return error(EINVAL);
  const bool known_kind = name.starts_with("user.") || name.starts_with("security.") ||
                          name.starts_with("system.") || name.starts_with("trusted.");
  if (!known_kind || !files.disk_.device_of(number).attributes) return error(EOPNOTSUPP);
  return {};
}

Status FakeFile::check_attribute(const std::string& name) const {
  UPDATE_TRY(may_change(Needs::open));
  return handle_.can_hold_attribute(name);
}

Status FakeFile::set_attribute(const std::string& name, const std::string& value) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check_attribute(name));
  return change(Verb::set_attribute, name,
                {.kind = Kind::attribute, .attribute = name, .value = value});
}

Status FakeFile::remove_attribute(const std::string& name) {
  const auto lock = handle_.lock();
  UPDATE_TRY(check_attribute(name));
  if (!handle_.inode().now.attributes->contains(name)) return {};
  return change(Verb::remove_attribute, name, {.kind = Kind::attribute, .attribute = name});
}

Status FakeFile::sync() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  FakeDisk& disk = handle_.files.disk_;
  return handle_.files.perform(
      {Verb::sync_file, handle_.path, {}}, [&] { disk.sync(handle_.number); },
      [&] { disk.sync(handle_.number, true); });
}

Result<bool> FakeFile::try_lock() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  return handle_.files.locks_.try_emplace(handle_.number, handle_.id).first->second == handle_.id;
}

Result<bool> FakeFile::try_shared_lock() {
  const auto lock = handle_.lock();
  UPDATE_TRY(handle_.usable());
  const auto holder = handle_.files.locks_.find(handle_.number);
  return holder == handle_.files.locks_.end() || holder->second == handle_.id;
}

}  // namespace update
