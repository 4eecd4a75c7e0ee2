// The rules of failures.md about the files themselves: F1, F2, F5, F10, F17.

#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

extern char** environ;

namespace update::scenario {
namespace {

struct stat status_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0) << path << ": " << std::strerror(errno);
  return status;
}

// A real ELF program that differs between versions in what follows its sections.
std::string elf(const std::string& version) {
  return read_file("/bin/true") + version;
}

std::string elf_release(const Host& host, const std::string& version) {
  return host.release_with(version, [&](Json& manifest) {
    for (Json& file : manifest["files"]) {
      const std::string bytes = elf(version);
      write_file(host.path("releases/" + version + "/") + file["name"].get<std::string>(), bytes,
                 0755);
      file["sha256"] = sha256_of(bytes);
      file["size"] = bytes.size();
    }
  });
}

// Executes a program over and over and keeps the first error.
class ExecLoop {
 public:
  explicit ExecLoop(std::string program)
      : program_(std::move(program)), thread_([this] { loop(); }) {}
  ~ExecLoop() { stop(); }

  int stop() {
    stop_ = true;
    if (thread_.joinable()) {
      thread_.join();
    }
    return error_;
  }
  int runs() const { return runs_; }

 private:
  void loop() {
    while (!stop_ && error_ == 0) {
      pid_t pid = -1;
      char* argv[] = {program_.data(), nullptr};
      const int error = posix_spawn(&pid, program_.c_str(), nullptr, nullptr, argv, environ);
      int status = 0;
      if (error == 0) {
        waitpid(pid, &status, 0);
      }
      error_ = error != 0 ? error : status;
      ++runs_;
    }
  }

  std::string program_;
  std::atomic<bool> stop_ = false;
  std::atomic<int> error_ = 0;
  std::atomic<int> runs_ = 0;
  std::thread thread_;
};

TEST(F1, TightLoopOfExecveNeverFailsWhileUpdatesAreAppliedAndUndone) {
  Host host;
  for (const InstalledFile& file : host.settings().files) {
    write_file(file.destination, elf("0.9.0"), 0755);
  }
  ExecLoop loop(host.bin("alpha"));
  for (const std::string version : {"1.0.0", "2.0.0", "3.0.0"}) {
    EXPECT_EQ(host.run({"apply", elf_release(host, version)}).code, 0);
  }
  EXPECT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(loop.stop(), 0) << "an execve failed";
  EXPECT_GT(loop.runs(), 0);
  EXPECT_EQ(read_file(host.bin("alpha")), elf("2.0.0"));
}

TEST(F1, StagedFileIsSyncedBeforeItsRenameAndTheFolderAfterIt) {
  const std::vector<Call> calls = record(second_update());
  std::size_t synced_before = 0;
  bool synced_between = false;
  std::size_t renamed = 0;
  for (const Call& call : calls) {
    const bool sync = call.name == "fsync" || call.name == "fdatasync" || call.name == "syncfs";
    const bool swap = call.name.substr(0, 6) == "rename" && !swaps({call}).empty();
    synced_before += sync && renamed == 0 ? 1U : 0U;
    renamed += swap ? 1U : 0U;
    synced_between = synced_between || (sync && renamed == 3);
  }
  EXPECT_EQ(renamed, 3U) << "one rename for each file";
  EXPECT_GE(synced_before, 5U) << "three files, their folder, and the intent";
  EXPECT_TRUE(synced_between);
}

TEST(F2, ReleaseMayLieOnAnotherFileSystem) {
  Host host;
  if (status_of("/dev/shm").st_dev == status_of(host.path("bin")).st_dev) {
    GTEST_SKIP() << "no second file system at /dev/shm";
  }
  std::string elsewhere = "/dev/shm/banger-scenario-XXXXXX";
  ASSERT_NE(mkdtemp(elsewhere.data()), nullptr);
  std::filesystem::copy(host.release("1.0.0"), elsewhere);
  const Ended ended = host.run({"apply", elsewhere});
  std::filesystem::remove_all(elsewhere);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(F2, DestinationsMayLieOnSeveralFileSystems) {
  NEEDS_ROOT();
  Host host;
  if (!host.mount_small("other", "16M")) {
    GTEST_SKIP() << "no loop mount here";
  }
  write_file(host.path("other/beta"), program("beta", "0.9.0"), 0755);
  host.configure([&](Settings& s) { s.files[1].destination = host.path("other/beta"); });
  host.install("1.0.0");
  host.install("2.0.0");
  EXPECT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(F5, RollbackRestoresBytesModeOwnerAndAttributes) {
  NEEDS_ROOT();
  NEEDS_TOOL("setfattr");
  NEEDS_TOOL("setfacl");
  Host host;
  const std::string alpha = host.bin("alpha");
  ASSERT_EQ(chown(alpha.c_str(), 1234, 1235), 0);
  ASSERT_EQ(chmod(alpha.c_str(), 0750), 0);
  ASSERT_EQ(run_process({"setfacl", "-m", "u:1236:rx", alpha}).code, 0);
  ASSERT_EQ(run_process({"setfattr", "-n", "user.note", "-v", "kept", alpha}).code, 0);
  const std::string acl = run_process({"getfacl", "-c", alpha}).out;
  host.install("1.0.0");
  ASSERT_EQ(chmod(alpha.c_str(), 0700), 0);
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "0.9.0");
  EXPECT_EQ(status_of(alpha).st_mode & 07777U, 0750U);
  EXPECT_EQ(status_of(alpha).st_uid, 1234U);
  EXPECT_EQ(status_of(alpha).st_gid, 1235U);
  EXPECT_EQ(run_process({"getfacl", "-c", alpha}).out, acl);
  EXPECT_TRUE(contains(run_process({"getfattr", "-d", alpha}).out, "user.note=\"kept\""));
}

TEST(F5, RollbackCanBeRolledBack) {
  Host host;
  host.install("1.0.0");
  host.install("2.0.0");
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.json({"history"}).size(), 4U) << "each of them is a transaction";
}

TEST(F5, WhatRunsIsNotTakenAwayFromALiveProcess) {
  Host host;
  write_file(host.bin("alpha"), read_file("/bin/sleep"), 0755);
  Process daemon({host.bin("alpha"), "60"});
  ASSERT_TRUE(eventually([&] {
    return contains(
        std::filesystem::read_symlink("/proc/" + std::to_string(daemon.pid()) + "/exe").string(),
        "alpha");
  }));
  ASSERT_EQ(host.run({"apply", host.release("1.0.0")}).code, 0);
  EXPECT_TRUE(daemon.running());
  EXPECT_EQ(read_file(host.bin("alpha.previous")), read_file("/bin/sleep"));
}

TEST(F10, CapabilitiesAndAccessListsAreCarriedToTheNewFile) {
  NEEDS_ROOT();
  NEEDS_TOOL("setcap");
  NEEDS_TOOL("setfacl");
  Host host;
  const std::string alpha = host.bin("alpha");
  const std::string get = "PATH=$PATH:/usr/sbin:/sbin getcap " + alpha;
  if (run_process({"sh", "-c", "PATH=$PATH:/usr/sbin:/sbin setcap cap_net_raw+ep " + alpha}).code !=
      0) {
    GTEST_SKIP() << "no file capabilities here";
  }
  ASSERT_EQ(run_process({"setfacl", "-m", "u:1236:rx", host.bin("beta")}).code, 0);
  const std::string acl = run_process({"getfacl", "-c", host.bin("beta")}).out;
  host.install("1.0.0");
  EXPECT_TRUE(contains(run_process({"sh", "-c", get}).out, "cap_net_raw"));
  EXPECT_EQ(run_process({"getfacl", "-c", host.bin("beta")}).out, acl);
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_TRUE(contains(run_process({"sh", "-c", get}).out, "cap_net_raw"));
}

TEST(F10, SetIdBitsOfThePresentFileAreCarriedAndNotKeptOnItsBackup) {
  NEEDS_ROOT();
  Host host;
  ASSERT_EQ(chmod(host.bin("alpha").c_str(), 04755), 0);
  host.install("1.0.0");
  EXPECT_EQ(status_of(host.bin("alpha")).st_mode & 07777U, 04755U);
  EXPECT_EQ(status_of(host.bin("alpha.previous")).st_mode & 06000U, 0U);
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "0.9.0");
  EXPECT_EQ(status_of(host.bin("alpha")).st_mode & 07777U, 04755U);
}

TEST(F10, ReleaseCannotAddSetIdBits) {
  Host host;
  std::filesystem::remove(host.bin("alpha"));
  const std::string release =
      host.release_with("1.0.0", [](Json& manifest) { manifest["files"][0]["mode"] = "4755"; });
  const int code = host.run({"apply", release}).code;
  if (code == 7) {
    EXPECT_FALSE(present(host.bin("alpha"))) << "refused as a bad manifest";
  } else {
    ASSERT_EQ(code, 0);
    EXPECT_EQ(status_of(host.bin("alpha")).st_mode & 07777U, 0755U);
  }
}

TEST(F10, UmaskDoesNotNarrowAMode) {
  Host host;
  std::filesystem::remove(host.bin("alpha"));
  Arguments words = {"sh", "-c", "umask 0777; exec \"$@\"", "sh"};
  const Ended ended = host.run({"apply", host.release("1.0.0")}, {{}, words});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(status_of(host.bin("alpha")).st_mode & 07777U, 0755U);
  EXPECT_EQ(status_of(host.bin("beta")).st_mode & 07777U, 0755U);
}

TEST(F10, PlanReportsADestinationThatAPackageOwns) {
  NEEDS_TOOL("dpkg");
  Host host;
  host.configure([](Settings& s) { s.files = {{"dpkg", "/usr/bin/dpkg"}}; });
  const Ended plan = host.run({"apply", "--dry-run", host.release("1.0.0")});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_TRUE(contains(plan.out + plan.err, "package")) << plan.out << plan.err;
}

TEST(F17, UndoOfAFileThatWasNotSwappedLeavesNoSecondName) {
  Host host;
  crash_in_swap(host, 1);
  ASSERT_EQ(status_of(host.bin("gamma")).st_nlink, 2U) << "its backup is a hard link";
  const ino_t inode = status_of(host.bin("gamma")).st_ino;
  ASSERT_EQ(host.run({"recover", "--policy", "rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  EXPECT_EQ(status_of(host.bin("gamma")).st_ino, inode);
  EXPECT_EQ(status_of(host.bin("gamma")).st_nlink, 1U);
}

}  // namespace
}  // namespace update::scenario
