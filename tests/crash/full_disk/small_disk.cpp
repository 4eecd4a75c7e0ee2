#include "tests/crash/full_disk/small_disk.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <utility>

#include "tests/scenario/host.hpp"

namespace update::crash {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kLargestBlock = std::size_t{64} << 20U;
constexpr std::size_t kSmallestBlock = 4096;
// symlink(7): PATH_MAX less the NUL, and what a leaf of btrfs has room for.
constexpr std::size_t kLinkBytes = 3900;
constexpr std::size_t kRounds = 20;

/// Mounts of a process that is killed go with its namespace, and the loop devices with them
/// (mount_namespaces(7), losetup(8) autoclear).
bool has_mounts_of_its_own() {
  static const bool own =
      unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return own;
}

std::string size_of(const std::string& kind) {
  if (kind == "ext4_small") return "24M";
  if (kind == "xfs") return "300M";  // the least that mkfs.xfs makes
  return type_of(kind) == "btrfs" ? "128M" : "48M";
}

std::string make_command(const std::string& kind, unsigned inodes) {
  const std::string type = type_of(kind);
  if (type != "ext4") return "mkfs." + type + " -q";
  // ext4 keeps blocks for root, who runs the tests, unless it is told not to. A file system as
  // small as this one would get blocks of 1 KiB, most have 4.
  return std::string("mkfs.ext4 -q -m 0 -b ") + (kind == "ext4_1k" ? "1024" : "4096") +
         (inodes == 0 ? "" : " -N " + std::to_string(inodes));
}

class Fd {
 public:
  explicit Fd(const std::string& path, int flags = O_WRONLY | O_CREAT)
      : fd_(open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// Late allocation decides only at the sync whether the bytes found a place.
void sync_disk(const std::string& path) {
  const Fd folder(path, O_RDONLY | O_DIRECTORY);
  syncfs(folder.get());
}

bool write_whole(const std::string& path, std::size_t bytes) {
  const Fd file(path);
  const std::string text(bytes, 'x');
  return file.get() >= 0 && write(file.get(), text.data(), bytes) == static_cast<ssize_t>(bytes) &&
         fsync(file.get()) == 0;
}

bool allocate(const std::string& path, std::size_t bytes) {
  const Fd file(path);
  if (file.get() >= 0 && fallocate(file.get(), 0, 0, static_cast<off_t>(bytes)) == 0) return true;
  unlink(path.c_str());
  return false;
}

}  // namespace

std::string type_of(const std::string& kind) {
  return kind.substr(0, kind.find('_'));
}

SmallDisk::SmallDisk(std::string kind, std::string path, unsigned inodes)
    : kind_(std::move(kind)), path_(std::move(path)) {
  if (!has_mounts_of_its_own()) return;
  fs::create_directories(path_);
  const std::string image = path_ + ".image";
  mounted_ = scenario::run_process(
                 {"sh", "-c",
                  "export PATH=$PATH:/usr/sbin:/sbin; truncate -s " + size_of(kind_) + " '" +
                      image + "' && " + make_command(kind_, inodes) + " '" + image +
                      "' >/dev/null && mount -o loop '" + image + "' '" + path_ + "'"})
                 .code == 0;
  if (!mounted_) return;
  fs::create_directory(path_ + "/filler");
  const std::size_t spare = kind_ == "ext4_small" ? kSpareBytes / 4 : kSpareBytes;
  for (; steps_left_ * kStepBytes < spare; ++steps_left_) {
    if (!allocate(filler("spare" + std::to_string(steps_left_)), kStepBytes)) break;
  }
}

SmallDisk::~SmallDisk() {
  if (mounted_) umount2(path_.c_str(), MNT_DETACH);
}

std::string SmallDisk::next_name() {
  return filler(std::to_string(++names_));
}

std::size_t SmallDisk::take_blocks() {
  std::size_t taken = 0;
  for (std::size_t bytes = kLargestBlock; bytes >= kSmallestBlock; bytes /= 2) {
    while (allocate(next_name(), bytes)) ++taken;
  }
  return taken;
}

/// One byte at a time: the last block is not left half used.
std::size_t SmallDisk::take_last_bytes() {
  const Fd file(next_name());
  if (file.get() < 0) return 0;
  std::size_t taken = 0;
  while (taken < 2 * kSmallestBlock && write(file.get(), "x", 1) == 1) ++taken;
  return fsync(file.get()) == 0 ? taken : 0;
}

std::size_t SmallDisk::take_links() {
  const std::string target(kLinkBytes, 'x');
  std::size_t taken = 0;
  while (symlink(target.c_str(), filler("link" + std::to_string(links_ + 1)).c_str()) == 0) {
    ++links_;
    ++taken;
  }
  return taken;
}

std::size_t SmallDisk::take_names() {
  std::size_t taken = 0;
  while (Fd(next_name()).get() >= 0) ++taken;
  return taken;
}

void SmallDisk::fill() {
  for (std::size_t round = 0; round < kRounds; ++round) {
    std::size_t taken = take_blocks();
    taken += take_last_bytes();
    // A long link and an empty file live in metadata alone on btrfs. ext4 has names to spare for
    // thousands of empty files, which take no byte from anybody.
    if (kind_ != "btrfs") taken += take_links();
    if (kind_ == "xfs" || kind_ == "btrfs_metadata") taken += take_names();
    sync_disk(path_);
    if (taken == 0) break;
  }
  expect_no_byte_goes();
}

void SmallDisk::fill_inodes() {
  static_cast<void>(take_names());
  sync_disk(path_);
  const Fd one_more(next_name());
  EXPECT_LT(one_more.get(), 0) << kind_ << " has an inode left";
}

void SmallDisk::expect_no_byte_goes() {
  const std::string name = next_name();
  EXPECT_FALSE(write_whole(name, 1)) << kind_ << " took one more byte: it was not full";
  unlink(name.c_str());
}

void SmallDisk::give_back(std::size_t bytes) {
  for (std::size_t given = 0; given < bytes && steps_left_ > 0; given += kStepBytes) {
    unlink(filler("spare" + std::to_string(--steps_left_)).c_str());
  }
  // Metadata has chunks of its own there, which freed data is of no help to (btrfs(5)).
  for (std::size_t given = 0; kind_ == "btrfs_metadata" && given < bytes && links_ > 0;
       given += kLinkBytes) {
    unlink(filler("link" + std::to_string(links_--)).c_str());
  }
  sync_disk(path_);
}

void SmallDisk::give_all_back() {
  std::error_code ignored;
  fs::remove_all(path_ + "/filler", ignored);
  sync_disk(path_);
}

bool SmallDisk::remount_read_only() const {
  return mount("none", path_.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) == 0;
}

}  // namespace update::crash
