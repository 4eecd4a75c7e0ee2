#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/os/filesystem.hpp"

namespace update {

/// What a test wants to know or to do while a folder is read.
struct Observer {
  std::vector<std::string> opened;
  std::uint64_t bytes_read = 0;
  std::function<void(const std::string& name)> after_read = [](const std::string&) {};
};

/// A real file whose reads are observed.
class ObservedFile : public os::File {
 public:
  ObservedFile(std::unique_ptr<os::File> real, std::string name, Observer& observer)
      : real_(std::move(real)), name_(std::move(name)), observer_(observer) {}

  Result<os::FileInfo> info() override { return real_->info(); }
  Result<std::size_t> read_at(std::span<std::byte> into, std::uint64_t offset) override {
    auto count = real_->read_at(into, offset);
    if (count) observer_.bytes_read += *count;
    observer_.after_read(name_);
    return count;
  }
  Status write_at(std::span<const std::byte> bytes, std::uint64_t offset) override {
    return real_->write_at(bytes, offset);
  }
  Result<bool> clone_from(os::File& source) override { return real_->clone_from(source); }
  Result<bool> clone_range(os::File& source, std::uint64_t source_offset, std::uint64_t offset,
                           std::uint64_t length) override {
    return real_->clone_range(source, source_offset, offset, length);
  }
  Result<std::optional<std::size_t>> copy_from(os::File& source, std::uint64_t source_offset,
                                               std::uint64_t offset, std::size_t length) override {
    return real_->copy_from(source, source_offset, offset, length);
  }
  Result<std::optional<Extent>> next_data(std::uint64_t offset) override {
    return real_->next_data(offset);
  }
  Status truncate(std::uint64_t size) override { return real_->truncate(size); }
  Status reserve(std::uint64_t size) override { return real_->reserve(size); }
  void start_writeback(std::uint64_t offset, std::uint64_t length) override {
    real_->start_writeback(offset, length);
  }
  Status set_owner(std::uint32_t uid, std::uint32_t gid) override {
    return real_->set_owner(uid, gid);
  }
  Status set_mode(std::uint32_t mode) override { return real_->set_mode(mode); }
  Status set_times(std::int64_t mtime_ns) override { return real_->set_times(mtime_ns); }
  Status set_both_times(const os::FileTime& modified, const os::FileTime& accessed) override {
    return real_->set_both_times(modified, accessed);
  }
  Result<os::Attributes> attributes() override { return real_->attributes(); }
  Status set_attribute(const std::string& name, const std::string& value) override {
    return real_->set_attribute(name, value);
  }
  Status remove_attribute(const std::string& name) override {
    return real_->remove_attribute(name);
  }
  Status sync() override { return real_->sync(); }
  Result<bool> try_lock() override { return real_->try_lock(); }
  Result<bool> try_shared_lock() override { return real_->try_shared_lock(); }

 private:
  std::unique_ptr<os::File> real_;
  std::string name_;
  Observer& observer_;
};

/// A real folder whose files are observed.
class ObservedFolder : public os::Folder {
 public:
  ObservedFolder(std::unique_ptr<os::Folder> real, Observer& observer)
      : real_(std::move(real)), observer_(observer) {}

  const std::string& path() const override { return real_->path(); }
  Result<os::FileInfo> info() override { return real_->info(); }
  Result<std::optional<os::FileInfo>> lookup(const std::string& name) override {
    return real_->lookup(name);
  }
  Result<std::vector<std::string>> list() override { return real_->list(); }
  Result<std::string> read_link(const std::string& name) override { return real_->read_link(name); }
  Result<std::unique_ptr<os::File>> open_file(const std::string& name) override {
    UPDATE_TRY_ASSIGN(auto file, real_->open_file(name));
    observer_.opened.push_back(name);
    return std::make_unique<ObservedFile>(std::move(file), name, observer_);
  }
  Result<std::unique_ptr<os::File>> open_file_for_update(const std::string& name) override {
    return real_->open_file_for_update(name);
  }
  Result<std::unique_ptr<os::File>> create_file(const std::string& name,
                                                std::uint32_t mode) override {
    return real_->create_file(name, mode);
  }
  Result<std::unique_ptr<os::Folder>> open_folder(const std::string& name) override {
    return real_->open_folder(name);
  }
  Result<std::unique_ptr<os::Folder>> create_folder(const std::string& name,
                                                    std::uint32_t mode) override {
    return real_->create_folder(name, mode);
  }
  Status link(const std::string& name, os::Folder& target, const std::string& new_name) override {
    return real_->link(name, target, new_name);
  }
  Status rename(const std::string& name, const std::string& new_name) override {
    return real_->rename(name, new_name);
  }
  Result<bool> unlink(const std::string& name) override { return real_->unlink(name); }
  Result<bool> remove_folder(const std::string& name) override {
    return real_->remove_folder(name);
  }
  Status create_link(const std::string& name, const std::string& target) override {
    return real_->create_link(name, target);
  }
  Status set_owner(std::uint32_t uid, std::uint32_t gid) override {
    return real_->set_owner(uid, gid);
  }
  Status set_mode(std::uint32_t mode) override { return real_->set_mode(mode); }
  Status set_both_times(const os::FileTime& modified, const os::FileTime& accessed) override {
    return real_->set_both_times(modified, accessed);
  }
  Result<os::Attributes> attributes() override { return real_->attributes(); }
  Status set_attribute(const std::string& name, const std::string& value) override {
    return real_->set_attribute(name, value);
  }
  Status set_owner_of(const std::string& name, std::uint32_t uid, std::uint32_t gid) override {
    return real_->set_owner_of(name, uid, gid);
  }
  Status set_times_of(const std::string& name, const os::FileTime& modified,
                      const os::FileTime& accessed) override {
    return real_->set_times_of(name, modified, accessed);
  }
  Result<os::Attributes> attributes_of(const std::string& name) override {
    return real_->attributes_of(name);
  }
  Status set_attribute_of(const std::string& name, const std::string& attribute,
                          const std::string& value) override {
    return real_->set_attribute_of(name, attribute, value);
  }
  Result<os::Space> space() override { return real_->space(); }
  Status sync() override { return real_->sync(); }
  Status sync_all() override { return real_->sync_all(); }

 private:
  std::unique_ptr<os::Folder> real_;
  Observer& observer_;
};

}  // namespace update
