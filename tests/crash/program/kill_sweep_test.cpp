// Killed at any system call, an update is all or nothing once `recover` has returned. By default
// every fifth changing call is tried, from an offset that is printed; UPDATE_SWEEP=full tries each
// of them, and UPDATE_SWEEP_OFFSET repeats a run.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <iostream>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

struct Sampling {
  std::size_t offset = 0;
  std::size_t stride = 1;
};

Sampling sampling(std::size_t stride) {
  const char* sweep = std::getenv("UPDATE_SWEEP");
  if (sweep != nullptr && std::string(sweep) == "full") {
    return {};
  }
  const char* given = std::getenv("UPDATE_SWEEP_OFFSET");
  const auto any = static_cast<std::size_t>(std::time(nullptr));
  const std::size_t offset = given != nullptr ? std::strtoul(given, nullptr, 10) : any % stride;
  std::cout << "every " << stride << "th call from offset " << offset
            << " (UPDATE_SWEEP=full for all)\n";
  return {offset, stride};
}

void expect_each_file_whole(const Host& host, const std::vector<std::string>& versions) {
  for (const InstalledFile& file : host.settings().files) {
    const std::string bytes = read_file(file.destination);
    bool known = false;
    for (const std::string& version : versions) {
      known = known || bytes == program(file.name, version);
    }
    EXPECT_TRUE(known) << file.destination << " holds " << bytes.size() << " bytes: " << bytes;
  }
}

void expect_one_version(Host& host, const std::vector<std::string>& versions) {
  const Ended recovered = host.run({"recover"});
  EXPECT_EQ(recovered.code, 0) << recovered.out << recovered.err;
  const std::string installed = host.installed();
  EXPECT_NE(std::find(versions.begin(), versions.end(), installed), versions.end()) << installed;
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  Json status = host.json({"status"});
  EXPECT_TRUE(status["unfinished"].is_null()) << status.dump();
  EXPECT_EQ(status["installed_version"], installed);
  EXPECT_EQ(host.run({"verify"}).code, 0) << installed;
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  EXPECT_TRUE(host.json({"recover"})["recovered"].is_null());
}

void sweep(const Scenario& scenario, const std::vector<std::string>& versions, std::size_t stride) {
  const std::vector<Call> calls = record(scenario);
  const Sampling chosen = sampling(stride);
  std::size_t reached = 0;
  std::size_t tried = 0;
  for (std::size_t index = chosen.offset; index < calls.size(); index += chosen.stride) {
    const Call& call = calls[index];
    SCOPED_TRACE("call " + std::to_string(index) + " of " + std::to_string(calls.size()) + ": " +
                 call.name + " " + std::to_string(call.nth) + " (" + call.text);
    Host host;
    scenario.prepare(host);
    ++tried;
    reached += kill_at(host, scenario, call).signal == SIGKILL ? 1U : 0U;
    expect_each_file_whole(host, versions);
    expect_one_version(host, versions);
    if (testing::Test::HasFailure()) {
      return;  // one point explains itself best alone
    }
  }
  std::cout << reached << " of " << tried << " points reached\n";
  EXPECT_GT(tried, 5U);
  // A time stamp or a process id of another length may shift a point; most must be hit.
  EXPECT_GE(reached * 10, tried * 9);
}

TEST(KillSweep, OfAnApplyLeavesOneVersion) {
  sweep(second_update(), {"1.0.0", "2.0.0"}, 5);
}

TEST(KillSweep, OfAnApplyThatIsUndoneLeavesTheOldVersion) {
  const Scenario failing = {[](Host& host) {
                              host.install("1.0.0");
                              host.doctor("test \"$installed\" != 2.0.0\n");
                            },
                            second_update().command};
  sweep(failing, {"1.0.0", "2.0.0"}, 11);
}

TEST(KillSweep, OfARollbackLeavesOneVersion) {
  const Scenario back = {[](Host& host) {
                           host.install("1.0.0");
                           host.install("2.0.0");
                         },
                         [](const Host&) { return Arguments{"rollback"}; }};
  sweep(back, {"1.0.0", "2.0.0"}, 11);
}

TEST(KillSweep, OfARecoveryLeavesOneVersion) {
  const Scenario again = {[](Host& host) { crash_in_swap(host, 1); },
                          [](const Host&) { return Arguments{"recover"}; }};
  sweep(again, {"1.0.0", "2.0.0"}, 7);
}

TEST(KillSweep, OfARecoveryThatGoesBackLeavesOneVersion) {
  const Scenario again = {[](Host& host) { crash_in_swap(host, 2); },
                          [](const Host&) {
                            return Arguments{"recover", "--policy", "rollback"};
                          }};
  sweep(again, {"1.0.0", "2.0.0"}, 11);
}

}  // namespace
}  // namespace update::scenario
