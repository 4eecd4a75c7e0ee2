// The health check and the restart: what they may do to an update, and what they may not.

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {

// Whether the process still does something; a zombie that nobody has fetched does not.
bool alive(const std::string& pid) {
  const std::string state = after_marker(read_file("/proc/" + pid + "/stat"), ") ");
  return !state.empty() && state[0] != 'Z';
}

std::string first_word(const std::string& text) {
  return text.substr(0, text.find_first_of(" \n"));
}

void expect_undone(Host& host) {
  Json answer = host.json({"apply", host.release("2.0.0")}, 3);
  EXPECT_EQ(answer["outcome"], "rolled_back");
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
}

TEST(Doctor, ThatDoesNotExistUndoesTheUpdateAtOnce) {
  Host host;
  host.install("1.0.0");
  host.configure([&](Settings& s) {
    s.doctor_command = {host.path("no-such-doctor")};
    s.attempts = 100;
    s.interval = "10s";
  });
  expect_undone(host);
}

TEST(Doctor, ThatIsNotExecutableUndoesTheUpdate) {
  Host host;
  host.install("1.0.0");
  write_file(host.path("plain"), "text", 0644);
  host.configure([&](Settings& s) { s.doctor_command = {host.path("plain")}; });
  expect_undone(host);
}

TEST(Doctor, ThatHangsIsEndedAndUndoesTheUpdate) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) { s.doctor_timeout = "200ms"; });
  host.doctor("test \"$installed\" = 2.0.0 || exit 0\necho $$ >$hooks/pid\nexec sleep 600\n");
  expect_undone(host);
  EXPECT_FALSE(alive(first_word(read_file(host.path("hooks/pid")))));
}

TEST(Doctor, ThatIgnoresTheTermSignalIsEndedAllTheSame) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) { s.doctor_timeout = "200ms"; });
  host.doctor(
      "test \"$installed\" = 2.0.0 || exit 0\ntrap '' TERM INT HUP\n"
      "while :; do sleep 1; done\n");
  expect_undone(host);
}

TEST(Doctor, ThatForksAndHangsTakesItsWholeProcessGroupWithIt) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) { s.doctor_timeout = "200ms"; });
  host.doctor("test \"$installed\" = 2.0.0 || exit 0\nsleep 600 &\necho $! >$hooks/pid\nwait\n");
  expect_undone(host);
  const std::string pid = first_word(read_file(host.path("hooks/pid")));
  EXPECT_TRUE(eventually([&] { return !alive(pid); }));
}

TEST(Doctor, ThatPassesAndLeavesAChildBehindOnItsOutputDoesNotHoldTheUpdate) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" = 2.0.0 || exit 0\nsleep 600 &\necho $! >$hooks/pid\nexit 0\n");
  Process update(host.command({"apply", host.release("2.0.0")}));
  const Ended ended = update.wait(std::chrono::seconds(15));
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(host.installed(), "2.0.0");
  const std::string pid = first_word(read_file(host.path("hooks/pid")));
  if (alive(pid)) {
    kill(static_cast<pid_t>(std::stol(pid)), SIGKILL);
  }
}

TEST(Doctor, ThatPrintsAGigabyteFillsNothing) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" = 2.0.0 || exit 0\nhead -c 1000000000 /dev/zero\nexit 0\n");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.err.substr(0, 1000);
  std::uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(host.path("state"))) {
    bytes += entry.is_regular_file() ? entry.file_size() : 0;
  }
  EXPECT_LT(bytes, std::uintmax_t{16} << 20U);
  EXPECT_LT(host.run({"history", "show", "2"}).out.size(), std::size_t{1} << 20U);
}

TEST(Doctor, ThatPrintsControlCharactersCannotDriveTheTerminal) {
  Host host;
  host.install("1.0.0");
  host.doctor(
      "printf '\\033[2J\\033]0;owned\\007 \\302\\233 \\342\\200\\256 \\377 marker\\n'\n"
      "test \"$installed\" != 2.0.0\n");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 3);
  const Ended shown = host.run({"history", "show", "2"});
  EXPECT_TRUE(contains(shown.out, "marker")) << shown.out;
  for (const std::string& text : {ended.out, ended.err, shown.out, shown.err}) {
    for (const char* raw : {"\033", "\007", "\302\233", "\342\200\256", "\377"}) {
      EXPECT_FALSE(contains(text, raw)) << text;
    }
  }
  EXPECT_TRUE(host.json({"history", "show", "2"}).is_object());
}

TEST(Doctor, ThatDiesOfASignalUndoesTheUpdate) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" = 2.0.0 && kill -SEGV $$\nexit 0\n");
  expect_undone(host);
}

TEST(Doctor, IsTriedUntilItsFirstPassAndThenHasToPassInARow) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) {
    s.attempts = 3;
    s.passes = 2;
  });
  host.doctor(
      "test \"$installed\" = 2.0.0 || exit 0\necho x >>$hooks/seen\n"
      "test $(grep -c . $hooks/seen) -ge 3\n");
  host.install("2.0.0");
  EXPECT_EQ(read_file(host.path("hooks/seen")), "x\nx\nx\nx\n") << "two failures, two passes";
}

TEST(Doctor, FailureAfterTheFirstPassIsFinal) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) {
    s.attempts = 5;
    s.passes = 2;
  });
  host.doctor(
      "test \"$installed\" = 2.0.0 || exit 0\necho x >>$hooks/seen\n"
      "test $(grep -c . $hooks/seen) -ne 2\n");
  expect_undone(host);
  EXPECT_EQ(read_file(host.path("hooks/seen")), "x\nx\n");
}

TEST(Doctor, RollsBackEvenIfTheBaselineFailedToo) {
  Host host;
  host.install("1.0.0");
  host.doctor("exit 1\n");
  expect_undone(host);
}

TEST(Doctor, MayFailAfterwardsWhereTheBaselineExcusesIt) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) { s.baseline = "excuse"; });
  host.doctor("exit 1\n");
  EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 0);
  host.doctor("test \"$installed\" != 3.0.0\n");
  EXPECT_EQ(host.run({"apply", host.release("3.0.0")}).code, 3) << "it passed before";
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(Doctor, ThatFailsBeforeIsARefusalWhereTheBaselineIsRequired) {
  Host host;
  host.install("1.0.0");
  host.configure([](Settings& s) { s.baseline = "require"; });
  host.doctor("exit 1\n");
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 6);
  EXPECT_EQ(host.snapshot("bin"), before);
}

TEST(Doctor, IsLeftOutOnRequestAndTheServicesAreRestartedAllTheSame) {
  Host host;
  host.doctor("exit 1\n");
  EXPECT_EQ(host.run({"apply", "--no-doctor", host.release("1.0.0")}).code, 0);
  EXPECT_EQ(host.hook_log("restart").size(), 1U);
}

TEST(Restart, IsLeftOutOnRequestAndTheDoctorRunsAllTheSame) {
  Host host;
  EXPECT_EQ(host.run({"apply", "--no-restart", host.release("1.0.0")}).code, 0);
  EXPECT_TRUE(host.hook_log("restart").empty());
  EXPECT_FALSE(host.hook_log("doctor").empty());
}

TEST(Restart, ThatFailsUndoesTheUpdateAndRestartsWhatRanBefore) {
  Host host;
  host.install("1.0.0");
  const std::size_t before = host.hook_log("restart").size();
  host.restart("test \"$installed\" != 2.0.0\n");
  expect_undone(host);
  EXPECT_EQ(host.hook_log("restart").size(), before + 2) << "once forward, once back";
}

TEST(Restart, ThatFailsForTheOldVersionTooNeedsAPerson) {
  Host host;
  host.install("1.0.0");
  host.restart("exit 1\n");
  EXPECT_EQ(host.json({"apply", host.release("2.0.0")}, 4)["outcome"], "needs_operator");
  EXPECT_EQ(host.installed(), "1.0.0");
}

}  // namespace
}  // namespace update::scenario
