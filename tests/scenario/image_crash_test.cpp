// However a command ends, its target is the old one, the new one, or none.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/scenario/image_tools.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

// Folders with enough in them that a command takes a while.
void make_many(const std::string& tree) {
  constexpr int kFiles = 400;
  fs::create_directories(tree + "/root");
  for (int number = 0; number < kFiles; ++number) {
    write_file(tree + "/root/f" + std::to_string(number),
               std::string(static_cast<std::size_t>(number) * 300, 'x'));
  }
}

struct Case {
  std::string name;
  std::function<Arguments(const Host&)> words;
};

void PrintTo(const Case& tested, std::ostream* out) {
  *out << tested.name;
}

// From then on a signal is an orderly end; before, it ends a program that has done nothing yet.
bool holds_signals_back(const Process& process) {
  const std::string status = read_file("/proc/" + std::to_string(process.pid()) + "/status");
  const std::string blocked = after_marker(status, "SigBlk:\t").substr(0, 16);
  const unsigned long long mask = std::strtoull(blocked.c_str(), nullptr, 16);
  return (mask >> (SIGINT - 1) & 1U) != 0 && (mask >> (SIGTERM - 1) & 1U) != 0;
}

class StoppedImageCommand : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    NEEDS_TOOL("debugfs");
    make_many(host.path("tree"));
    mke2fs(host.path("rootfs"), "128M", host.path("tree"));
    mke2fs(host.path("target"), "128M");
    old_ = sha256_of(data_of(host.path("target")));
  }

  // Runs the command and sends `signal` after `delay`; true where it had not ended by itself.
  bool stop_after(std::chrono::microseconds delay, int signal) {
    Process process(host.command(GetParam().words(host)));
    if (signal != SIGKILL) {
      EXPECT_TRUE(eventually([&] { return holds_signals_back(process) || !process.running(); }));
    }
    std::this_thread::sleep_for(delay);
    process.send(signal);
    const Ended ended = process.wait();
    if (signal != SIGKILL && ended.code != 0) {
      EXPECT_EQ(ended.code, signal == SIGINT ? 130 : 143) << ended.err;
      EXPECT_TRUE(temporaries(host.path("")).empty()) << "an orderly end leaves nothing behind";
    }
    return ended.code != 0;
  }

  void expect_old_or_whole() {
    const bool is_old = sha256_of(data_of(host.path("target"))) == old_;
    if (is_old) return;
    expect_clean(host.path("target"));
    EXPECT_GE(host.json({"ext4", "ls", host.path("target"), "/"})["entries"].size(), 2U);
  }

  Host host;

 private:
  std::string old_;
};

TEST_P(StoppedImageCommand, LeavesTheOldOrTheNewImageUnderAKill) {
  std::size_t stopped = 0;
  for (int delay_ms = 1; delay_ms <= 40; delay_ms += 3) {
    stopped += stop_after(std::chrono::milliseconds(delay_ms), SIGKILL) ? 1U : 0U;
    expect_old_or_whole();
  }
  EXPECT_GT(stopped, 0U);
  // What a kill left goes with the next run.
  const Ended ended = host.run(GetParam().words(host));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(temporaries(host.path("")).empty())
      << testing::PrintToString(temporaries(host.path("")));
  expect_clean(host.path("target"));
}

TEST_P(StoppedImageCommand, EndsInOrderUnderASignal) {
  std::size_t stopped = 0;
  for (const int signal : {SIGINT, SIGTERM}) {
    for (const int delay_ms : {0, 2, 5, 15}) {
      stopped += stop_after(std::chrono::milliseconds(delay_ms), signal) ? 1U : 0U;
      expect_old_or_whole();
    }
  }
  EXPECT_GT(stopped, 0U);
}

TEST_P(StoppedImageCommand, OnAFullDiskLeavesTheOldImage) {
  NEEDS_ROOT();
  if (!host.mount_small("disk", "24M")) GTEST_SKIP() << "no loop-mounted ext4 here";
  const std::string before(100, 'o');
  const Case& parameter = GetParam();
  Arguments words = parameter.words(host);
  const std::string target = host.path("disk/target");
  if (contains(parameter.name, "Edit")) {
    // A small image with most of the disk's space in it, whose copy has no room.
    mke2fs(target, "20M");
    const std::string fill = host.path("fill");
    write_file(fill, std::string(std::size_t{13} << 20U, 'f'));
    debugfs(target, "write " + fill + " /fill", true);
  } else {
    write_file(target, before);
  }
  const std::string old = sha256_of(data_of(target));
  for (std::string& word : words) {
    if (word == host.path("target")) word = target;
  }
  const Ended ended = host.run(words);
  EXPECT_EQ(ended.code, 8) << ended.out << ended.err;
  EXPECT_EQ(sha256_of(data_of(target)), old);
  EXPECT_TRUE(temporaries(host.path("disk")).empty());
}

INSTANTIATE_TEST_SUITE_P(
    Image, StoppedImageCommand,
    testing::Values(
        Case{"WorkSeed",
             [](const Host& host) {
               return Arguments{"work-seed", host.path("rootfs"), "--out", host.path("target")};
             }},
        Case{"WorkDisk",
             [](const Host& host) {
               return Arguments{"work-disk", host.path("rootfs"), host.path("target"), "--size",
                                "256MiB"};
             }},
        Case{"IngestNew",
             [](const Host& host) {
               return Arguments{"ext4",   "ingest", host.path("target"), host.path("tree"),
                                "--size", "256MiB"};
             }},
        Case{"IngestEdit",
             [](const Host& host) {
               return Arguments{"ext4", "ingest", host.path("target"), host.path("tree")};
             }}),
    [](const testing::TestParamInfo<Case>& tested) { return tested.param.name; });

}  // namespace
}  // namespace update::scenario
