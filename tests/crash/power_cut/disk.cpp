#include "tests/crash/power_cut/disk.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "tests/scenario/host.hpp"

namespace update::crash {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

/// Inodes of the real disk that have been read already, so that a second name finds them again.
using Known = std::map<ino_t, InodeId>;

InodeId read_inode(Disk& disk, const fs::path& path, Known& known) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0) fail(path);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
    errno = EINVAL;
    fail(path.string() + " is neither a file nor a folder");
  }
  if (const auto found = known.find(status.st_ino); found != known.end()) return found->second;
  const InodeId id = disk.inodes.size();
  known[status.st_ino] = id;
  disk.inodes.push_back({status.st_mode, status.st_uid, status.st_gid, {}, {}});
  if (S_ISREG(status.st_mode)) {
    disk.inodes[id].bytes = scenario::read_file(path);
    return id;
  }
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string name = entry.path().filename();
    if (is_volatile(name)) continue;
    const InodeId child = read_inode(disk, entry.path(), known);
    disk.inodes[id].names[name] = child;
  }
  return id;
}

void write_file(const std::string& path, const Inode& inode) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) fail(path);
  const ssize_t written = write(file, inode.bytes.data(), inode.bytes.size());
  close(file);
  if (written != static_cast<ssize_t>(inode.bytes.size())) fail(path);
}

void lay_out_inode(const Disk& disk, InodeId id, const std::string& path,
                   std::map<InodeId, std::string>& first_names) {
  if (const auto first = first_names.find(id); first != first_names.end()) {
    if (link(first->second.c_str(), path.c_str()) != 0) fail(path);
    return;
  }
  const Inode& inode = disk.inodes[id];
  if (S_ISDIR(inode.mode)) {
    if (mkdir(path.c_str(), 0700) != 0) fail(path);
    for (const auto& [name, child] : inode.names) {
      lay_out_inode(disk, child, path + "/" + name, first_names);
    }
  } else {
    first_names[id] = path;
    write_file(path, inode);
  }
  // chown(2) clears set-id bits, so the mode comes last.
  if (chown(path.c_str(), inode.owner, inode.group) != 0) fail(path);
  if (chmod(path.c_str(), inode.mode & 07777U) != 0) fail(path);
}

void describe_inode(const Disk& disk, InodeId id, const std::string& path,
                    std::map<InodeId, std::string>& first_names,
                    std::map<std::string, std::string>& lines) {
  const Inode& inode = disk.inodes[id];
  const auto [first, is_new] = first_names.try_emplace(id, path);
  lines[path] = std::to_string(inode.mode) + " " + std::to_string(inode.owner) + ":" +
                std::to_string(inode.group) + " " + (is_new ? inode.bytes : "is " + first->second);
  for (const auto& [name, child] : inode.names) {
    describe_inode(disk, child, path.empty() ? name : path + "/" + name, first_names, lines);
  }
}

}  // namespace

std::optional<InodeId> find(const Disk& disk, const std::string& path) {
  InodeId id = kRoot;
  for (const fs::path& part : fs::path(path)) {
    if (part.empty() || part == ".") continue;
    const auto& names = disk.inodes[id].names;
    const auto next = names.find(part.string());
    if (next == names.end()) return std::nullopt;
    id = next->second;
  }
  return id;
}

Disk read_disk(const std::string& root, const std::vector<std::string>& folders) {
  Disk disk;
  struct stat status {};
  if (stat(root.c_str(), &status) != 0) fail(root);
  disk.inodes.push_back({status.st_mode, status.st_uid, status.st_gid, {}, {}});
  Known known;
  for (const std::string& folder : folders) {
    if (!scenario::present(root + "/" + folder)) continue;
    const InodeId id = read_inode(disk, root + "/" + folder, known);
    disk.inodes[kRoot].names[folder] = id;
  }
  return disk;
}

bool is_volatile(const std::string& name) {
  constexpr std::string_view kEnding = "-shm";
  return name.size() > kEnding.size() && name.substr(name.size() - kEnding.size()) == kEnding;
}

void lay_out(const Disk& disk, const std::string& root, const std::vector<std::string>& folders) {
  std::map<InodeId, std::string> first_names;
  for (const std::string& folder : folders) {
    std::string path = root;
    path.append("/").append(folder);
    fs::remove_all(path);
    const auto& names = disk.inodes[kRoot].names;
    const auto name = names.find(folder);
    if (name != names.end()) lay_out_inode(disk, name->second, path, first_names);
  }
}

std::map<std::string, std::string> describe(const Disk& disk) {
  std::map<InodeId, std::string> first_names;
  std::map<std::string, std::string> lines;
  describe_inode(disk, kRoot, "", first_names, lines);
  return lines;
}

}  // namespace update::crash
