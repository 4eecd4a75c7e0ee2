#include "engine/os/filesystem_linux.hpp"

#include <fcntl.h>

#include "engine/os/call_linux.hpp"
#include "engine/os/folder_linux.hpp"

namespace update::os {
namespace {

Result<UniqueFd> open_folder_of_path(const std::string& path) {
  if (path.find('\0') != std::string::npos) return system_error(EINVAL, {"opening", path});
  UniqueFd fd = open_folder_at(AT_FDCWD, path, 0);
  if (!fd.valid()) return last_error({"opening", path});
  return fd;
}

}  // namespace

Result<std::unique_ptr<Folder>> LinuxFileSystem::open_folder(const std::string& path) {
  UPDATE_TRY_ASSIGN(UniqueFd fd, open_folder_of_path(path));
  return std::make_unique<LinuxFolder>(std::move(fd), path);
}

Result<std::unique_ptr<Folder>> LinuxFileSystem::open_root(const std::string& path) {
  UPDATE_TRY_ASSIGN(UniqueFd fd, open_folder_of_path(path));
  return std::make_unique<LinuxFolder>(std::move(fd), "/");
}

}  // namespace update::os
