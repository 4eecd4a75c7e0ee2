// A real file system loses its power: what was not on the disk is gone. The shutdown ioctl, which
// the kernel's own file system tests use, drops dirty pages and the log that is still in memory.
// It shows one state for each moment, the one that this kernel's file system leaves, and with that
// what no model can: that the models say nothing wrong about it.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/power_cut/updates.hpp"
#include "tests/crash/sampling.hpp"
#include "tests/engine/os/temporary_folder.hpp"
#include "tests/scenario/trace.hpp"

namespace update::crash {
namespace {

using scenario::Call;
using scenario::Host;
using scenario::Scenario;

/// About that many calls are tried in a sample.
constexpr std::size_t kSample = 14;

/// A file system of its own on a loop device. It is mounted in a mount namespace of this process:
/// however that ends, the mount and the device end with it.
class CutDisk {
 public:
  CutDisk(std::string type, std::string options)
      : type_(std::move(type)), options_(std::move(options)) {
    is_made_ = unshare(CLONE_NEWNS) == 0 &&
               mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
               scenario::run_process({"sh", "-c", make_command()}).code == 0 && attach();
  }
  ~CutDisk() { umount2(path().c_str(), MNT_DETACH); }
  CutDisk(const CutDisk&) = delete;
  CutDisk& operator=(const CutDisk&) = delete;

  bool is_made() const { return is_made_; }
  std::string path() const { return folder_.path("mounted"); }

  /// All that was written so far is on the disk.
  void settle() const {
    const int folder = open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    EXPECT_EQ(syncfs(folder), 0);
    close(folder);
  }

  /// What comes about by itself some seconds later: names and sizes are on the disk, and bytes are
  /// not yet (ext4 commits every 5 s, and vm.dirty_expire_centisecs is 30 s).
  void commit_names() const {
    const int file = open((path() + "/other").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(fsync(file), 0);
    close(file);
  }

  /// Cuts the power, and gives it back. False where the kernel cannot.
  bool cut() {
    // FS_IOC_SHUTDOWN and FS_SHUTDOWN_FLAGS_NOLOGFLUSH of linux/fs.h, which Debian 12's does not
    // have yet; ext4 and xfs have the same under names of their own.
    constexpr unsigned long kShutdown = _IOR('X', 125, std::uint32_t);
    std::uint32_t without_flush = 2;
    const int folder = open(path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool is_cut = ioctl(folder, kShutdown, &without_flush) == 0;
    close(folder);
    // A child of the killed program may hold it a moment longer.
    const bool is_free = scenario::eventually([&] { return umount2(path().c_str(), 0) == 0; });
    return is_cut && is_free && attach();
  }

  /// Is the file system itself whole?
  bool is_sound() const {
    umount2(path().c_str(), 0);
    const std::string check = type_ == "xfs" ? "xfs_repair -n " : "e2fsck -fn ";
    return scenario::run_process({"sh", "-c", kPath + check + image()}).code == 0;
  }

 private:
  static inline const std::string kPath = "export PATH=$PATH:/usr/sbin:/sbin; ";

  std::string image() const { return folder_.path("image"); }
  std::string make_command() const {
    // No smaller xfs than that is made.
    return kPath + "mkdir " + path() + " && truncate -s 320M " + image() + " && mkfs." + type_ +
           " -q " + image();
  }
  bool attach() const {
    return scenario::run_process({"mount", "-t", type_, "-o", "loop" + options_, image(), path()})
               .code == 0;
  }

  os::TemporaryFolder folder_;
  std::string type_;
  std::string options_;
  bool is_made_ = false;
};

/// TMPDIR, where hosts are made, as long as it lives.
class HostsOn {
 public:
  explicit HostsOn(const std::string& path) {
    const char* before = std::getenv("TMPDIR");
    if (before != nullptr) before_ = before;
    setenv("TMPDIR", path.c_str(), 1);
  }
  ~HostsOn() {
    if (before_.empty()) {
      unsetenv("TMPDIR");
    } else {
      setenv("TMPDIR", before_.c_str(), 1);
    }
  }
  HostsOn(const HostsOn&) = delete;
  HostsOn& operator=(const HostsOn&) = delete;

 private:
  std::string before_;
};

Scenario scenario_of(const Update& update) {
  return {[update](Host& host) {
            make_quick(host);
            update.prepare(host);
          },
          update.command};
}

void cut_at(CutDisk& disk, const Update& update, const Call& call, Tally& tally) {
  SCOPED_TRACE("before " + call.name + " " + std::to_string(call.nth) + " (" + call.text);
  const Scenario scenario = scenario_of(update);
  Host host;
  scenario.prepare(host);
  const scenario::Arguments command = scenario.command(host);
  disk.settle();
  const bool is_killed = scenario::kill_at(host, scenario, call).signal == SIGKILL;
  ++tally.tried;
  tally.reached += is_killed ? 1U : 0U;
  ASSERT_TRUE(disk.cut());
  Findings findings = each_file_whole(host, update.versions);
  const Findings more = recover_and_check(host, update.versions);
  findings.insert(findings.end(), more.begin(), more.end());
  tally.held += findings.empty() ? 1U : 0U;
  EXPECT_TRUE(findings.empty()) << to_message(findings);
}

enum class Cut : std::uint8_t { at_once, some_seconds_later };

/// What is wrong on the host when the power is cut after an update was said to be done.
Findings after_done(CutDisk& disk, const Update& update, Cut cut,
                    const scenario::Launch& launch = {}) {
  const Scenario scenario = scenario_of(update);
  Host host;
  scenario.prepare(host);
  const auto earlier = update.earlier ? update.earlier(host) : std::vector<Traced>();
  const scenario::Arguments command = scenario.command(host);
  disk.settle();
  for (const Traced& program : earlier) EXPECT_EQ(scenario::run_process(program.command).code, 0);
  EXPECT_EQ(host.run(command, launch).code, update.code);
  if (cut == Cut::some_seconds_later) disk.commit_names();
  EXPECT_TRUE(disk.cut());
  return recover_and_check(host, {update.reported});
}

void sweep(const std::string& type, const std::string& options) {
  NEEDS_ROOT();
  NEEDS_TOOL("strace");
  NEEDS_TOOL("mkfs." + type);
  CutDisk disk(type, options);
  if (!disk.is_made()) GTEST_SKIP() << "this machine cannot mount " << type << " on a loop device";
  const Update update = an_apply();
  Tally tally{"real power cut, " + type + options};
  {
    const HostsOn here(disk.path());
    const auto calls = scenario::record(scenario_of(update));
    tally.recorded = calls.size();
    for (const std::size_t point : chosen_points(calls.size(), calls.size() / kSample)) {
      cut_at(disk, update, calls[point], tally);
      if (testing::Test::HasFailure()) break;
    }
    for (const Update& done : {update, an_apply_right_after_the_first()}) {
      for (const Cut cut : {Cut::at_once, Cut::some_seconds_later}) {
        EXPECT_EQ(to_message(after_done(disk, done, cut)), "") << done.name;
      }
    }
  }
  tally.report();
  EXPECT_EQ(tally.reached, tally.tried) << "a kill that did not happen shows nothing";
  EXPECT_TRUE(disk.is_sound());
}

TEST(RealPowerCut, OfExt4LeavesOneVersion) {
  sweep("ext4", "");
}

// Without the help that ext4 gives to a rename over a file that was not synced, and with nothing
// written back while the test runs.
TEST(RealPowerCut, OfExt4AtItsLaziestLeavesOneVersion) {
  sweep("ext4", ",noauto_da_alloc,commit=600");
}

// strace answers each sync with success, and nothing is synced: a cut that this does not hurt is
// none.
TEST(RealPowerCut, FindsAProgramThatSyncsNothing) {
  NEEDS_ROOT();
  NEEDS_TOOL("strace");
  CutDisk disk("ext4", ",noauto_da_alloc,commit=600");
  if (!disk.is_made()) GTEST_SKIP() << "this machine cannot mount ext4 on a loop device";
  const HostsOn here(disk.path());
  scenario::Launch launch;
  launch.prefix = scenario::strace("/dev/null", "fsync,fdatasync", "fsync,fdatasync:retval=0");
  EXPECT_NE(to_message(after_done(disk, an_apply(), Cut::at_once, launch)), "");
}

TEST(RealPowerCut, OfXfsLeavesOneVersion) {
  sweep("xfs", "");
}

}  // namespace
}  // namespace update::crash
