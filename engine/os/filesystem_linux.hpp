#pragma once

#include "engine/os/filesystem.hpp"

namespace update::os {

class LinuxFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<Folder>> open_folder(const std::string& path) override;
  Result<std::unique_ptr<Folder>> open_root(const std::string& path) override;
};

}  // namespace update::os
