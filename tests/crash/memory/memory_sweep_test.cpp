// The whole product in memory, SQLite included: the machine stops before every call that changes
// something, in every way that POSIX allows, and recovery is stopped again. By default states that
// no reader can tell apart are looked at once; UPDATE_SWEEP=full looks at each disk that differs in
// a bit, takes each pending operation by itself, and pairs. A second stop goes on from what
// recovery can tell apart.

#include <gtest/gtest.h>

#include <chrono>
#include <iostream>

#include "tests/crash/memory/explorer.hpp"

namespace update::crash {
namespace {

class MemorySweep : public testing::TestWithParam<const char*> {
 protected:
  void judge(const Explorer& explorer, const std::string& sweep) {
    for (const std::string& finding : explorer.findings()) ADD_FAILURE() << finding;
    explorer.tally(sweep).report();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun_;
    std::cout << took.count() << " s\n";
  }

  Explorer explorer_{story(GetParam()), {.full = full_sweep(), .without_journal = false}};

 private:
  std::chrono::steady_clock::time_point begun_ = std::chrono::steady_clock::now();
};

TEST_P(MemorySweep, DepthOne) {
  explorer_.depth_one();
  judge(explorer_, "stopped once");
}

TEST_P(MemorySweep, WithoutTheJournal) {
  Explorer explorer(story(GetParam()), {.full = full_sweep(), .without_journal = true});
  explorer.depth_one();
  judge(explorer, "stopped once, the journal gone");
}

// Recovery as a boot does it: in two halves.
TEST_P(MemorySweep, AtBootAndAfterwardsIsTheSameAsAtOnce) {
  explorer_.depth_one();
  explorer_.repair_by(by_boot_and_recover());
  explorer_.compare(by_boot_and_recover());
  judge(explorer_, "stopped once, boot and recover");
}

TEST_P(MemorySweep, UnderEveryPolicyAndWithoutEnd) {
  explorer_.depth_one();
  explorer_.repair_by(by_policy(RecoveryPolicy::rollback));
  explorer_.repair_by(by_policy(RecoveryPolicy::replay));
  explorer_.loops_end();
  judge(explorer_, "stopped once, each policy, and again and again at one place");
}

// What a stop of both recoveries leaves is looked at once.
TEST_P(MemorySweep, DepthTwo) {
  explorer_.depth_one();
  explorer_.depth_two(by_recover());
  explorer_.depth_two(by_boot_and_recover());
  judge(explorer_, "stopped twice, also at boot");
}

TEST_P(MemorySweep, DepthThree) {
  explorer_.depth_three(sweep_seed(), full_sweep() ? 20000 : 300);
  judge(explorer_, "stopped three times");
}

INSTANTIATE_TEST_SUITE_P(Each, MemorySweep,
                         testing::Values("Apply", "UndoneApply", "Rollback", "FirstUpdate",
                                         "FirstInstall", "UndoneFirstInstall"),
                         [](const auto& tested) { return std::string(tested.param); });

}  // namespace
}  // namespace update::crash
