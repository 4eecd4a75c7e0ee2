// One test for each row of the table in cli.md: the code tells the state of the host.

#include <gtest/gtest.h>
#include <signal.h>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

void expect_error(const Json& document, int code) {
  ASSERT_TRUE(document.contains("error")) << document.dump();
  Json error = document["error"];
  EXPECT_EQ(error["code"], code) << document.dump();
  EXPECT_TRUE(error["name"].is_string()) << document.dump();
  EXPECT_TRUE(error["message"].is_string()) << document.dump();
  EXPECT_TRUE(error.contains("hint")) << document.dump();
}

TEST(ExitCode, IsZeroOnceCommittedAndAgainWhenAlreadyInstalled) {
  Host host;
  const std::string release = host.release("1.0.0");
  EXPECT_EQ(host.json({"apply", release})["outcome"], "committed");
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_EQ(host.run({"apply", release}).code, 0);
  EXPECT_EQ(host.json({"history"}).size(), 1U) << "an unchanged host needs no second transaction";
}

TEST(ExitCode, IsZeroForRecoverWithNothingToDo) {
  Host host;
  Json answer = host.json({"recover"});
  EXPECT_TRUE(answer["recovered"].is_null());
  EXPECT_FALSE(present(host.path("state"))) << "without a state folder nothing is created";
}

TEST(ExitCode, IsOneWhenADestinationIsNoFile) {
  Host host;
  std::filesystem::remove(host.bin("beta"));
  std::filesystem::create_directory(host.bin("beta"));
  Json answer = host.json({"apply", host.release("1.0.0")}, 1);
  expect_error(answer, 1);
  ASSERT_TRUE(answer.contains("transaction")) << answer.dump();
  EXPECT_TRUE(answer["transaction"].is_null()) << "none had begun";
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "0.9.0"));
}

TEST(ExitCode, IsTwoForAWrongCommandLine) {
  Host host;
  for (const Arguments& wrong : {Arguments{},
                                 {"aply"},
                                 {"apply"},
                                 {"apply", "a", "b"},
                                 {"apply", "--nonsense", "a"},
                                 {"status", "--output", "yaml"},
                                 {"history", "show"},
                                 {"history", "-n", "many"},
                                 {"rollback", "--to"},
                                 {"rollback", "--to", "x"},
                                 {"recover", "--policy", "never"}}) {
    const Ended ended = host.run(wrong);
    EXPECT_EQ(ended.code, 2) << testing::PrintToString(wrong) << ended.out << ended.err;
    EXPECT_FALSE(ended.err.empty()) << testing::PrintToString(wrong);
  }
  EXPECT_FALSE(present(host.path("state")));
}

TEST(ExitCode, IsTwoForAWrongConfiguration) {
  Host host;
  write_file(host.path("update.toml"), "product = ");
  expect_error(host.json({"status"}, 2), 2);
}

TEST(ExitCode, IsThreeWhenTheUpdateWasUndone) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" != 2.0.0\n");
  Json answer = host.json({"apply", host.release("2.0.0")}, 3);
  EXPECT_EQ(answer["outcome"], "rolled_back");
  EXPECT_FALSE(answer["error"].is_null());
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
}

TEST(ExitCode, IsFourWhenAPersonIsNeeded) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" = 2.0.0 || exit 0\necho mine >$bin/beta\nexit 1\n");
  const std::string release = host.release("2.0.0");
  EXPECT_EQ(host.json({"apply", release}, 4)["outcome"], "needs_operator");
  EXPECT_EQ(read_file(host.bin("beta")), "mine\n");
  EXPECT_EQ(host.run({"status"}).code, 4);
  EXPECT_EQ(host.run({"apply", release}).code, 4) << "it stands in the way";
}

TEST(ExitCode, IsFiveWhileAnotherUpdateRuns) {
  Host host;
  host.hold_doctor("2.0.0");
  Process first(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  Json answer = host.json({"apply", host.release("3.0.0")}, 5);
  expect_error(answer, 5);
  const std::string message = answer["error"]["message"];
  EXPECT_TRUE(contains(message, std::to_string(first.pid()))) << message;
  host.let_doctor_go();
  EXPECT_EQ(first.wait().code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(ExitCode, IsSixForADowngrade) {
  Host host;
  host.install("2.0.0");
  const std::string older = host.release("1.0.0");
  expect_error(host.json({"apply", older}, 6), 6);
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(host.run({"apply", "--allow-downgrade", older}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(ExitCode, IsSevenForADamagedRelease) {
  Host host;
  const std::string release = host.release("1.0.0");
  write_file(release + "/beta", "something else", 0755);
  expect_error(host.json({"apply", release}, 7), 7);
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(ExitCode, IsNineForAnUnknownUpdate) {
  Host host;
  expect_error(host.json({"rollback"}, 9), 9);
  host.install("1.0.0");
  expect_error(host.json({"history", "show", "999"}, 9), 9);
  expect_error(host.json({"rollback", "--to", "999"}, 9), 9);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(ExitCode, IsTenFromStatusWhileAnUpdateIsUnfinished) {
  Host host;
  crash_in_swap(host, 1);
  Json status = host.json({"status"}, 10);
  EXPECT_EQ(status["unfinished"]["phase"], "swap") << status.dump();
  EXPECT_TRUE(status["unfinished"]["outcome"].is_null());
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.run({"status"}).code, 0);
}

struct Interrupt {
  int signal;
  int code;
};

class Interrupted : public testing::TestWithParam<Interrupt> {};

TEST_P(Interrupted, UpdateIsUndoneInOrder) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  update.send(GetParam().signal);
  const Ended ended = update.wait();
  EXPECT_EQ(ended.signal, 0) << "it ends by exit, not by the signal";
  EXPECT_EQ(ended.code, GetParam().code) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  EXPECT_EQ(host.json({"history"})[0]["outcome"], "rolled_back");
}

INSTANTIATE_TEST_SUITE_P(ExitCode, Interrupted,
                         testing::Values(Interrupt{SIGINT, 130}, Interrupt{SIGTERM, 143}),
                         [](const auto& each) { return "Is" + std::to_string(each.param.code); });

}  // namespace
}  // namespace update::scenario
