// F9: a full disk is an error before anything changes, and never in the way of a recovery. Every
// call that may end with ENOSPC: tests/crash/program/error_sweep_test.cpp.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <regex>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

#define NEEDS_DISK(host)                         \
  NEEDS_ROOT();                                  \
  if (!(host).mount_small("disk", "48M")) {      \
    GTEST_SKIP() << "no loop-mounted ext4 here"; \
  }                                              \
  use_disk(host)

// Programs and state live on the small disk.
void use_disk(Host& host) {
  host.configure([&](Settings& s) {
    s.state = host.path("disk/state");
    s.staging = host.path("disk/staging");
    for (InstalledFile& file : s.files) {
      file.destination = host.path("disk/bin/" + file.name);
      write_file(file.destination, program(file.name, "0.9.0"), 0755);
    }
  });
}

std::uint64_t free_blocks(const Host& host) {
  struct statvfs space {};
  EXPECT_EQ(statvfs(host.path("disk").c_str(), &space), 0);
  return space.f_bavail;
}

// ext4 allocates late, so that what is free is only known once it is synced.
void fill(const Host& host) {
  const std::string block(1024, 'x');
  const int fd =
      open(host.path("disk/fill").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0);
  for (int round = 0; round < 50 && free_blocks(host) > 0; ++round) {
    while (write(fd, block.data(), block.size()) > 0) {
    }
    syncfs(fd);
  }
  close(fd);
  ASSERT_EQ(free_blocks(host), 0U);
}

std::vector<std::string> dot_files(const Host& host) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(host.path("disk/bin"))) {
    if (entry.path().filename().string()[0] == '.') {
      names.push_back(entry.path().filename());
    }
  }
  return names;
}

std::string large_release(const Host& host, std::size_t bytes) {
  return host.release_with("2.0.0", [&](Json& manifest) {
    const std::string large(bytes, 'x');
    write_file(host.path("releases/2.0.0/beta"), large, 0755);
    manifest["files"][1]["sha256"] = sha256_of(large);
    manifest["files"][1]["size"] = bytes;
  });
}

TEST(F9, ReleaseThatDoesNotFitIsRefusedWithTheBytesNeededAndThere) {
  Host host;
  NEEDS_DISK(host);
  host.install("1.0.0");
  const auto before = host.snapshot("disk/bin");
  Json answer = host.json({"apply", large_release(host, std::size_t{60} << 20U)}, 8);
  const std::string message =
      answer["error"]["message"].get<std::string>() +
      (answer["error"]["hint"].is_string() ? answer["error"]["hint"].get<std::string>() : "");
  EXPECT_EQ(answer["error"]["code"], 8);
  EXPECT_TRUE(contains(message, host.path("disk"))) << message;
  EXPECT_TRUE(std::regex_search(message, std::regex("[0-9].*[0-9]"))) << message;
  EXPECT_EQ(host.snapshot("disk/bin"), before);
}

TEST(F9, FullDiskRefusesAnUpdateBeforeItBegins) {
  Host host;
  NEEDS_DISK(host);
  host.install("1.0.0");
  fill(host);
  EXPECT_EQ(host.run({"apply", large_release(host, std::size_t{1} << 20U)}).code, 8);
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(dot_files(host).empty()) << testing::PrintToString(dot_files(host));
}

TEST(F9, StatusHistoryAndVerifyWorkOnAFullDisk) {
  Host host;
  NEEDS_DISK(host);
  host.install("1.0.0");
  fill(host);
  EXPECT_EQ(host.json({"status"})["installed_version"], "1.0.0");
  EXPECT_EQ(host.json({"history"}).size(), 1U);
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  EXPECT_EQ(host.run({"verify"}).code, 0);
}

TEST(F9, RollbackWorksOnAFullDisk) {
  Host host;
  NEEDS_DISK(host);
  host.install("1.0.0");
  host.install("2.0.0");
  fill(host);
  const Ended ended = host.run({"rollback"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(dot_files(host).empty()) << testing::PrintToString(dot_files(host));
}

TEST(F9, RecoveryWorksOnAFullDisk) {
  NEEDS_ROOT();
  const Scenario on_disk = {[](Host& host) {
                              ASSERT_TRUE(host.mount_small("disk", "48M"));
                              use_disk(host);
                              host.install("1.0.0");
                            },
                            second_update().command};
  {
    Host probe;
    NEEDS_DISK(probe);
  }
  const std::vector<Call> renames = swaps(record(on_disk));
  ASSERT_EQ(renames.size(), 3U);
  for (const std::string policy : {"rollback", "replay"}) {
    Host host;
    crash(host, on_disk, renames[1]);
    fill(host);
    const Ended ended = host.run({"recover", "--policy", policy});
    EXPECT_EQ(ended.code, 0) << policy << ended.err;
    EXPECT_EQ(host.installed(), policy == "replay" ? "2.0.0" : "1.0.0");
    EXPECT_TRUE(dot_files(host).empty()) << testing::PrintToString(dot_files(host));
    EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  }
}

TEST(F9, DoctorThatFillsTheDiskAndFailsIsUndone) {
  Host host;
  NEEDS_DISK(host);
  host.install("1.0.0");
  host.doctor("grep -q 2.0.0 '" + host.path("disk/bin/alpha") + "' || exit 0\ncat /dev/zero >'" +
              host.path("disk/fill") + "'\nexit 1\n");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 3) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(dot_files(host).empty()) << testing::PrintToString(dot_files(host));
  EXPECT_EQ(host.run({"status"}).code, 0);
}

}  // namespace
}  // namespace update::scenario
