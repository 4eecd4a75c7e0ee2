// How much space is enough: the free bytes grow from 0 in steps until the command succeeds. A step
// may be refused, and nothing else; the sampled mode takes a few large steps.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <iostream>

#include "tests/crash/full_disk/disk_host.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

using scenario::Ended;

struct Growing {
  std::string name;
  std::function<void(scenario::Host&)> prepare;
  std::function<Ended(scenario::Host&)> run;
  Outcomes outcomes;
};

/// The bytes that were enough; the whole spare space where nothing was.
std::size_t grow(const std::string& kind, const Growing& command, std::size_t step, Tally& tally) {
  for (std::size_t free = 0; free <= SmallDisk::kSpareBytes; free += step) {
    DiskHost on(kind, OnDisk::everything);
    command.prepare(on.host());
    on.disk().fill();
    on.disk().give_back(free);
    const Ended ended = command.run(on.host());
    ++tally.recorded;
    ++tally.tried;
    ++tally.reached;
    const Findings findings = check_after_full(on, ended, command.outcomes);
    tally.held += findings.empty() ? 1U : 0U;
    EXPECT_TRUE(findings.empty()) << free << " bytes free\n" << to_message(findings);
    if (ended.code == 0) return free;
  }
  return SmallDisk::kSpareBytes + step;
}

class FreeSpace : public testing::TestWithParam<std::string> {
 protected:
  static std::size_t step() {
    if (!full_sweep()) return SmallDisk::kSpareBytes / 2;
    return SmallDisk::kStepBytes * (type_of(GetParam()) == "ext4" ? 1 : 8);
  }

  static std::size_t enough(const Growing& command) {
    Tally tally{"free space for " + command.name + ", " + GetParam()};
    const std::size_t bytes = grow(GetParam(), command, step(), tally);
    std::cout << command.name << " on " << GetParam() << ": " << bytes / 1024 << " KiB free were "
              << "enough\n";
    tally.report();
    return bytes;
  }
};

INSTANTIATE_TEST_SUITE_P(On, FreeSpace, testing::Values("ext4", "xfs", "btrfs"),
                         [](const auto& test) { return test.param; });

TEST_P(FreeSpace, ApplyIsRefusedUntilItSucceeds) {
  NEEDS_DISK(GetParam());
  const std::size_t bytes = enough({"apply",
                                    [](scenario::Host& host) { install(host, "1.0.0"); },
                                    [](scenario::Host& host) {
                                      return host.run({"apply", full_release(host, "2.0.0")});
                                    },
                                    {{0, "2.0.0"}, {8, "1.0.0"}}});
  EXPECT_LE(bytes, SmallDisk::kSpareBytes) << "never enough";
}

TEST_P(FreeSpace, RollbackAsksForAtMostOneMebibyte) {
  NEEDS_DISK(GetParam());
  const std::size_t bytes = enough({"rollback",
                                    [](scenario::Host& host) {
                                      install(host, "1.0.0");
                                      install(host, "2.0.0");
                                    },
                                    [](scenario::Host& host) { return host.run({"rollback"}); },
                                    {{0, "1.0.0"}, {8, "2.0.0"}}});
  EXPECT_LE(bytes, std::max(enough_for(GetParam()), step()));
}

}  // namespace
}  // namespace update::crash
