// Destinations and state folders that an update must refuse before it has changed anything.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

void expect_refused(const Host& host, int code) {
  const auto before = host.snapshot("bin");
  const Ended ended = host.run({"apply", host.release("1.0.0")});
  EXPECT_EQ(ended.code, code) << ended.out << ended.err;
  EXPECT_EQ(host.snapshot("bin"), before) << "nothing is changed";
}

TEST(Destination, ThatIsAFolderIsRefused) {
  Host host;
  fs::remove(host.bin("beta"));
  fs::create_directory(host.bin("beta"));
  expect_refused(host, 1);
}

TEST(Destination, ThatIsALinkIsRefusedAndItsTargetIsNamed) {
  Host host;
  fs::rename(host.bin("beta"), host.path("real-beta"));
  fs::create_symlink(host.path("real-beta"), host.bin("beta"));
  expect_refused(host, 1);
  const Ended ended = host.run({"apply", host.release("1.0.0")});
  EXPECT_TRUE(contains(ended.err, host.path("real-beta"))) << ended.err;
  EXPECT_EQ(read_file(host.path("real-beta")), program("beta", "0.9.0"));
}

TEST(Destination, ThatIsADanglingLinkIsRefused) {
  Host host;
  fs::remove(host.bin("beta"));
  fs::create_symlink(host.path("nowhere"), host.bin("beta"));
  expect_refused(host, 1);
  EXPECT_FALSE(present(host.path("nowhere")));
}

TEST(Destination, ThatIsADeviceOrAPipeIsRefused) {
  Host host;
  fs::remove(host.bin("beta"));
  ASSERT_EQ(mkfifo(host.bin("beta").c_str(), 0644), 0);
  expect_refused(host, 1);
  NEEDS_ROOT();
  fs::remove(host.bin("beta"));
  if (mknod(host.bin("beta").c_str(), S_IFCHR | 0644, makedev(1, 3)) == 0) {
    expect_refused(host, 1);
  }
}

TEST(Destination, InAMissingFolderIsRefused) {
  Host host;
  host.configure([&](Settings& s) { s.files[1].destination = host.path("none/beta"); });
  expect_refused(host, 1);
  EXPECT_FALSE(present(host.path("none")));
}

TEST(Destination, BelowAFileIsRefused) {
  Host host;
  host.configure([&](Settings& s) { s.files[1].destination = host.bin("gamma") + "/beta"; });
  expect_refused(host, 1);
}

TEST(Destination, BelowAFolderThatOthersCanWriteIsRefused) {
  Host host;
  fs::create_directories(host.path("open/bin"));
  write_file(host.path("open/bin/beta"), program("beta", "0.9.0"), 0755);
  host.configure([&](Settings& s) { s.files[1].destination = host.path("open/bin/beta"); });
  for (const mode_t mode : {0777U, 0775U, 0757U}) {
    ASSERT_EQ(chmod(host.path("open").c_str(), mode), 0);
    expect_refused(host, 7);
    EXPECT_EQ(read_file(host.path("open/bin/beta")), program("beta", "0.9.0"));
  }
  ASSERT_EQ(chmod(host.path("open").c_str(), 01777), 0);  // like /tmp, and the next part is ours
  host.install("1.0.0");
}

TEST(Destination, BelowAFolderOfAnotherUserIsRefused) {
  NEEDS_ROOT();
  Host host;
  fs::create_directories(host.path("theirs/bin"));
  host.configure([&](Settings& s) { s.files[1].destination = host.path("theirs/bin/beta"); });
  ASSERT_EQ(chown(host.path("theirs").c_str(), 1234, 1234), 0);
  expect_refused(host, 7);
}

TEST(Destination, WithANameThatLeavesNoRoomForItsBackupIsRefused) {
  Host host;
  host.configure([&](Settings& s) { s.files[1].destination = host.bin(std::string(250, 'b')); });
  const Ended ended = host.run({"apply", host.release("1.0.0")});
  EXPECT_TRUE(ended.code == 1 || ended.code == 2) << ended.code << ended.err;
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "0.9.0"));
  EXPECT_TRUE(host.leftovers().empty());
}

TEST(Destination, ThatIsAbsentIsAFirstInstallAndLeavesNoBackup) {
  Host host;
  for (const InstalledFile& file : host.settings().files) {
    fs::remove(file.destination);
  }
  host.install("1.0.0");
  EXPECT_FALSE(present(host.bin("alpha.previous")));
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "missing") << "the undo of a first install removes the file";
}

TEST(Destination, FirstInstallThatFailsIsRemovedAgain) {
  Host host;
  fs::remove(host.bin("alpha"));
  fs::remove(host.bin("beta"));
  host.doctor("test \"$installed\" != 1.0.0\n");
  EXPECT_EQ(host.run({"apply", host.release("1.0.0")}).code, 3);
  EXPECT_FALSE(present(host.bin("alpha")));
  EXPECT_FALSE(present(host.bin("beta")));
  EXPECT_EQ(read_file(host.bin("gamma")), program("gamma", "0.9.0"));
}

TEST(Destination, InAReadOnlyFolderIsRefused) {
  NEEDS_ROOT();
  Host host;
  if (!host.bind_read_only("bin")) {
    GTEST_SKIP() << "no bind mount here";
  }
  expect_refused(host, 1);
}

TEST(Destination, ThatIsImmutableFailsWithoutAMix) {
  NEEDS_ROOT();
  NEEDS_TOOL("chattr");
  Host host;
  host.install("1.0.0");
  if (run_process({"chattr", "+i", host.bin("beta")}).code != 0) {
    GTEST_SKIP() << "no immutable files on this file system";
  }
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  run_process({"chattr", "-i", host.bin("beta")});
  EXPECT_TRUE(ended.code == 1 || ended.code == 3) << ended.code << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  host.install("3.0.0");
}

TEST(StateFolder, IsMadeForItsOwnerAlone) {
  Host host;
  host.install("1.0.0");
  struct stat status {};
  ASSERT_EQ(stat(host.path("state").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0700U);
  for (const auto& entry : fs::directory_iterator(host.path("state"))) {
    if (entry.is_regular_file()) {
      ASSERT_EQ(stat(entry.path().c_str(), &status), 0);
      EXPECT_EQ(status.st_mode & 0077U, 0U) << entry.path();
    }
  }
}

TEST(StateFolder, ThatAllCanWriteIsRefused) {
  Host host;
  fs::create_directory(host.path("state"));
  ASSERT_EQ(chmod(host.path("state").c_str(), 0777), 0);
  expect_refused(host, 7);
  EXPECT_TRUE(fs::is_empty(host.path("state")));
}

TEST(StateFolder, OfSomebodyElseIsRefused) {
  NEEDS_ROOT();
  Host host;
  fs::create_directory(host.path("state"));
  ASSERT_EQ(chmod(host.path("state").c_str(), 0700), 0);
  ASSERT_EQ(chown(host.path("state").c_str(), 1234, 1234), 0);
  expect_refused(host, 7);
}

TEST(StateFolder, ThatIsAFileIsRefused) {
  Host host;
  write_file(host.path("state"), "a file");
  const Ended ended = host.run({"apply", host.release("1.0.0")});
  EXPECT_TRUE(ended.code == 1 || ended.code == 7) << ended.code << ended.err;
  EXPECT_EQ(host.installed(), "0.9.0");
  EXPECT_EQ(read_file(host.path("state")), "a file");
}

TEST(Configuration, InAFolderThatOthersCanWriteIsRefused) {
  Host host;
  fs::create_directory(host.path("open"));
  write_file(host.path("open/update.toml"), to_toml(host.settings()));
  ASSERT_EQ(chmod(host.path("open").c_str(), 0777), 0);
  const Ended ended = run_process({BANGER_UPDATE_PROGRAM, "--config", host.path("open/update.toml"),
                                   "apply", host.release("1.0.0")});
  EXPECT_EQ(ended.code, 7) << ended.err;
  EXPECT_EQ(host.installed(), "0.9.0");
}

}  // namespace
}  // namespace update::scenario
