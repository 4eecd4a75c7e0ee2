#include "tests/systemd/box.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <string>

#include "tests/scenario/host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::read_file;

constexpr const char* kSleeper =
    "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

// The rig itself: what the other tests of this folder take for granted.
TEST(BoxTest, BootsARealSystemdWhoseFilesOutliveAPowerOff) {
  NEEDS_SYSTEMD();
  Box box;
  box.unit("sleeper.service", kSleeper);
  box.enable("sleeper.service");
  ASSERT_TRUE(box.boot());
  EXPECT_EQ(box.output({"systemctl", "is-system-running"}), "running");
  EXPECT_EQ(box.output({"cat", "/proc/1/comm"}), "systemd");
  EXPECT_EQ(box.state("sleeper.service"), "active");
  EXPECT_GT(box.main_pid("sleeper.service"), 1);
  const std::string boot_id = box.output({"cat", "/proc/sys/kernel/random/boot_id"});
  // Named after this box: what a faulty rig once wrote on the machine says nothing about this one.
  const std::string name = std::filesystem::path(box.folder()).filename();
  const std::string kept = "/var/lib/kept-" + name;
  const std::string lost = "/run/lost-" + name;
  box.shell("echo kept >" + kept + "; echo lost >" + lost);

  box.power_off();
  EXPECT_EQ(read_file(box.outside(kept)), "kept\n");
  ASSERT_TRUE(box.boot());
  EXPECT_EQ(box.state("sleeper.service"), "active");
  EXPECT_EQ(box.output({"cat", kept}), "kept");
  EXPECT_EQ(box.shell("test -e " + lost + " && echo there || echo gone"), "gone");
  EXPECT_NE(box.output({"cat", "/proc/sys/kernel/random/boot_id"}), boot_id);
  box.shut_down();
  for (const std::string& path : {kept, lost}) {
    EXPECT_FALSE(scenario::present(path)) << "the box writes on the machine itself";
  }
}

TEST(BoxTest, RunsTransientUnitsAndTellsWhatFailed) {
  NEEDS_SYSTEMD();
  Box box;
  box.unit("broken.service",
           "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo I break; exit 3'\n");
  box.enable("broken.service");
  ASSERT_TRUE(box.boot());
  EXPECT_EQ(box.failed_units(), std::vector<std::string>{"broken.service"});
  EXPECT_TRUE(contains(box.journal("broken.service"), "I break"));
  EXPECT_EQ(box.output({"systemd-run", "-q", "--pipe", "--wait", "--collect", "--unit=transient",
                        "sh", "-c", "grep ^0:: /proc/self/cgroup; exit 7"},
                       7),
            "0::/system.slice/transient.service");
  EXPECT_EQ(box.run({"sh", "-c", "kill -KILL $$"}).signal, SIGKILL);
}

TEST(BoxTest, LeavesNothingBehindWhenTheTestIsKilled) {
  NEEDS_SYSTEMD();
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    Box box;
    const std::string told = box.boot() ? std::to_string(box.init()) + " " + box.folder() : "";
    [[maybe_unused]] const ssize_t done = write(ends[1], told.data(), told.size());
    pause();
    _exit(1);
  }
  close(ends[1]);
  std::array<char, 256> text{};
  ASSERT_GT(read(ends[0], text.data(), text.size() - 1), 0);
  close(ends[0]);
  const std::string told = text.data();
  const pid_t init = std::stoi(told);
  const std::string folder = told.substr(told.find(' ') + 1);
  EXPECT_TRUE(scenario::present(folder));
  EXPECT_EQ(kill(init, 0), 0);

  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  // The keeper removes the folder last, after processes, cgroups and mounts.
  EXPECT_TRUE(scenario::eventually([&] { return !scenario::present(folder); }));
  // A zombie has no command line any more.
  EXPECT_EQ(read_file("/proc/" + std::to_string(init) + "/cmdline"), "");
}

}  // namespace
}  // namespace update::systemd
