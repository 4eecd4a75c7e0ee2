#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/fake/fake_filesystem.hpp"

namespace update {

os::FileInfo file_info_of(InodeNumber number, const Inode& inode);

/// What an open file and an open folder have in common: an inode, the path by which it was opened,
/// and the boot in which that was.
class FakeHandle {
 public:
  FakeHandle(FakeFileSystem& files, InodeNumber number, std::string path);
  ~FakeHandle();
  FakeHandle(const FakeHandle&) = delete;
  FakeHandle& operator=(const FakeHandle&) = delete;

  using Lock = std::unique_lock<std::recursive_mutex>;
  Lock lock() const { return Lock(files.mutex_); }
  /// The machine runs, and this handle is of this boot.
  Status usable() const { return files.powered(boot_); }
  const Inode& inode() const { return files.disk_.at(number); }
  os::FileInfo info() const;
  Status writable_device() const;
  /// Of this inode, or of a child of it that has no handle of its own.
  Status change(FakeCall::Verb verb, const std::string& changed_path, std::string detail,
                DiskOperation operation) const;
  Status can_hold_attribute(const std::string& name) const;
  tl::unexpected<Error> error(int code) const { return fail(Error::from_errno(code, path)); }

  FakeFileSystem& files;
  const InodeNumber number;
  const std::string path;
  const std::uint64_t id;

 private:
  const std::uint64_t boot_;
};

class FakeFile final : public os::File {
 public:
  FakeFile(FakeFileSystem& files, InodeNumber number, std::string path, bool writable)
      : handle_(files, number, std::move(path)), writable_(writable) {}

  Result<os::FileInfo> info() override;
  Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) override;
  Status write_at(std::span<const std::byte> bytes, std::uint64_t offset) override;
  Result<bool> clone_from(os::File& source) override;
  Result<bool> clone_range(os::File& source, std::uint64_t source_offset, std::uint64_t offset,
                           std::uint64_t length) override;
  Result<std::optional<std::size_t>> copy_from(os::File& source, std::uint64_t source_offset,
                                               std::uint64_t offset, std::size_t length) override;
  Result<std::optional<Extent>> next_data(std::uint64_t offset) override;
  Status truncate(std::uint64_t size) override;
  Status reserve(std::uint64_t size) override;
  void start_writeback(std::uint64_t offset, std::uint64_t length) override;
  Status set_owner(std::uint32_t uid, std::uint32_t gid) override;
  Status set_mode(std::uint32_t mode) override;
  Status set_times(std::int64_t mtime_ns) override;
  Status set_both_times(const os::FileTime& modified, const os::FileTime& accessed) override;
  Result<os::Attributes> attributes() override;
  Status set_attribute(const std::string& name, const std::string& value) override;
  Status remove_attribute(const std::string& name) override;
  Status sync() override;
  Result<bool> try_lock() override;
  /// Taken and given back at once: a test has no two holders.
  Result<bool> try_shared_lock() override;

 private:
  enum class Needs : std::uint8_t { open, open_for_writing };
  Status may_change(Needs needs) const;
  Status change(FakeCall::Verb verb, std::string detail, DiskOperation operation);
  Status check_attribute(const std::string& name) const;
  Status write(FakeCall::Verb verb, std::string bytes, std::uint64_t offset);

  FakeHandle handle_;
  const bool writable_;
};

class FakeFolder final : public os::Folder {
 public:
  FakeFolder(FakeFileSystem& files, InodeNumber number, std::string path)
      : handle_(files, number, std::move(path)) {}

  const std::string& path() const override { return handle_.path; }
  Result<os::FileInfo> info() override;
  Result<std::optional<os::FileInfo>> lookup(const std::string& name) override;
  Result<std::vector<std::string>> list() override;
  Result<std::string> read_link(const std::string& name) override;
  Result<std::unique_ptr<os::File>> open_file(const std::string& name) override;
  Result<std::unique_ptr<os::File>> open_file_for_update(const std::string& name) override;
  Result<std::unique_ptr<os::File>> create_file(const std::string& name,
                                                std::uint32_t mode) override;
  Result<std::unique_ptr<os::Folder>> open_folder(const std::string& name) override;
  Result<std::unique_ptr<os::Folder>> create_folder(const std::string& name,
                                                    std::uint32_t mode) override;
  Status link(const std::string& name, os::Folder& target, const std::string& new_name) override;
  Status rename(const std::string& name, const std::string& new_name) override;
  Status create_link(const std::string& name, const std::string& target) override;
  Status set_owner(std::uint32_t uid, std::uint32_t gid) override;
  Status set_mode(std::uint32_t mode) override;
  Status set_both_times(const os::FileTime& modified, const os::FileTime& accessed) override;
  Result<os::Attributes> attributes() override;
  Status set_attribute(const std::string& name, const std::string& value) override;
  Status set_owner_of(const std::string& name, std::uint32_t uid, std::uint32_t gid) override;
  Status set_times_of(const std::string& name, const os::FileTime& modified,
                      const os::FileTime& accessed) override;
  Result<os::Attributes> attributes_of(const std::string& name) override;
  Status set_attribute_of(const std::string& name, const std::string& attribute,
                          const std::string& value) override;
  Result<bool> unlink(const std::string& name) override;
  Result<bool> remove_folder(const std::string& name) override;
  Result<os::Space> space() override;
  Status sync() override;
  Status sync_all() override;

 private:
  /// Of the folder itself, or of `name` in it.
  Status change(FakeCall::Verb verb, std::string detail, DiskOperation operation);
  Status change_of(const std::string& name, FakeCall::Verb verb, std::string detail,
                   DiskOperation operation);
  Result<os::Attributes> attributes_at(InodeNumber number) const;
  std::string path_of(const std::string& name) const;
  tl::unexpected<Error> error(int code, const std::string& name) const;
  Status check(const std::string& name) const;
  /// A read-only file system says so before it looks for the name (do_unlinkat, do_renameat2).
  Result<std::optional<InodeNumber>> child_to_move(const std::string& name) const;
  Status may_add(const std::string& name) const;
  Status may_create(const std::string& name) const;
  Status may_replace(InodeNumber moved, const std::string& new_name) const;
  std::optional<InodeNumber> child(const std::string& name) const;
  Status perform(FakeCall::Verb verb, const std::string& name, std::string detail,
                 const std::function<void()>& effect);
  Result<InodeNumber> create(FakeCall::Verb verb, const std::string& name, os::FileType type,
                             std::uint32_t mode);
  Result<std::unique_ptr<os::File>> open(const std::string& name, bool writable);

  FakeHandle handle_;
};

}  // namespace update
