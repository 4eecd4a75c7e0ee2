#include "tests/scenario/image_tools.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

std::string attributes_of(const std::string& path) {
  std::string names(65536, '\0');
  const ssize_t length = llistxattr(path.c_str(), names.data(), names.size());
  std::vector<std::string> lines;
  for (std::size_t at = 0; length > 0 && at < static_cast<std::size_t>(length);) {
    const std::string name = names.c_str() + at;
    at += name.size() + 1;
    if (name == "security.selinux") continue;
    std::string value(65536, '\0');
    const ssize_t size = lgetxattr(path.c_str(), name.c_str(), value.data(), value.size());
    value.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    lines.push_back(name + "=" + sha256_of(value).substr(0, 12));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += " " + line;
  return text;
}

std::string entry_text(const std::string& path, const struct stat& info, Describe what) {
  std::string text = S_ISDIR(info.st_mode) ? "folder" : S_ISLNK(info.st_mode) ? "link" : "file";
  if (!S_ISLNK(info.st_mode)) text += " " + std::to_string(info.st_mode & 07777U);
  if (what.owner) text += " " + std::to_string(info.st_uid) + ":" + std::to_string(info.st_gid);
  if (!S_ISLNK(info.st_mode) || what.link_times) {
    text += " " + std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
  }
  if (S_ISLNK(info.st_mode)) text += " -> " + fs::read_symlink(path).native();
  if (S_ISREG(info.st_mode)) {
    text += " " + std::to_string(info.st_size) + " " + sha256_of(read_file(path)).substr(0, 16);
  }
  return text + attributes_of(path);
}

using Description = std::map<std::string, std::string>;

void describe_below(const std::string& folder, const std::string& prefix, Describe what,
                    std::map<std::pair<dev_t, ino_t>, std::string>& seen, Description& all) {
  std::vector<std::string> names;
  DIR* const stream = opendir(folder.c_str());
  ASSERT_NE(stream, nullptr) << folder;
  while (const dirent* entry = readdir(stream)) names.emplace_back(entry->d_name);
  closedir(stream);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    if (name == "." || name == ".." || (prefix.empty() && name == "lost+found")) continue;
    const std::string path = folder + "/" + name;
    struct stat info {};
    ASSERT_EQ(lstat(path.c_str(), &info), 0) << path;
    std::string text = entry_text(path, info, what);
    if (!S_ISDIR(info.st_mode) && info.st_nlink > 1) {
      const auto [first, added] = seen.try_emplace({info.st_dev, info.st_ino}, prefix + name);
      text += " same as " + first->second;
    }
    all[prefix + name] = text;
    if (S_ISDIR(info.st_mode)) describe_below(path, prefix + name + "/", what, seen, all);
  }
}

// One entry of a random tree after the other.
class TreeMaker {
 public:
  TreeMaker(const std::string& folder, std::mt19937& random) : random_(random) {
    folders_.push_back(folder);
  }

  void add() {
    const std::string path = folders_[pick(folders_.size())] + "/" + new_name();
    switch (pick(8)) {
      case 0: add_folder(path); break;
      case 1: add_link(path); break;
      case 2: add_hard_link(path); break;
      case 3: add_sparse(path); break;
      default: add_file(path); break;
    }
  }

  // Times last: what is made in a folder changes its own.
  void settle() {
    for (auto path = made_.rbegin(); path != made_.rend(); ++path) {
      const timespec times[2] = {time(), time()};
      EXPECT_EQ(utimensat(AT_FDCWD, path->c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
    }
  }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  // ext4 holds 1901 to 2446.
  timespec time() {
    constexpr std::int64_t kFirst = -2'147'483'648;
    constexpr std::int64_t kLast = 15'032'385'535;
    const auto range = static_cast<std::uint64_t>(kLast - kFirst);
    const std::uint64_t number = (std::uint64_t{random_()} << 32U | random_()) % range;
    return {kFirst + static_cast<std::int64_t>(number), static_cast<long>(pick(1'000'000'000))};
  }

  std::string new_name() {
    const std::size_t length = pick(20) == 0 ? 255 : 1 + pick(12);
    std::string name = std::to_string(made_.size());
    while (name.size() < length) {
      const char byte = static_cast<char>(1 + pick(255));
      name += byte == '/' ? '_' : byte;
    }
    return name;
  }

  std::string bytes(std::size_t size) {
    std::string text(size, '\0');
    for (char& byte : text) byte = static_cast<char>(random_());
    return text;
  }

  void decorate(const std::string& path, mode_t mode) {
    if (geteuid() == 0) {
      EXPECT_EQ(
          lchown(path.c_str(), static_cast<uid_t>(pick(70000)), static_cast<gid_t>(pick(70000))),
          0);
    }
    for (std::size_t count = pick(3); count > 0; --count) {
      const std::string value = bytes(pick(100));
      lsetxattr(path.c_str(), ("user.a" + std::to_string(count)).c_str(), value.data(),
                value.size(), 0);
    }
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    made_.push_back(path);
  }

  void add_folder(const std::string& path) {
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    decorate(path, static_cast<mode_t>(0700U | pick(01000) | (pick(4) == 0 ? 01000U : 0U)));
    folders_.push_back(path);
  }
  void add_link(const std::string& path) {
    std::string target = pick(2) == 0 ? "../x" : std::string(1 + pick(200), 't');
    ASSERT_EQ(symlink(target.c_str(), path.c_str()), 0);
    made_.push_back(path);
  }
  void add_hard_link(const std::string& path) {
    if (files_.empty()) return add_file(path);
    if (link(files_[pick(files_.size())].c_str(), path.c_str()) == 0) made_.push_back(path);
  }
  void add_sparse(const std::string& path) {
    const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    for (std::size_t run = pick(4); run > 0; --run) {
      const std::string data = bytes(1 + pick(9000));
      EXPECT_EQ(pwrite(fd, data.data(), data.size(), static_cast<off_t>(pick(1U << 19U))),
                static_cast<ssize_t>(data.size()));
    }
    EXPECT_EQ(ftruncate(fd, static_cast<off_t>((1U << 19U) + pick(1U << 17U))), 0);
    close(fd);
    decorate(path, 0644);
    files_.push_back(path);
  }
  void add_file(const std::string& path) {
    constexpr std::size_t kSizes[] = {0, 1, 59, 60, 61, 160, 4095, 4096, 4097, 70000};
    write_file(path, bytes(kSizes[pick(std::size(kSizes))]));
    const bool set_id = geteuid() == 0 && pick(6) == 0;
    decorate(path, static_cast<mode_t>(0400U | pick(01000) | (set_id ? 06000U : 0U)));
    files_.push_back(path);
  }

  std::mt19937& random_;
  std::vector<std::string> folders_;
  std::vector<std::string> files_;
  std::vector<std::string> made_;
};

}  // namespace

Ended tool(const Arguments& words) {
  Arguments command = {"sh", "-c", "PATH=$PATH:/usr/sbin:/sbin exec \"$@\"", "sh"};
  command.insert(command.end(), words.begin(), words.end());
  return run_process(command);
}

void expect_clean(const std::string& image) {
  const Ended ended = tool({"e2fsck", "-fn", image});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
}

std::string debugfs(const std::string& image, const std::string& request, bool write) {
  Arguments words = {"debugfs"};
  if (write) words.push_back("-w");
  words.insert(words.end(), {"-R", request, image});
  const Ended ended = tool(words);
  EXPECT_EQ(ended.code, 0) << ended.err;
  return ended.out;
}

void mke2fs(const std::string& image, const std::string& size, const std::string& folder) {
  Arguments words = {"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096"};
  if (!folder.empty()) words.insert(words.end(), {"-d", folder});
  words.insert(words.end(), {image, size});
  const Ended ended = tool(words);
  ASSERT_EQ(ended.code, 0) << ended.err;
}

std::map<std::string, std::string> describe(const std::string& folder, Describe what) {
  std::map<std::pair<dev_t, ino_t>, std::string> seen;
  Description all;
  describe_below(folder, "", what, seen, all);
  return all;
}

void make_random_tree(const std::string& folder, std::size_t entries, std::mt19937& random) {
  fs::create_directories(folder);
  TreeMaker maker(folder, random);
  for (std::size_t count = 0; count < entries; ++count) maker.add();
  maker.settle();
}

LoopMount::LoopMount(const std::string& image, const std::string& folder,
                     const std::string& options)
    : folder_(folder) {
  fs::create_directories(folder);
  mounted_ = tool({"mount", "-t", "ext4", "-o", "loop," + options, image, folder}).code == 0;
}

LoopMount::~LoopMount() {
  EXPECT_TRUE(!mounted_ || tool({"umount", folder_}).code == 0) << folder_;
}

std::string data_of(const std::string& path) {
  constexpr std::size_t kBlock = 4096;
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0) << path;
  std::string data = "size " + std::to_string(file_size(path));
  std::string block(kBlock, '\0');
  for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0; at = lseek(fd, at, SEEK_DATA)) {
    at -= at % static_cast<off_t>(kBlock);
    const ssize_t count = pread(fd, block.data(), block.size(), at);
    if (count <= 0) break;
    const std::string_view bytes =
        std::string_view(block).substr(0, static_cast<std::size_t>(count));
    if (bytes.find_first_not_of('\0') != std::string_view::npos) {
      data.append(" ").append(std::to_string(at)).append(" ").append(bytes);
    }
    at += static_cast<off_t>(kBlock);
  }
  close(fd);
  return data;
}

std::uint64_t file_size(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return static_cast<std::uint64_t>(info.st_size);
}

std::uint64_t allocated(const std::string& path) {
  struct stat info {};
  EXPECT_EQ(stat(path.c_str(), &info), 0) << path;
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

std::vector<std::string> temporaries(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().filename().native()[0] == '.') names.push_back(entry.path().filename());
  }
  return names;
}

}  // namespace update::scenario
