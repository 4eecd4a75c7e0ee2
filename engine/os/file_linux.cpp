#include "engine/os/file_linux.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

#include "engine/os/call_linux.hpp"
#include "engine/os/clock.hpp"
#include "engine/os/inode_linux.hpp"

namespace update::os {

namespace {

// Past INT64_MAX this is negative, which every call below refuses by itself.
off_t as_offset(std::uint64_t offset) {
  return static_cast<off_t>(offset);
}

// ioctl_ficlone(2): each of these says that the file systems cannot, none that the disk failed.
bool cannot_share(int number) {
  return number == EOPNOTSUPP || number == EXDEV || number == EINVAL || number == ENOTTY ||
         number == ENOSYS;
}

}  // namespace

Result<FileInfo> LinuxFile::info() {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return last_error({"looking at", path_});
  return file_info_of(status);
}

Result<std::size_t> LinuxFile::read_at(std::span<std::byte> into, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t count = retried([&] {
      return ::pread(fd_.get(), into.data() + done, into.size() - done, as_offset(offset + done));
    });
    if (count < 0) return last_error({"reading", path_});
    if (count == 0) break;
    done += static_cast<std::size_t>(count);
  }
  return done;
}

Status LinuxFile::write_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = retried([&] {
      return ::pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                      as_offset(offset + done));
    });
    if (count < 0) return last_error({"writing", path_});
    // Not one byte and no reason: trying on might never end.
    if (count == 0) return system_error(EIO, {"writing", path_});
    done += static_cast<std::size_t>(count);
  }
  return {};
}

Result<bool> LinuxFile::clone_from(File& source) {
  const auto* const from = dynamic_cast<LinuxFile*>(&source);
  if (from == nullptr) return false;
  if (retried([&] { return ::ioctl(fd_.get(), FICLONE, from->fd_.get()); }) == 0) return true;
  if (cannot_share(errno)) return false;
  return last_error({"sharing blocks of", from->path_, "with", path_});
}

Result<bool> LinuxFile::clone_range(File& source, std::uint64_t source_offset, std::uint64_t offset,
                                    std::uint64_t length) {
  const auto* const from = dynamic_cast<LinuxFile*>(&source);
  if (from == nullptr) return false;
  if (length == 0) return true;  // the kernel would take it for "up to the end"
  const file_clone_range range{.src_fd = from->fd_.get(),
                               .src_offset = source_offset,
                               .src_length = length,
                               .dest_offset = offset};
  if (retried([&] { return ::ioctl(fd_.get(), FICLONERANGE, &range); }) == 0) return true;
  if (cannot_share(errno)) return false;
  return last_error({"sharing blocks of", from->path_, "with", path_});
}

Result<std::optional<std::size_t>> LinuxFile::copy_from(File& source, std::uint64_t source_offset,
                                                        std::uint64_t offset, std::size_t length) {
  const auto* const from = dynamic_cast<LinuxFile*>(&source);
  if (from == nullptr) return std::nullopt;
  const ssize_t count = retried([&] {
    off64_t read_offset = as_offset(source_offset);
    off64_t write_offset = as_offset(offset);
    return ::copy_file_range(from->fd_.get(), &read_offset, fd_.get(), &write_offset, length, 0);
  });
  if (count >= 0) return static_cast<std::size_t>(count);
  if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS) {
    return std::nullopt;
  }
  return last_error({"copying", from->path_, "to", path_});
}

Result<std::optional<File::Extent>> LinuxFile::next_data(std::uint64_t offset) {
  const off_t begin = ::lseek(fd_.get(), as_offset(offset), SEEK_DATA);
  if (begin < 0 && errno == ENXIO) return std::nullopt;
  if (begin < 0) return last_error({"looking for data in", path_});
  const off_t end = ::lseek(fd_.get(), begin, SEEK_HOLE);
  if (end < 0) return last_error({"looking for holes in", path_});
  return Extent{.begin = static_cast<std::uint64_t>(begin), .end = static_cast<std::uint64_t>(end)};
}

Status LinuxFile::truncate(std::uint64_t size) {
  if (retried([&] { return ::ftruncate(fd_.get(), as_offset(size)); }) != 0) {
    return last_error({"setting the size of", path_});
  }
  return {};
}

Status LinuxFile::reserve(std::uint64_t size) {
  if (size == 0) return {};  // fallocate(2) takes no empty range
  const int result =
      retried([&] { return ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, 0, as_offset(size)); });
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return {};
  return last_error({"reserving blocks for", path_});
}

void LinuxFile::start_writeback(std::uint64_t offset, std::uint64_t length) {
  // A hint: what goes wrong with the bytes is told by sync(), whose error this does not take away.
  ::sync_file_range(fd_.get(), as_offset(offset), as_offset(length), SYNC_FILE_RANGE_WRITE);
}

Status LinuxFile::set_owner(std::uint32_t uid, std::uint32_t gid) {
  // chown(2) takes -1 for "leave it", which nobody here means.
  if (uid == UINT32_MAX || gid == UINT32_MAX) {
    return system_error(EINVAL, {"setting the owner of", path_});
  }
  if (::fchown(fd_.get(), uid, gid) != 0) return last_error({"setting the owner of", path_});
  return {};
}

Status LinuxFile::set_mode(std::uint32_t mode) {
  if (::fchmod(fd_.get(), mode & 07777) != 0) return last_error({"setting the mode of", path_});
  return {};
}

Status LinuxFile::set_times(std::int64_t mtime_ns) {
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = mtime_ns / kNsPerSecond;
  times[1].tv_nsec = mtime_ns % kNsPerSecond;
  if (times[1].tv_nsec < 0) {  // before 1970: utimensat(2) counts nanoseconds forwards
    times[1].tv_nsec += kNsPerSecond;
    times[1].tv_sec -= 1;
  }
  if (::futimens(fd_.get(), times) != 0) return last_error({"setting the times of", path_});
  return {};
}

Status LinuxFile::set_both_times(const FileTime& modified, const FileTime& accessed) {
  return set_inode_times({fd_.get(), "", path_}, modified, accessed);
}

Result<Attributes> LinuxFile::attributes() {
  return inode_attributes({fd_.get(), "", path_});
}

Status LinuxFile::set_attribute(const std::string& name, const std::string& value) {
  return set_inode_attribute({fd_.get(), "", path_}, name, value);
}

Status LinuxFile::remove_attribute(const std::string& name) {
  UPDATE_TRY(check_attribute_name(name, path_));
  if (::fremovexattr(fd_.get(), name.c_str()) != 0 && errno != ENODATA) {
    return last_error({"removing attribute", name, "of", path_});
  }
  return {};
}

Status LinuxFile::sync() {
  if (::fsync(fd_.get()) != 0) return last_error({"syncing", path_});
  return {};
}

Result<bool> LinuxFile::lock(int kind) {
  if (retried([&] { return ::flock(fd_.get(), kind | LOCK_NB); }) == 0) return true;
  if (errno == EWOULDBLOCK) return false;
  return last_error({"locking", path_});
}

}  // namespace update::os
