#include "engine/image/host/host_tree.hpp"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"
#include "tests/fake/fake_filesystem.hpp"
#include "tests/fake/fake_test.hpp"

namespace update::image {
namespace {

std::uint64_t skipped(const Tree& tree, Skipped kind) {
  return tree.skipped[static_cast<std::size_t>(kind)];
}

std::vector<std::string> paths(const Tree& tree) {
  std::vector<std::string> all;
  for (EntryIndex index = 1; index < tree.entries.size(); ++index) all.push_back(tree.path(index));
  return all;
}

const Entry* find(const Tree& tree, std::string_view path) {
  for (EntryIndex index = 0; index < tree.entries.size(); ++index) {
    if (tree.path(index) == path) return &tree.entries[index];
  }
  ADD_FAILURE() << "there is no " << path;
  return &tree.entries.front();
}

os::Attributes attributes_of(const Tree& tree, const Entry& entry) {
  os::Attributes all;
  for (std::size_t at = 0; at < entry.attributes; ++at) {
    const Attribute& attribute = tree.attributes[entry.first_attribute + at];
    all.emplace(tree.at(attribute.name), tree.at(attribute.value));
  }
  return all;
}

class TreeOnTheHost : public testing::Test {
 protected:
  TreeOnTheHost() {
    std::filesystem::create_directories(scratch_ / "top/b/deep");
    scratch_.put("top/b/deep/file", "the bytes");
    scratch_.put("top/a", "first");
    scratch_.put("top/c", "last");
  }
  std::string at(std::string_view name) { return scratch_ / name; }
  HostTree read() {
    auto tree = read_folder(files_, at("top"));
    if (!tree) throw std::runtime_error(tree.error().message());
    EXPECT_TRUE(check_tree(tree->tree, {}));
    return std::move(*tree);
  }
  void set_times(std::string_view name, std::int64_t seconds, long nanoseconds) {
    const timespec times[2] = {{seconds + 1, nanoseconds + 1}, {seconds, nanoseconds}};
    ASSERT_EQ(::utimensat(AT_FDCWD, at(name).c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
  }

  ScratchFolder scratch_;
  os::LinuxFileSystem files_;
};

TEST_F(TreeOnTheHost, IsReadInTheOrderOfBytesEachFolderBeforeWhatIsInIt) {
  scratch_.put("top/B", "capital");
  EXPECT_EQ(paths(read().tree),
            (std::vector<std::string>{"/B", "/a", "/b", "/b/deep", "/b/deep/file", "/c"}));
}

TEST_F(TreeOnTheHost, HasModeOwnerSizeAndTimesInFull) {
  ASSERT_EQ(::chmod(at("top/a").c_str(), 04751), 0);
  set_times("top/a", 7258118400, 123456789);  // the year 2200
  set_times("top/c", -2051222400, 5);         // the year 1905
  const HostTree host = read();
  const Entry& first = *find(host.tree, "/a");
  EXPECT_EQ(first.mode, 04751U);
  EXPECT_EQ(first.uid, ::getuid());
  EXPECT_EQ(first.gid, ::getgid());
  EXPECT_EQ(first.size, 5U);
  EXPECT_EQ(first.modified, (Time{7258118400, 123456789}));
  EXPECT_EQ(first.accessed, (Time{7258118401, 123456790}));
  EXPECT_GT(first.changed, (Time{1'700'000'000, 0}));
  EXPECT_EQ(find(host.tree, "/c")->modified, (Time{-2051222400, 5}));
  EXPECT_EQ(host.tree.total_size(), 5U + 4U + 9U);
}

TEST_F(TreeOnTheHost, KeepsLinksOfBothKinds) {
  std::filesystem::create_symlink("../nowhere", at("top/b/link"));
  std::filesystem::create_hard_link(at("top/a"), at("top/b/deep/again"));
  ASSERT_EQ(::linkat(AT_FDCWD, at("top/b/link").c_str(), AT_FDCWD, at("top/link2").c_str(), 0), 0);
  const HostTree host = read();
  const Tree& tree = host.tree;
  EXPECT_EQ(tree.at(find(tree, "/b/link")->content), "../nowhere");
  EXPECT_EQ(tree.path(find(tree, "/b/deep/again")->link_to), "/a");
  EXPECT_EQ(tree.path(find(tree, "/link2")->link_to), "/b/link");
  EXPECT_EQ(find(tree, "/link2")->type, EntryType::symbolic_link);
}

TEST_F(TreeOnTheHost, HolesHaveNoExtent) {
  const int fd = ::open(at("top/sparse").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_EQ(::pwrite(fd, "middle", 6, 1 << 20), 6);
  ASSERT_EQ(::ftruncate(fd, 1 << 24), 0);
  ::close(fd);
  const HostTree host = read();
  const Entry& entry = *find(host.tree, "/sparse");
  EXPECT_EQ(entry.size, 1U << 24);
  ASSERT_EQ(entry.extents, 1U);
  const Extent& extent = host.tree.extents[entry.first_extent];
  EXPECT_EQ(extent.offset, 1U << 20);
  EXPECT_EQ(extent.source, extent.offset);
  EXPECT_LE(extent.length, 1U << 16);
}

TEST_F(TreeOnTheHost, DevicesSocketsAndPipesAreCounted) {
  ASSERT_EQ(::mkfifo(at("top/fifo").c_str(), 0600), 0);
  ASSERT_EQ(::mknod(at("top/socket").c_str(), S_IFSOCK | 0600, 0), 0);
  const bool device = ::mknod(at("top/null").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
  const Tree tree = read().tree;
  EXPECT_EQ(paths(tree).size(), 5U);
  EXPECT_EQ(skipped(tree, Skipped::pipe), 1U);
  EXPECT_EQ(skipped(tree, Skipped::socket), 1U);
  EXPECT_EQ(skipped(tree, Skipped::device), device ? 1U : 0U) << "only root makes devices";
}

TEST_F(TreeOnTheHost, LostAndFoundIsLeftOutAtTheTopAlone) {
  std::filesystem::create_directories(at("top/lost+found/x"));
  std::filesystem::create_directories(at("top/b/lost+found"));
  const auto found = paths(read().tree);
  EXPECT_EQ(found, (std::vector<std::string>{"/a", "/b", "/b/deep", "/b/deep/file", "/b/lost+found",
                                             "/c"}));
}

TEST_F(TreeOnTheHost, KeepsAttributesButThoseOfThisHost) {
  if (::setxattr(at("top/a").c_str(), "user.note", "n\0te", 4, 0) != 0) {
    GTEST_SKIP() << "the file system has no attributes for users";
  }
  ASSERT_EQ(::setxattr(at("top/b").c_str(), "user.folder", "", 0, 0), 0);
  const bool trusted = ::setxattr(at("top/a").c_str(), "trusted.x", "t", 1, 0) == 0;
  const Tree tree = read().tree;
  EXPECT_EQ(attributes_of(tree, *find(tree, "/a")),
            (os::Attributes{{"user.note", std::string("n\0te", 4)}}));
  EXPECT_EQ(attributes_of(tree, *find(tree, "/b")), (os::Attributes{{"user.folder", ""}}));
  EXPECT_EQ(skipped(tree, Skipped::attribute), trusted ? 1U : 0U);
}

TEST_F(TreeOnTheHost, OfAListHasTheFoldersOnTheWayAndAllBelowAListedFolder) {
  scratch_.put("top/b/other", "x");
  const auto listed = [&](const std::vector<std::string>& list) {
    auto tree = read_listed(files_, at("top"), list);
    EXPECT_TRUE(tree) << tree.error().message();
    return tree ? paths(tree->tree) : std::vector<std::string>{};
  };
  EXPECT_EQ(listed({"b/deep/file"}), (std::vector<std::string>{"/b", "/b/deep", "/b/deep/file"}));
  EXPECT_EQ(listed({"./b//deep/", "a"}),
            (std::vector<std::string>{"/a", "/b", "/b/deep", "/b/deep/file"}));
  EXPECT_EQ(listed({"b/other", "b"}),
            (std::vector<std::string>{"/b", "/b/deep", "/b/deep/file", "/b/other"}));
  EXPECT_EQ(listed({"."}), paths(read().tree));
}

TEST_F(TreeOnTheHost, AListThatLeadsElsewhereIsAnErrorOfTheCaller) {
  std::filesystem::create_symlink("b", at("top/link"));
  scratch_.put("outside", "x");
  for (const char* line :
       {"../outside", "b/../../outside", "/etc", "absent", "b/absent", "a/below", "link/deep"}) {
    SCOPED_TRACE(line);
    const auto tree = read_listed(files_, at("top"), {line});
    ASSERT_FALSE(tree);
    EXPECT_EQ(tree.error().code(), ErrorCode::usage) << tree.error().message();
  }
}

TEST_F(TreeOnTheHost, AListedPathOfAnyLengthIsAnErrorAtMost) {
  std::string line;
  for (int part = 0; part < 300'000; ++part) line += "a/";
  const auto tree = read_listed(files_, at("top"), {line});
  ASSERT_FALSE(tree);
  EXPECT_EQ(tree.error().code(), ErrorCode::usage);
}

TEST_F(TreeOnTheHost, AFileThatDoesNotSayHowLongItIsIsAnError) {
  const auto one = read_one_file(files_, "/proc/version", "version");
  ASSERT_FALSE(one);
  EXPECT_NE(one.error().message().find("more bytes than it says"), std::string::npos);
}

TEST_F(TreeOnTheHost, ASmallHoleHasNoExtentEither) {
  scratch_.put("top/hole", "");
  ASSERT_EQ(::truncate(at("top/hole").c_str(), 4096), 0);
  struct stat status {};
  ASSERT_EQ(::stat(at("top/hole").c_str(), &status), 0);
  if (status.st_blocks != 0) GTEST_SKIP() << "the file system has no holes";
  EXPECT_EQ(find(read().tree, "/hole")->extents, 0U);
}

TEST_F(TreeOnTheHost, IsBounded) {
  const auto refused = [&](const TreeLimits& limits) {
    return !read_folder(files_, at("top"), limits);
  };
  TreeLimits limits;
  limits.entries = 6;
  EXPECT_FALSE(refused(limits)) << "as many as there are";
  limits.entries = 5;
  EXPECT_TRUE(refused(limits));
  limits = {};
  limits.extents = 2;
  EXPECT_TRUE(refused(limits));
  limits = {};
  limits.text_bytes = 10;
  EXPECT_TRUE(refused(limits));
  limits = {};
  limits.depth = 2;
  EXPECT_TRUE(refused(limits));
}

TEST_F(TreeOnTheHost, OneFileIsATopAndTheFile) {
  std::filesystem::create_symlink("a", at("top/link"));
  auto one = read_one_file(files_, at("top/link"), "new-name");
  ASSERT_TRUE(one);
  EXPECT_TRUE(check_tree(one->tree, {}));
  EXPECT_EQ(paths(one->tree), std::vector<std::string>{"/new-name"});
  auto file = one->contents->open(one->tree, 1);
  ASSERT_TRUE(file);
  EXPECT_EQ(read_text(**file), "first");
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  scratch_.put("top/a", "other");
  EXPECT_FALSE(one->contents->close(one->tree, 1));
}

EntryIndex index_of(const Tree& tree, std::string_view path) {
  return static_cast<EntryIndex>(find(tree, path) - tree.entries.data());
}

TEST_F(TreeOnTheHost, OpensEachFileAgain) {
  std::filesystem::create_hard_link(at("top/a"), at("top/b/deep/again"));
  const HostTree host = read();
  const auto bytes = [&](const char* path) {
    const EntryIndex index = index_of(host.tree, path);
    auto file = host.contents->open(host.tree, index);
    std::string text = file ? read_text(**file) : file.error().message();
    EXPECT_TRUE(host.contents->close(host.tree, index));
    return text;
  };
  EXPECT_EQ(bytes("/b/deep/file"), "the bytes");
  EXPECT_EQ(bytes("/c"), "last");
  EXPECT_EQ(bytes("/b/deep/again"), "first");
}

TEST_F(TreeOnTheHost, TheSameNumberOnTwoDevicesIsNotOneFile) {
  struct Mounted {
    Mounted(const char* type, const std::string& at, const std::string& options) : path(at) {
      std::filesystem::create_directories(at);
      done = ::mount("none", at.c_str(), type, 0, options.c_str()) == 0;
    }
    ~Mounted() {
      if (done) ::umount2(path.c_str(), MNT_DETACH);
    }
    std::string path;
    bool done = false;
  };
  // Two layers of an overlay, each with a file of two names and, being new, of the same number.
  const Mounted one("tmpfs", at("one"), "inode64");
  const Mounted other("tmpfs", at("other"), "inode64");
  for (const std::string layer : {"one", "other"}) {
    scratch_.put(layer + "/" + layer, layer);
    std::filesystem::create_hard_link(at(layer + "/" + layer), at(layer + "/" + layer + "2"));
  }
  const Mounted both("overlay", at("both"), "xino=off,lowerdir=" + at("one") + ":" + at("other"));
  if (!one.done || !other.done || !both.done) GTEST_SKIP() << "no overlay can be mounted here";
  struct stat first {};
  struct stat second {};
  ASSERT_EQ(::stat(at("both/one").c_str(), &first), 0);
  ASSERT_EQ(::stat(at("both/other").c_str(), &second), 0);
  ASSERT_EQ(first.st_ino, second.st_ino);
  auto host = read_folder(files_, at("both"));
  ASSERT_TRUE(host) << host.error().message();
  EXPECT_EQ(find(host->tree, "/other")->link_to, kNoEntry);
  EXPECT_EQ(host->tree.path(find(host->tree, "/one2")->link_to), "/one");
  EXPECT_EQ(host->tree.path(find(host->tree, "/other2")->link_to), "/other");
}

TEST_F(TreeOnTheHost, TimesThatAreSetInTheTreeChangeNoFile) {
  const HostTree read_once = read();
  auto one = read_one_file(files_, at("top/a"), "a");
  ASSERT_TRUE(one);
  for (Tree tree : {read_once.tree, one->tree}) {
    for (Entry& entry : tree.entries) entry.modified = entry.changed = Time{};
    Contents& contents = tree.entries.size() == 2 ? *one->contents : *read_once.contents;
    const EntryIndex index = index_of(tree, "/a");
    EXPECT_TRUE(contents.open(tree, index));
    EXPECT_TRUE(contents.close(tree, index));
  }
}

TEST_F(TreeOnTheHost, AFileThatIsAnotherByNowIsNotTaken) {
  const HostTree host = read();
  scratch_.put("new", "first");
  std::filesystem::rename(at("new"), at("top/a"));
  const auto exchanged = host.contents->open(host.tree, index_of(host.tree, "/a"));
  ASSERT_FALSE(exchanged);
  EXPECT_EQ(exchanged.error().code(), ErrorCode::failed);
  EXPECT_NE(exchanged.error().message().find("/a was changed while it was read"),
            std::string::npos);

  scratch_.put("top/c", "longer than it was");
  EXPECT_FALSE(host.contents->open(host.tree, index_of(host.tree, "/c")));
  std::filesystem::remove(at("top/c"));
  EXPECT_FALSE(host.contents->open(host.tree, index_of(host.tree, "/c")));

  // The same file, by a way that a link has turned.
  std::filesystem::rename(at("top/b"), at("top/moved"));
  std::filesystem::create_symlink("moved", at("top/b"));
  EXPECT_FALSE(host.contents->open(host.tree, index_of(host.tree, "/b/deep/file")));
}

TEST_F(TreeOnTheHost, AFileThatIsWrittenMeanwhileIsNotedWhateverItsTimesSay) {
  set_times("top/a", 1'600'000'000, 0);
  const HostTree host = read();
  const EntryIndex index = index_of(host.tree, "/a");
  ASSERT_TRUE(host.contents->open(host.tree, index));
  // The clock of a file system may stand still for a tick of the kernel.
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  const int fd = ::open(at("top/a").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::pwrite(fd, "FIRST", 5, 0), 5);
  ::close(fd);
  set_times("top/a", 1'600'000'000, 0);
  const Status closed = host.contents->close(host.tree, index);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), ErrorCode::failed);
}

class TreeOnAFakeHost : public FakeFileSystemTest {};

TEST_F(TreeOnAFakeHost, AnotherFileSystemIsNotEntered) {
  fs.put_file("/d/file", "x");
  fs.mount("/d/mounted");
  fs.put_file("/d/mounted/file", "x");
  const auto host = read_folder(fs, "/d");
  ASSERT_TRUE(host);
  EXPECT_EQ(paths(host->tree), (std::vector<std::string>{"/file", "/mounted"}));
  EXPECT_EQ(skipped(host->tree, Skipped::mount_point), 1U);
}

TEST_F(TreeOnAFakeHost, WhatAListNamesOnAnotherFileSystemIsNotLeftOutInSilence) {
  fs.put_file("/d/file", "x");
  fs.mount("/d/mounted");
  fs.put_file("/d/mounted/file", "x");
  for (const char* line : {"mounted/file", "mounted/absent"}) {
    const auto host = read_listed(fs, "/d", {line});
    ASSERT_FALSE(host) << line;
    EXPECT_EQ(host.error().code(), ErrorCode::failed);
    EXPECT_NE(host.error().message().find("/d/mounted is on another file system"),
              std::string::npos)
        << host.error().message();
  }
  const auto whole = read_listed(fs, "/d", {"mounted"});
  ASSERT_TRUE(whole);
  EXPECT_EQ(skipped(whole->tree, Skipped::mount_point), 1U);
}

TEST_F(TreeOnAFakeHost, LeavesNothingOpen) {
  fs.put_file("/d/x/file", "x");
  const std::size_t before = fs.open_handles();
  { EXPECT_TRUE(read_folder(fs, "/d")); }
  EXPECT_EQ(fs.open_handles(), before);
}

}  // namespace
}  // namespace update::image
