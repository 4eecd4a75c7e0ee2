#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "engine/os/fd.hpp"
#include "engine/os/filesystem.hpp"

namespace update::os {

/// Opens the folder `path` below the open folder `parent` (or AT_FDCWD), with `flags` added; errno
/// says why not.
UniqueFd open_folder_at(int parent, const std::string& path, int flags);

/// Opens the regular file `name` below `parent`; `path` is for messages. Safe by itself against
/// what was put at the name since somebody looked: no link is followed, no FIFO waited for. Another
/// regular file is as good as if it had been there before.
Result<UniqueFd> open_regular_at(int parent, const std::string& name, int access,
                                 const std::string& path);

class LinuxFolder final : public Folder {
 public:
  LinuxFolder(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  const std::string& path() const override { return path_; }
  Result<FileInfo> info() override;
  Result<std::optional<FileInfo>> lookup(const std::string& name) override;
  Result<std::vector<std::string>> list() override;
  Result<std::string> read_link(const std::string& name) override;
  Result<std::unique_ptr<File>> open_file(const std::string& name) override;
  Result<std::unique_ptr<File>> open_file_for_update(const std::string& name) override;
  Result<std::unique_ptr<File>> create_file(const std::string& name, std::uint32_t mode) override;
  Result<std::unique_ptr<Folder>> open_folder(const std::string& name) override;
  Result<std::unique_ptr<Folder>> create_folder(const std::string& name,
                                                std::uint32_t mode) override;
  Status link(const std::string& name, Folder& target, const std::string& new_name) override;
  Status rename(const std::string& name, const std::string& new_name) override;
  Status create_link(const std::string& name, const std::string& target) override;
  Status set_owner(std::uint32_t uid, std::uint32_t gid) override;
  Status set_mode(std::uint32_t mode) override;
  Status set_both_times(const FileTime& modified, const FileTime& accessed) override;
  Result<Attributes> attributes() override;
  Status set_attribute(const std::string& name, const std::string& value) override;
  Status set_owner_of(const std::string& name, std::uint32_t uid, std::uint32_t gid) override;
  Status set_times_of(const std::string& name, const FileTime& modified,
                      const FileTime& accessed) override;
  Result<Attributes> attributes_of(const std::string& name) override;
  Status set_attribute_of(const std::string& name, const std::string& attribute,
                          const std::string& value) override;
  Result<bool> unlink(const std::string& name) override;
  Result<bool> remove_folder(const std::string& name) override;
  Result<Space> space() override;
  Status sync() override;
  Status sync_all() override;

 private:
  /// One part of a path and nothing else, so that no name can lead out of this folder.
  Status check(const std::string& name) const;
  std::string path_of(std::string_view name) const;
  Result<std::unique_ptr<File>> open_regular(const std::string& name, int access);
  Result<bool> remove(const std::string& name, int flags);

  UniqueFd fd_;
  std::string path_;
};

}  // namespace update::os
