#pragma once

#include <sys/file.h>

#include <string>
#include <utility>

#include "engine/os/fd.hpp"
#include "engine/os/filesystem.hpp"

namespace update::os {

/// Everything is done through the descriptor: the name may stand for another file by now.
class LinuxFile final : public File {
 public:
  LinuxFile(UniqueFd fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  Result<FileInfo> info() override;
  Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) override;
  Status write_at(std::span<const std::byte> bytes, std::uint64_t offset) override;
  Result<bool> clone_from(File& source) override;
  Result<bool> clone_range(File& source, std::uint64_t source_offset, std::uint64_t offset,
                           std::uint64_t length) override;
  Result<std::optional<std::size_t>> copy_from(File& source, std::uint64_t source_offset,
                                               std::uint64_t offset, std::size_t length) override;
  Result<std::optional<Extent>> next_data(std::uint64_t offset) override;
  Status truncate(std::uint64_t size) override;
  Status reserve(std::uint64_t size) override;
  void start_writeback(std::uint64_t offset, std::uint64_t length) override;
  Status set_owner(std::uint32_t uid, std::uint32_t gid) override;
  Status set_mode(std::uint32_t mode) override;
  Status set_times(std::int64_t mtime_ns) override;
  Status set_both_times(const FileTime& modified, const FileTime& accessed) override;
  Result<Attributes> attributes() override;
  Status set_attribute(const std::string& name, const std::string& value) override;
  Status remove_attribute(const std::string& name) override;
  Status sync() override;
  Result<bool> try_lock() override { return lock(LOCK_EX); }
  Result<bool> try_shared_lock() override { return lock(LOCK_SH); }

  /// For a confined child, which keeps the file open.
  int descriptor() const { return fd_.get(); }

 private:
  Result<bool> lock(int kind);

  UniqueFd fd_;
  std::string path_;
};

}  // namespace update::os
