#include "engine/os/inode_linux.hpp"

#include <fcntl.h>
#include <linux/limits.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "engine/os/call_linux.hpp"
#include "engine/os/clock.hpp"

namespace update::os {

namespace {

// Wraps instead of overflowing: ext4 can hold years that 64 bits of nanoseconds cannot.
std::int64_t nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(time.tv_sec) * kNsPerSecond +
                                   static_cast<std::uint64_t>(time.tv_nsec));
}

FileTime file_time(const timespec& time) {
  return {.seconds = time.tv_sec, .nanoseconds = static_cast<std::uint32_t>(time.tv_nsec)};
}

FileType file_type(mode_t mode) {
  if (S_ISREG(mode)) return FileType::regular;
  if (S_ISDIR(mode)) return FileType::folder;
  if (S_ISLNK(mode)) return FileType::symbolic_link;
  return FileType::other;
}

SpecialType special_type(mode_t mode) {
  if (S_ISCHR(mode) || S_ISBLK(mode)) return SpecialType::device;
  if (S_ISSOCK(mode)) return SpecialType::socket;
  if (S_ISFIFO(mode)) return SpecialType::pipe;
  return SpecialType::none;
}

bool is_name(const InodePlace& place) {
  return *place.name != '\0';
}

// There is no call for the attributes of a name below an open folder. The path through /proc leads
// to that very folder, and the l…xattr calls do not follow the last part.
std::string attribute_path(const InodePlace& place) {
  return "/proc/self/fd/" + std::to_string(place.fd) + "/" + place.name;
}

ssize_t list_names(const InodePlace& place, char* into, std::size_t size) {
  if (!is_name(place)) return ::flistxattr(place.fd, into, size);
  return ::llistxattr(attribute_path(place).c_str(), into, size);
}

ssize_t get_value(const InodePlace& place, const char* name, char* into, std::size_t size) {
  if (!is_name(place)) return ::fgetxattr(place.fd, name, into, size);
  return ::lgetxattr(attribute_path(place).c_str(), name, into, size);
}

}  // namespace

FileInfo file_info_of(const struct stat& status) {
  return {.type = file_type(status.st_mode),
          .identity = {.device = status.st_dev,
                       .inode = status.st_ino,
                       .size = static_cast<std::uint64_t>(status.st_size),
                       .mtime_ns = nanoseconds(status.st_mtim)},
          .mode = status.st_mode & 07777,
          .uid = status.st_uid,
          .gid = status.st_gid,
          .links = status.st_nlink,
          .ctime_ns = nanoseconds(status.st_ctim),
          .special = special_type(status.st_mode),
          .modified = file_time(status.st_mtim),
          .accessed = file_time(status.st_atim),
          .changed = file_time(status.st_ctim)};
}

Status check_attribute_name(std::string_view name, std::string_view path) {
  if (name.find('\0') == std::string_view::npos) return {};
  return system_error(EINVAL, {"naming an attribute of", path});
}

Status set_inode_owner(const InodePlace& place, std::uint32_t uid, std::uint32_t gid) {
  // chown(2) takes -1 for "leave it", which nobody here means.
  if (uid == UINT32_MAX || gid == UINT32_MAX) {
    return system_error(EINVAL, {"setting the owner of", place.path});
  }
  constexpr int kFlags = AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW;
  if (::fchownat(place.fd, place.name, uid, gid, kFlags) != 0) {
    return last_error({"setting the owner of", place.path});
  }
  return {};
}

Status set_inode_times(const InodePlace& place, const FileTime& modified,
                       const FileTime& accessed) {
  timespec times[2] = {};
  times[0].tv_sec = accessed.seconds;
  times[0].tv_nsec = accessed.nanoseconds;
  times[1].tv_sec = modified.seconds;
  times[1].tv_nsec = modified.nanoseconds;
  // UTIME_NOW and UTIME_OMIT are numbers of nanoseconds too, which nobody here means.
  const bool sane = accessed.nanoseconds < kNsPerSecond && modified.nanoseconds < kNsPerSecond;
  if (!sane) return system_error(EINVAL, {"setting the times of", place.path});
  const int result = is_name(place) ? ::utimensat(place.fd, place.name, times, AT_SYMLINK_NOFOLLOW)
                                    : ::futimens(place.fd, times);
  if (result != 0) return last_error({"setting the times of", place.path});
  return {};
}

Result<Attributes> inode_attributes(const InodePlace& place) {
  Attributes found;
  const ssize_t expected = list_names(place, nullptr, 0);
  if (expected == 0 || (expected < 0 && errno == ENOTSUP)) return found;  // nearly always
  std::string names(XATTR_LIST_MAX, '\0');
  const ssize_t names_size = list_names(place, names.data(), names.size());
  if (names_size < 0) return last_error({"listing the attributes of", place.path});
  names.resize(static_cast<std::size_t>(names_size));

  std::string value(names.empty() ? 0 : XATTR_SIZE_MAX, '\0');
  for (std::size_t begin = 0; begin < names.size();) {
    const std::string name(names.c_str() + begin);
    begin += name.size() + 1;
    const ssize_t size = get_value(place, name.c_str(), value.data(), value.size());
    if (size < 0 && errno == ENODATA) continue;  // removed since the list was made
    if (size < 0) return last_error({"reading attribute", name, "of", place.path});
    found.emplace(name, value.substr(0, static_cast<std::size_t>(size)));
  }
  return found;
}

Status set_inode_attribute(const InodePlace& place, const std::string& name,
                           const std::string& value) {
  UPDATE_TRY(check_attribute_name(name, place.path));
  const int result =
      is_name(place)
          ? ::lsetxattr(attribute_path(place).c_str(), name.c_str(), value.data(), value.size(), 0)
          : ::fsetxattr(place.fd, name.c_str(), value.data(), value.size(), 0);
  if (result != 0) return last_error({"setting attribute", name, "of", place.path});
  return {};
}

}  // namespace update::os
