#include "engine/os/folder_linux.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "engine/os/call_linux.hpp"
#include "engine/os/file_linux.hpp"
#include "engine/os/inode_linux.hpp"

namespace update::os {

namespace {

struct CloseStream {
  void operator()(DIR* stream) const { ::closedir(stream); }
};

Status refuse_irregular(const struct stat& status, const std::string& path) {
  if (S_ISREG(status.st_mode)) return {};
  if (S_ISLNK(status.st_mode)) return system_error(ELOOP, {"opening the symbolic link", path});
  if (S_ISDIR(status.st_mode)) return system_error(EISDIR, {"opening", path});
  return system_error(EINVAL, {"opening, which is no regular file:", path});
}

}  // namespace

UniqueFd open_folder_at(int parent, const std::string& path, int flags) {
  const auto open_as = [&](int access) {
    return retried(
        [&] { return ::openat(parent, path.c_str(), access | O_DIRECTORY | O_CLOEXEC | flags); });
  };
  int fd = open_as(O_RDONLY);
  // A folder that one may pass but not list (0711): good for every verb but list() and sync().
  if (fd < 0 && errno == EACCES) fd = open_as(O_PATH);
  return UniqueFd(fd);
}

Result<UniqueFd> open_regular_at(int parent, const std::string& name, int access,
                                 const std::string& path) {
  constexpr int kFlags = O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  UniqueFd fd(retried([&] { return ::openat(parent, name.c_str(), access | kFlags); }));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return last_error({"opening", path});
  UPDATE_TRY(refuse_irregular(status, path));
  return fd;
}

Status LinuxFolder::check(const std::string& name) const {
  const bool plain = !name.empty() && name != "." && name != ".." &&
                     name.find('/') == std::string::npos && name.find('\0') == std::string::npos;
  if (plain) return {};
  return system_error(EINVAL, {"naming", name, "in", path_});
}

std::string LinuxFolder::path_of(std::string_view name) const {
  std::string path(path_);
  if (!path.ends_with('/')) path.push_back('/');
  return path.append(name);
}

Result<FileInfo> LinuxFolder::info() {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return last_error({"looking at", path_});
  return file_info_of(status);
}

Result<std::optional<FileInfo>> LinuxFolder::lookup(const std::string& name) {
  UPDATE_TRY(check(name));
  struct stat status {};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) {
    return file_info_of(status);
  }
  if (errno == ENOENT) return std::nullopt;
  return last_error({"looking at", name, "in", path_});
}

Result<std::vector<std::string>> LinuxFolder::list() {
  // A description of its own: the position of fd_ is shared by all who read it.
  const int fd = retried(
      [&] { return ::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC); });
  if (fd < 0) return last_error({"listing", path_});
  const std::unique_ptr<DIR, CloseStream> stream(::fdopendir(fd));
  if (!stream) {
    const int number = errno;
    ::close(fd);
    return system_error(number, {"listing", path_});
  }
  std::vector<std::string> names;
  for (;;) {
    errno = 0;  // readdir(3) tells an error from the end by errno alone
    const dirent* const entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return last_error({"listing", path_});
  // The order of the disk differs from run to run; what is done to the names must not.
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> LinuxFolder::read_link(const std::string& name) {
  UPDATE_TRY(check(name));
  std::string target(PATH_MAX + 1, '\0');
  const ssize_t size = ::readlinkat(fd_.get(), name.c_str(), target.data(), target.size());
  if (size < 0) return last_error({"reading the link", name, "in", path_});
  if (static_cast<std::size_t>(size) == target.size()) {
    return system_error(ENAMETOOLONG, {"reading the link", name, "in", path_});
  }
  target.resize(static_cast<std::size_t>(size));
  return target;
}

Result<std::unique_ptr<File>> LinuxFolder::open_file(const std::string& name) {
  return open_regular(name, O_RDONLY);
}

Result<std::unique_ptr<File>> LinuxFolder::open_file_for_update(const std::string& name) {
  return open_regular(name, O_RDWR);
}

Result<std::unique_ptr<File>> LinuxFolder::open_regular(const std::string& name, int access) {
  UPDATE_TRY(check(name));
  // Looked at first, since opening a device or a FIFO can already do something to it.
  struct stat status {};
  if (::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return last_error({"opening", name, "in", path_});
  }
  std::string path = path_of(name);
  UPDATE_TRY(refuse_irregular(status, path));
  UPDATE_TRY_ASSIGN(UniqueFd fd, open_regular_at(fd_.get(), name, access, path));
  return std::make_unique<LinuxFile>(std::move(fd), std::move(path));
}

Result<std::unique_ptr<File>> LinuxFolder::create_file(const std::string& name,
                                                       std::uint32_t mode) {
  UPDATE_TRY(check(name));
  // Private until it has its mode: the umask narrows what is given here, and nothing may widen it.
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(retried([&] { return ::openat(fd_.get(), name.c_str(), kFlags, 0600); }));
  if (!fd.valid()) return last_error({"creating", name, "in", path_});
  auto file = std::make_unique<LinuxFile>(std::move(fd), path_of(name));
  if (auto status = file->set_mode(mode); !status) {
    ::unlinkat(fd_.get(), name.c_str(), 0);
    return tl::unexpected(std::move(status).error());
  }
  return file;
}

Result<std::unique_ptr<Folder>> LinuxFolder::open_folder(const std::string& name) {
  UPDATE_TRY(check(name));
  UniqueFd fd = open_folder_at(fd_.get(), name, O_NOFOLLOW);
  if (!fd.valid()) return last_error({"opening the folder", name, "in", path_});
  return std::make_unique<LinuxFolder>(std::move(fd), path_of(name));
}

Result<std::unique_ptr<Folder>> LinuxFolder::create_folder(const std::string& name,
                                                           std::uint32_t mode) {
  UPDATE_TRY(check(name));
  if (::mkdirat(fd_.get(), name.c_str(), 0700) != 0) {
    return last_error({"creating the folder", name, "in", path_});
  }
  UniqueFd fd = open_folder_at(fd_.get(), name, O_NOFOLLOW);
  if (!fd.valid() || ::fchmod(fd.get(), mode & 07777) != 0) {
    const int number = errno;
    ::unlinkat(fd_.get(), name.c_str(), AT_REMOVEDIR);
    return system_error(number, {"creating the folder", name, "in", path_});
  }
  return std::make_unique<LinuxFolder>(std::move(fd), path_of(name));
}

Status LinuxFolder::link(const std::string& name, Folder& target, const std::string& new_name) {
  UPDATE_TRY(check(name));
  UPDATE_TRY(check(new_name));
  const auto* const into = dynamic_cast<LinuxFolder*>(&target);
  // A folder of another kind of file system is another file system.
  const bool linked = into != nullptr &&
                      ::linkat(fd_.get(), name.c_str(), into->fd_.get(), new_name.c_str(), 0) == 0;
  if (linked) return {};
  return system_error(into == nullptr ? EXDEV : errno,
                      {"linking", name, "in", path_, "as", new_name, "in", target.path()});
}

Status LinuxFolder::rename(const std::string& name, const std::string& new_name) {
  UPDATE_TRY(check(name));
  UPDATE_TRY(check(new_name));
  if (::renameat(fd_.get(), name.c_str(), fd_.get(), new_name.c_str()) != 0) {
    return last_error({"renaming", name, "to", new_name, "in", path_});
  }
  return {};
}

Status LinuxFolder::create_link(const std::string& name, const std::string& target) {
  UPDATE_TRY(check(name));
  // A NUL would cut the target short, and the link would lead elsewhere.
  if (target.find('\0') != std::string::npos) {
    return system_error(EINVAL, {"making the link", name, "in", path_});
  }
  if (::symlinkat(target.c_str(), fd_.get(), name.c_str()) != 0) {
    return last_error({"making the link", name, "in", path_});
  }
  return {};
}

Status LinuxFolder::set_owner(std::uint32_t uid, std::uint32_t gid) {
  return set_inode_owner({fd_.get(), "", path_}, uid, gid);
}

Status LinuxFolder::set_mode(std::uint32_t mode) {
  if (::fchmod(fd_.get(), mode & 07777) != 0) return last_error({"setting the mode of", path_});
  return {};
}

Status LinuxFolder::set_both_times(const FileTime& modified, const FileTime& accessed) {
  return set_inode_times({fd_.get(), "", path_}, modified, accessed);
}

Result<Attributes> LinuxFolder::attributes() {
  return inode_attributes({fd_.get(), "", path_});
}

Status LinuxFolder::set_attribute(const std::string& name, const std::string& value) {
  return set_inode_attribute({fd_.get(), "", path_}, name, value);
}

Status LinuxFolder::set_owner_of(const std::string& name, std::uint32_t uid, std::uint32_t gid) {
  UPDATE_TRY(check(name));
  return set_inode_owner({fd_.get(), name.c_str(), path_of(name)}, uid, gid);
}

Status LinuxFolder::set_times_of(const std::string& name, const FileTime& modified,
                                 const FileTime& accessed) {
  UPDATE_TRY(check(name));
  return set_inode_times({fd_.get(), name.c_str(), path_of(name)}, modified, accessed);
}

Result<Attributes> LinuxFolder::attributes_of(const std::string& name) {
  UPDATE_TRY(check(name));
  return inode_attributes({fd_.get(), name.c_str(), path_of(name)});
}

Status LinuxFolder::set_attribute_of(const std::string& name, const std::string& attribute,
                                     const std::string& value) {
  UPDATE_TRY(check(name));
  return set_inode_attribute({fd_.get(), name.c_str(), path_of(name)}, attribute, value);
}

Result<bool> LinuxFolder::unlink(const std::string& name) {
  return remove(name, 0);
}

Result<bool> LinuxFolder::remove_folder(const std::string& name) {
  return remove(name, AT_REMOVEDIR);
}

Result<bool> LinuxFolder::remove(const std::string& name, int flags) {
  UPDATE_TRY(check(name));
  if (::unlinkat(fd_.get(), name.c_str(), flags) == 0) return true;
  if (errno == ENOENT) return false;
  return last_error({"removing", name, "from", path_});
}

Result<Space> LinuxFolder::space() {
  struct statvfs volume {};
  struct stat status {};
  if (retried([&] { return ::fstatvfs(fd_.get(), &volume); }) != 0 ||
      ::fstat(fd_.get(), &status) != 0) {
    return last_error({"asking for the space of", path_});
  }
  const bool root = ::geteuid() == 0;
  return Space{.free_bytes = (root ? volume.f_bfree : volume.f_bavail) * volume.f_frsize,
               .unreserved_bytes = volume.f_bavail * volume.f_frsize,
               // btrfs has no fixed number of inodes and says 0 of 0 (statvfs(3)).
               .free_inodes = volume.f_files == 0 ? UINT64_MAX
                              : root              ? volume.f_ffree
                                                  : volume.f_favail,
               .device = status.st_dev};
}

Status LinuxFolder::sync() {
  if (::fsync(fd_.get()) != 0) return last_error({"syncing", path_});
  return {};
}

Status LinuxFolder::sync_all() {
  if (::syncfs(fd_.get()) != 0) return last_error({"syncing the file system of", path_});
  return {};
}

}  // namespace update::os
