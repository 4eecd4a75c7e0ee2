#pragma once

#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "engine/os/filesystem_linux.hpp"

namespace update::os {

/// A folder for one test, gone after it.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    path_ = (std::filesystem::temp_directory_path() / "os_test.XXXXXX").string();
    if (::mkdtemp(path_.data()) == nullptr) path_.clear();
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }
  std::unique_ptr<Folder> open() const { return LinuxFileSystem().open_folder(path_).value(); }

 private:
  std::string path_;
};

}  // namespace update::os
