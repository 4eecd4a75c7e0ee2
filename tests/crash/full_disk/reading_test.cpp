// Reading must always work (journal.md): with 0 bytes free, on a read-only mount, without a -shm
// and no way to make one, and for several readers at once.

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>

#include "tests/crash/full_disk/disk_host.hpp"

namespace update::crash {
namespace {

using scenario::Arguments;
using scenario::Ended;
using scenario::Process;

struct Reading {
  Arguments arguments;
  int code;
};

std::vector<Reading> readings(bool unfinished) {
  return {{{"status"}, unfinished ? 10 : 0}, {{"history"}, 0},
          {{"history", "show", "1"}, 0},     {{"history", "export"}, 0},
          {{"history", "verify"}, 0},        {{"verify"}, unfinished ? 7 : 0}};
}

void one_after_another(const DiskHost& on, bool unfinished) {
  for (const Reading& reading : readings(unfinished)) {
    const Ended ended = on.host().run(reading.arguments);
    EXPECT_EQ(ended.code, reading.code) << reading.arguments.back() << " " << said(ended);
    EXPECT_FALSE(ended.out.empty()) << reading.arguments.back();
  }
}

void all_at_once(const DiskHost& on, bool unfinished) {
  constexpr std::size_t kOfEach = 2;
  std::vector<std::pair<Reading, std::unique_ptr<Process>>> running;
  for (std::size_t number = 0; number < kOfEach; ++number) {
    for (const Reading& reading : readings(unfinished)) {
      running.emplace_back(reading,
                           std::make_unique<Process>(on.host().command(reading.arguments)));
    }
  }
  for (const auto& [reading, process] : running) {
    const Ended ended = process->wait();
    EXPECT_EQ(ended.code, reading.code)
        << reading.arguments.back() << " beside others " << said(ended);
  }
}

void remove_index(const DiskHost& on) {
  ASSERT_EQ(unlink((on.host().settings().state + "/journal.db-shm").c_str()), 0);
}

class FullDiskReading : public testing::TestWithParam<std::string> {
 protected:
  static void prepare(DiskHost& on, bool unfinished) {
    if (unfinished) {
      crash_in_hook(on.host(), "doctor");
    } else {
      install(on.host(), "1.0.0");
    }
  }
};

INSTANTIATE_TEST_SUITE_P(On, FullDiskReading, testing::Values("ext4", "ext4_1k", "xfs", "btrfs"),
                         [](const auto& test) { return test.param; });

TEST_P(FullDiskReading, WorksWithNoByteFree) {
  NEEDS_DISK(GetParam());
  for (const bool unfinished : {false, true}) {
    for (const bool indexed : {true, false}) {
      SCOPED_TRACE(std::string(unfinished ? "unfinished" : "finished") +
                   (indexed ? ", with" : ", without") + " a -shm");
      DiskHost on(GetParam(), OnDisk::everything);
      prepare(on, unfinished);
      if (!indexed) remove_index(on);
      on.disk().fill();
      one_after_another(on, unfinished);
      all_at_once(on, unfinished);
    }
  }
}

TEST_P(FullDiskReading, WorksOnAReadOnlyMount) {
  NEEDS_DISK(GetParam());
  for (const bool unfinished : {false, true}) {
    SCOPED_TRACE(unfinished ? "unfinished" : "finished");
    DiskHost on(GetParam(), OnDisk::everything);
    prepare(on, unfinished);
    remove_index(on);
    ASSERT_TRUE(on.disk().remount_read_only());
    one_after_another(on, unfinished);
    all_at_once(on, unfinished);
  }
}

// A reader that finds the disk full beside an update that is held.
TEST_P(FullDiskReading, WorksBesideAnUpdateThatMeetsIt) {
  NEEDS_DISK(GetParam());
  DiskHost on(GetParam(), OnDisk::everything);
  install(on.host(), "1.0.0");
  hold_in(on.host(), "doctor", "2.0.0");
  Process update(on.host().command({"apply", full_release(on.host(), "2.0.0")}));
  ASSERT_TRUE(on.host().doctor_waits());
  on.disk().fill();
  one_after_another(on, true);
  EXPECT_TRUE(update.running());
  on.disk().give_all_back();
  on.host().let_doctor_go();
  EXPECT_EQ(update.wait().code, 0);
}

}  // namespace
}  // namespace update::crash
