#include "engine/installation/trusted_path.hpp"

#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"
#include "tests/fake/fake_filesystem.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace update {
namespace {

constexpr std::uint32_t kCaller = 1000;
constexpr std::uint32_t kStranger = 666;

AbsolutePath path(std::string_view text) {
  return AbsolutePath::parse(text).value();
}

// A disk of which each test says who owns what.
class TrustedPath : public testing::Test {
 protected:
  // The host path of the folder that was opened, or the error.
  std::string folder(std::string_view text) {
    auto opened = open_trusted_folder(root_, path(text));
    return opened ? (*opened)->path() : tell(opened.error());
  }
  std::string parent(std::string_view text) {
    auto opened = open_trusted_parent(root_, path(text));
    return opened ? opened->folder->path() + " " + opened->name : tell(opened.error());
  }
  std::string file(std::string_view text, std::size_t limit = 100) {
    auto found = read_trusted_file(root_, path(text), limit);
    return found ? *found : tell(found.error());
  }
  static std::string tell(const Error& error) {
    std::string text(name_of(error.code()));
    if (error.system_errno() != 0) text += " " + std::to_string(error.system_errno());
    return text + ": " + error.message() + " [" + error.hint() + "]";
  }
  static bool refused(const std::string& told) { return told.starts_with("not_trusted: "); }
  static std::string told_errno(int number) { return "failed " + std::to_string(number) + ": "; }

  FakeFileSystem disk_;
  InstallationRoot root_{disk_, "/", kCaller};
};

TEST_F(TrustedPath, FoldersOfRootAndOfTheCallerAreOpened) {
  disk_.make_folder("/usr/local/bin");
  disk_.make_folder("/home/me", 0700, kCaller);
  EXPECT_EQ(folder("/usr/local/bin"), "/usr/local/bin");
  EXPECT_EQ(folder("/home/me"), "/home/me");
  EXPECT_EQ(folder("/"), "/");
  EXPECT_EQ(parent("/usr/local/bin/banger"), "/usr/local/bin banger");
  EXPECT_EQ(parent("/banger"), "/ banger");
  EXPECT_EQ(disk_.open_handles(), 0U);
}

TEST_F(TrustedPath, AFolderOfAStrangerAnywhereOnTheWayIsRefusedWithTheCommandThatHelps) {
  disk_.make_folder("/opt/x", 0755, kStranger);
  disk_.make_folder("/opt/x/bin");
  EXPECT_TRUE(refused(folder("/opt/x")));
  const std::string told = folder("/opt/x/bin");
  EXPECT_TRUE(refused(told)) << told;
  EXPECT_NE(told.find("/opt/x belongs to user 666"), std::string::npos) << told;
  EXPECT_TRUE(told.ends_with("[chown root /opt/x]")) << told;
  EXPECT_TRUE(refused(parent("/opt/x/bin/banger")));
  EXPECT_TRUE(refused(parent("/opt/x/banger")));
}

TEST_F(TrustedPath, AFolderThatOthersCanWriteIsRefusedWithTheCommandThatHelps) {
  disk_.make_folder("/group", 0775);
  disk_.make_folder("/others", 0757);
  disk_.make_folder("/both", 0777);
  disk_.make_folder("/both/below");
  EXPECT_TRUE(refused(folder("/group")));
  EXPECT_TRUE(folder("/group").ends_with("[chmod g-w /group]")) << folder("/group");
  EXPECT_TRUE(folder("/others").ends_with("[chmod o-w /others]")) << folder("/others");
  EXPECT_TRUE(folder("/both").ends_with("[chmod go-w /both]")) << folder("/both");
  EXPECT_TRUE(folder("/both/below").ends_with("[chmod go-w /both]")) << folder("/both/below");
  // Not even whether there is something: who can write there decides that.
  EXPECT_TRUE(refused(folder("/both/absent")));
}

TEST_F(TrustedPath, TheRootItselfIsOnTheWay) {
  disk_.make_folder("/image", 0755, kStranger);
  disk_.make_folder("/image/etc");
  const InstallationRoot image{disk_, "/image", kCaller};
  const auto opened = open_trusted_folder(image, path("/etc"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::not_trusted);
}

TEST_F(TrustedPath, PathsOfAnImageAreThoseInsideIt) {
  disk_.make_folder("/image/etc/sub");
  disk_.make_folder("/image/open", 0777);
  disk_.symlink("/image/link", "/etc/sub");
  const InstallationRoot image{disk_, "/image", kCaller};
  for (const char* way : {"/etc/sub", "/link"}) {
    const auto opened = open_trusted_folder(image, path(way));
    ASSERT_TRUE(opened);
    EXPECT_EQ((*opened)->path(), "/etc/sub");
    EXPECT_EQ(image.on_host((*opened)->path()), "/image/etc/sub");
  }
  const auto refused = open_trusted_folder(image, path("/open"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message(), "/open can be written by anybody");
  EXPECT_EQ(refused.error().hint(), "inside the --root: chmod go-w /open");
  const auto absent = open_trusted_folder(image, path("/etc/absent"));
  ASSERT_FALSE(absent);
  EXPECT_TRUE(absent.error().message().starts_with("opening /etc/absent"));
}

TEST_F(TrustedPath, AStickyFolderIsGoodForWhatRootOrTheCallerOwnsInIt) {
  disk_.make_folder("/tmp", 01777);
  disk_.make_folder("/tmp/mine", 0700, kCaller);
  disk_.make_folder("/tmp/roots");
  disk_.make_folder("/tmp/theirs", 0755, kStranger);
  EXPECT_EQ(folder("/tmp/mine"), "/tmp/mine");
  EXPECT_EQ(folder("/tmp/roots"), "/tmp/roots");
  EXPECT_TRUE(refused(folder("/tmp/theirs")));
}

TEST_F(TrustedPath, AStickyFolderIsRefusedAsTheLastOne) {
  disk_.make_folder("/tmp", 01777);
  EXPECT_TRUE(refused(folder("/tmp")));
  EXPECT_TRUE(refused(parent("/tmp/banger")));
  disk_.put_file("/tmp/banger", "");
  EXPECT_TRUE(refused(parent("/tmp/banger")));
  disk_.make_folder("/srv", 01755);
  EXPECT_EQ(parent("/srv/banger"), "/srv banger");
}

TEST_F(TrustedPath, LinksAreFollowed) {
  disk_.make_folder("/usr/bin");
  disk_.make_folder("/a/b");
  disk_.symlink("/bin", "usr/bin");
  disk_.symlink("/a/b/absolute", "/usr//./bin/");
  disk_.symlink("/a/b/up", "../../usr/bin");
  disk_.symlink("/a/b/above", "../../../../usr");
  for (const std::string_view way : {"/bin", "/a/b/absolute", "/a/b/up", "/a/b/above/bin"}) {
    EXPECT_EQ(folder(way), "/usr/bin") << way;
  }
  EXPECT_EQ(parent("/bin/sh"), "/usr/bin sh");
}

TEST_F(TrustedPath, TheLastPartOfAParentIsNotLookedAt) {
  disk_.make_folder("/bin");
  disk_.symlink("/bin/link", "/elsewhere");
  EXPECT_EQ(parent("/bin/link"), "/bin link");
}

TEST_F(TrustedPath, LinksDoNotLeadOutOfTheRoot) {
  disk_.make_folder("/image/inside/target");
  disk_.make_folder("/image/deep");
  disk_.make_folder("/target");
  disk_.make_folder("/outside");
  disk_.symlink("/image/absolute", "/inside/target");
  disk_.symlink("/image/deep/up", "../../../../inside/target");
  disk_.symlink("/image/escape", "../outside");
  root_.folder = "/image";
  // There is no /inside but the one in the image.
  EXPECT_EQ(folder("/absolute"), "/inside/target");
  EXPECT_EQ(folder("/deep/up"), "/inside/target");
  EXPECT_TRUE(folder("/escape").starts_with(told_errno(ENOENT))) << folder("/escape");
}

TEST_F(TrustedPath, MoreThanFortyLinksAreTooMany) {
  disk_.make_folder("/end");
  std::string target = "/end";
  for (int link = 1; link <= 41; ++link) {
    const std::string name = "/l" + std::to_string(link);
    disk_.symlink(name, target);
    target = name;
  }
  disk_.symlink("/loop", "loop");
  EXPECT_EQ(folder("/l40"), "/end");
  EXPECT_TRUE(folder("/l41").starts_with(told_errno(ELOOP))) << folder("/l41");
  EXPECT_TRUE(folder("/loop").starts_with(told_errno(ELOOP)));
}

TEST_F(TrustedPath, WhereALinkLeadsIsCheckedAsWell) {
  disk_.make_folder("/open", 0777);
  disk_.make_folder("/open/bin");
  disk_.symlink("/bin", "/open/bin");
  EXPECT_TRUE(refused(folder("/bin")));
  disk_.make_folder("/a", 0755, kStranger);
  disk_.make_folder("/b");
  disk_.symlink("/through", "/a/../b");
  EXPECT_TRUE(refused(folder("/through")));
}

TEST_F(TrustedPath, ALinkOfAStrangerInAStickyFolderIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a link to somebody else";
  const ScratchFolder scratch;
  std::filesystem::create_directory(scratch / "sticky");
  std::filesystem::create_directory(scratch / "target");
  ASSERT_EQ(chmod((scratch / "sticky").c_str(), 01777), 0);
  ASSERT_EQ(symlink("/target", (scratch / "sticky/link").c_str()), 0);
  os::LinuxFileSystem disk;
  const InstallationRoot root{disk, scratch.path(), 0};
  EXPECT_TRUE(open_trusted_folder(root, path("/sticky/link")));
  ASSERT_EQ(lchown((scratch / "sticky/link").c_str(), kStranger, kStranger), 0);
  const auto opened = open_trusted_folder(root, path("/sticky/link"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::not_trusted);
  EXPECT_TRUE(opened.error().message().starts_with("/sticky/link belongs to"))
      << opened.error().message();
}

TEST_F(TrustedPath, WhatIsMissingKeepsItsErrno) {
  disk_.make_folder("/usr");
  disk_.put_file("/file", "");
  EXPECT_TRUE(folder("/usr/local/bin").starts_with(told_errno(ENOENT) + "opening /usr/local"));
  EXPECT_TRUE(folder("/file").starts_with(told_errno(ENOTDIR)));
  EXPECT_TRUE(folder("/file/x").starts_with(told_errno(ENOTDIR)));
  EXPECT_TRUE(parent("/usr/local/bin/x").starts_with(told_errno(ENOENT)));
  EXPECT_TRUE(file("/usr/x").starts_with(told_errno(ENOENT)));
  EXPECT_TRUE(parent("/").starts_with("usage: "));
}

TEST_F(TrustedPath, ReadsAFileOfRootOrTheCaller) {
  disk_.put_file("/etc/a", "bytes\n", 0644);
  disk_.put_file("/etc/b", "mine", 0600, kCaller);
  disk_.put_file("/etc/empty", "");
  disk_.symlink("/etc/link", "../etc/a");
  EXPECT_EQ(file("/etc/a"), "bytes\n");
  EXPECT_EQ(file("/etc/b"), "mine");
  EXPECT_EQ(file("/etc/empty"), "");
  EXPECT_EQ(file("/etc/link"), "bytes\n");
  EXPECT_EQ(disk_.open_handles(), 0U);
}

TEST_F(TrustedPath, AFileThatOthersOwnOrCanWriteIsNotRead) {
  disk_.put_file("/etc/theirs", "x", 0644, kStranger);
  disk_.put_file("/etc/group", "x", 0664);
  disk_.put_file("/etc/others", "x", 0646);
  disk_.make_folder("/open", 0777);
  disk_.put_file("/open/file", "x");
  EXPECT_TRUE(file("/etc/theirs").ends_with("[chown root /etc/theirs]")) << file("/etc/theirs");
  EXPECT_TRUE(file("/etc/group").ends_with("[chmod g-w /etc/group]")) << file("/etc/group");
  EXPECT_TRUE(file("/etc/others").ends_with("[chmod o-w /etc/others]")) << file("/etc/others");
  EXPECT_TRUE(refused(file("/open/file")));
}

TEST_F(TrustedPath, AFileInAStickyFolderIsReadWhereItsOwnerIsTrusted) {
  disk_.make_folder("/tmp", 01777);
  disk_.put_file("/tmp/mine", "x", 0600, kCaller);
  disk_.put_file("/tmp/theirs", "x", 0644, kStranger);
  EXPECT_EQ(file("/tmp/mine"), "x");
  EXPECT_TRUE(refused(file("/tmp/theirs")));
}

TEST_F(TrustedPath, AFileAboveTheLimitOrNoFileIsAUsageError) {
  disk_.put_file("/etc/file", std::string(10, 'x'));
  EXPECT_EQ(file("/etc/file", 10), std::string(10, 'x'));
  EXPECT_TRUE(file("/etc/file", 9).starts_with("usage: /etc/file has more than 9 bytes"));
  EXPECT_TRUE(file("/etc").starts_with("usage: "));
  EXPECT_TRUE(file("/").starts_with("usage: "));
}

TEST(TrustedPathOnDisk, APipeIsNeitherReadNorWaitedFor) {
  const ScratchFolder scratch;
  ASSERT_EQ(mkfifo((scratch / "pipe").c_str(), 0600), 0);
  os::LinuxFileSystem disk;
  const InstallationRoot root{disk, scratch.path(), geteuid()};
  const auto text = read_trusted_file(root, path("/pipe"), 10);
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().code(), ErrorCode::usage);
}

}  // namespace
}  // namespace update
