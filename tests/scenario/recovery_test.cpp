// Each row of "What recovery decides" (transaction.md): the program is killed at one call or by its
// own hook, and `recover` must bring the host to the version that the table says.

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

struct Row {
  std::string policy;  // empty: as configured (auto)
  std::string version;
};

Arguments recover_with(const std::string& policy) {
  return policy.empty() ? Arguments{"recover"} : Arguments{"recover", "--policy", policy};
}

void expect_settled(Host& host, const std::string& version) {
  EXPECT_EQ(host.installed(), version);
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  EXPECT_TRUE(host.json({"recover"})["recovered"].is_null());
  Json status = host.json({"status"});
  EXPECT_TRUE(status["unfinished"].is_null());
  EXPECT_EQ(status["installed_version"], version);
  EXPECT_EQ(status["recover_would"], "nothing");
  EXPECT_EQ(host.run({"verify"}).code, 0);
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
}

void expect_recovery(Host& host, const Row& row) {
  Json answer = host.json(recover_with(row.policy));
  ASSERT_FALSE(answer["recovered"].is_null());
  EXPECT_EQ(answer["recovered"]["outcome"], row.version == "2.0.0" ? "committed" : "rolled_back");
  expect_settled(host, row.version);
}

class EveryPolicy : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(Recovery, EveryPolicy, testing::Values("auto", "rollback", "replay"),
                         [](const auto& each) { return each.param; });

TEST_P(EveryPolicy, DiscardsACrashWhileStaging) {
  Host host;
  const std::vector<Call> staged = making(record(second_update()), ".staged");
  ASSERT_GE(staged.size(), 3U);
  crash(host, second_update(), staged[1]);
  EXPECT_EQ(host.json({"status"}, 10)["recover_would"], "discard");
  expect_recovery(host, {GetParam(), "1.0.0"});
}

TEST_P(EveryPolicy, DiscardsACrashWhileBackingUp) {
  Host host;
  const std::vector<Call> backups = making(record(second_update()), ".backup");
  ASSERT_GE(backups.size(), 3U);
  crash(host, second_update(), backups[1]);
  EXPECT_EQ(host.json({"status"}, 10)["recover_would"], "discard");
  expect_recovery(host, {GetParam(), "1.0.0"});
}

TEST_P(EveryPolicy, GoesBackWhenNothingWasSwappedAndNewBytesAreGone) {
  Host host;
  crash_in_swap(host, 0);
  for (const std::string& name : host.leftovers()) {
    if (contains(name, "gamma") && contains(name, ".staged")) {
      std::filesystem::remove(host.bin(name));
    }
  }
  expect_recovery(host, {GetParam(), "1.0.0"});
}

TEST_P(EveryPolicy, FinishesARollbackThatWasCutOff) {
  const Scenario failing = {[](Host& host) {
                              host.install("1.0.0");
                              host.doctor("test \"$installed\" != 2.0.0\n");
                            },
                            second_update().command};
  const std::vector<Call> renames = swaps(record(failing));
  ASSERT_EQ(renames.size(), 6U) << "three forward and three back";
  Host host;
  crash(host, failing, renames[4]);
  EXPECT_EQ(host.json({"status"}, 10)["recover_would"], "rollback");
  expect_recovery(host, {GetParam(), "1.0.0"});
}

class SwapCrash : public testing::TestWithParam<std::tuple<int, Row>> {};

TEST_P(SwapCrash, WithEveryNewFileStillThere) {
  Host host;
  crash_in_swap(host, static_cast<std::size_t>(std::get<0>(GetParam())));
  expect_recovery(host, std::get<1>(GetParam()));
}

INSTANTIATE_TEST_SUITE_P(Recovery, SwapCrash,
                         testing::Combine(testing::Values(0, 1, 2),
                                          testing::Values(Row{"", "2.0.0"}, Row{"auto", "2.0.0"},
                                                          Row{"rollback", "1.0.0"},
                                                          Row{"replay", "2.0.0"})),
                         [](const auto& each) {
                           const std::string& policy = std::get<1>(each.param).policy;
                           return (policy.empty() ? "default" : policy) + "After" +
                                  std::to_string(std::get<0>(each.param));
                         });

void lose_staged_gamma(Host& host) {
  crash_in_swap(host, 1);
  for (const std::string& name : host.leftovers()) {
    if (contains(name, "gamma") && contains(name, ".staged")) {
      std::filesystem::remove(host.bin(name));
    }
  }
}

TEST(Recovery, PutsOldBytesBackWhenTheSwapCannotBeReplayed) {
  for (const std::string policy : {"auto", "rollback"}) {
    Host host;
    lose_staged_gamma(host);
    expect_recovery(host, {policy, "1.0.0"});
  }
}

TEST(Recovery, AsksAPersonWhenReplayWasOrderedAndIsImpossible) {
  Host host;
  lose_staged_gamma(host);
  const auto before = host.snapshot("bin");
  Json answer = host.json({"recover", "--policy", "replay"}, 4);
  EXPECT_EQ(answer["recovered"]["phase"], "needs_operator");
  EXPECT_EQ(host.snapshot("bin"), before) << "nothing is overwritten";
}

struct HookCrash {
  std::string hook;
  Row row;
};

class CrashInHook : public testing::TestWithParam<HookCrash> {};

TEST_P(CrashInHook, IsJudgedByPolicy) {
  Host host;
  host.install("1.0.0");
  const std::string once = host.path("hooks/killed");
  const std::string body = "test \"$installed\" = 2.0.0 && test ! -e " + once + " && { : >" + once +
                           "; kill -KILL $PPID; exit 1; }\nexit 0\n";
  if (GetParam().hook == "doctor") {
    host.doctor(body);
  } else {
    host.restart(body);
  }
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}).signal, SIGKILL);
  ASSERT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.json({"status"}, 10)["unfinished"]["phase"], GetParam().hook);
  expect_recovery(host, GetParam().row);
}

INSTANTIATE_TEST_SUITE_P(Recovery, CrashInHook,
                         testing::Values(HookCrash{"restart", {"auto", "1.0.0"}},
                                         HookCrash{"restart", {"rollback", "1.0.0"}},
                                         HookCrash{"restart", {"replay", "2.0.0"}},
                                         HookCrash{"doctor", {"auto", "1.0.0"}},
                                         HookCrash{"doctor", {"rollback", "1.0.0"}},
                                         HookCrash{"doctor", {"replay", "2.0.0"}}),
                         [](const auto& each) { return each.param.hook + each.param.row.policy; });

TEST(Recovery, RollsBackAfterASecondCrashUnderReplay) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" = 2.0.0 && kill -KILL $PPID\nexit 0\n");
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}).signal, SIGKILL);
  ASSERT_EQ(host.run({"recover", "--policy", "replay"}).signal, SIGKILL);
  expect_recovery(host, {"replay", "1.0.0"});
}

TEST(Recovery, AtBootReplaysTheFilesAndLeavesTheDoctorForLater) {
  Host host;
  crash_in_swap(host, 1);
  const std::size_t runs = host.hook_log("doctor").size();
  Json boot = host.json({"recover", "--boot"});
  EXPECT_EQ(boot["recovered"]["phase"], "doctor");
  EXPECT_TRUE(boot["recovered"]["outcome"].is_null());
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.hook_log("doctor").size(), runs) << "the services are not up yet";
  EXPECT_EQ(host.json({"status"}, 10)["recover_would"], "verify");
  expect_recovery(host, {"", "2.0.0"});
  EXPECT_GT(host.hook_log("doctor").size(), runs);
}

TEST(Recovery, OfWhatBootLeftWaitingRollsBackWhenTheDoctorFails) {
  Host host;
  crash_in_swap(host, 1);
  host.doctor("test \"$installed\" != 2.0.0\n");
  host.json({"recover", "--boot"});
  expect_recovery(host, {"", "1.0.0"});
}

TEST(Recovery, OfWhatBootLeftWaitingGoesBackUnderPolicyRollback) {
  Host host;
  crash_in_swap(host, 1);
  host.json({"recover", "--boot"});
  expect_recovery(host, {"rollback", "1.0.0"});
}

TEST(Recovery, AtBootTwiceIsHarmless) {
  Host host;
  crash_in_swap(host, 2);
  host.json({"recover", "--boot"});
  EXPECT_EQ(host.run({"recover", "--boot"}).code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
  expect_recovery(host, {"", "2.0.0"});
}

TEST(Recovery, CollectsOrphansByTheirExactNameOnly) {
  Host host;
  host.install("1.0.0");
  write_file(host.bin(".alpha.0-0123abcd.tmp"), "an orphan");
  const std::vector<std::string> strangers = {".alpha.swp", ".alpha.7-xyz.staged", "alpha.staged",
                                              ".alpha.7-0123abcde.backup", ".other.7-0123abcd.tmp"};
  for (const std::string& name : strangers) {
    write_file(host.bin(name), "somebody's");
  }
  EXPECT_TRUE(host.json({"recover"})["recovered"].is_null());
  EXPECT_FALSE(present(host.bin(".alpha.0-0123abcd.tmp")));
  for (const std::string& name : strangers) {
    EXPECT_TRUE(present(host.bin(name))) << name;
  }
}

TEST(Recovery, DryRunSaysWhatItWouldDoAndDoesNothing) {
  Host host;
  crash_in_swap(host, 1);
  const auto before = host.snapshot("bin");
  host.run({"recover", "--dry-run"});
  EXPECT_EQ(host.snapshot("bin"), before);
  EXPECT_EQ(host.json({"status"}, 10)["recover_would"], "replay");
}

TEST(Recovery, IsDoneFirstByTheNextApply) {
  Host host;
  crash_in_swap(host, 1);
  Json answer = host.json({"apply", host.release("3.0.0")});
  EXPECT_EQ(answer["to_version"], "3.0.0");
  ASSERT_TRUE(answer.contains("recovered")) << answer.dump();
  EXPECT_FALSE(answer["recovered"].is_null());
  expect_settled(host, "3.0.0");
}

}  // namespace
}  // namespace update::scenario
