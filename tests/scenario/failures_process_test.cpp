// The rules of failures.md about locks, journals, hooks and clocks: F3, F4, F11, F12, F15, F16.
// F9 is in space_test.cpp.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

std::vector<std::string> set_aside(const Host& host) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator(host.path("state"))) {
    if (contains(entry.path().string(), "journal.db.broken-")) {
      found.push_back(entry.path());
    }
  }
  return found;
}

TEST(F3, EveryCommandNamesTheUnfinishedUpdateItsPhaseAndWhatResolvesIt) {
  Host host;
  crash_in_swap(host, 1);
  const std::string id = id_of(host.json({"status"}, 10)["unfinished"]);
  for (const Arguments& command : {Arguments{"status"},
                                   {"history"},
                                   {"verify"},
                                   {"apply", "--dry-run", host.release("3.0.0")},
                                   {"rollback", "--dry-run"}}) {
    const Ended ended = host.run(command);
    const std::string all = ended.out + ended.err;
    EXPECT_TRUE(contains(all, id)) << command[0] << ": " << all;
    EXPECT_TRUE(contains(all, "swap")) << command[0] << ": " << all;
    EXPECT_TRUE(contains(all, "banger-update recover")) << command[0] << ": " << all;
  }
}

TEST(F3, ApplyAfterACrashJustWorks) {
  for (const std::size_t swapped : {0U, 2U}) {
    Host host;
    crash_in_swap(host, swapped);
    EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 0);
    EXPECT_EQ(host.installed(), "2.0.0");
    EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  }
}

TEST(F3, EndByASignalSaysThatTheUpdateWasUndone) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  update.send(SIGTERM);
  const Ended ended = update.wait();
  EXPECT_EQ(ended.code, 143);
  EXPECT_TRUE(contains(ended.out + ended.err, "1.0.0") || contains(ended.err, "undone") ||
              contains(ended.err, "back"))
      << ended.out << ended.err;
}

TEST(F4, GarbageInTheLockFileStopsNobody) {
  Host host;
  host.install("1.0.0");
  write_file(host.path("state/lock"), std::string(5000, '\xff') + "\0pid 1\n", 0600);
  host.install("2.0.0");
}

TEST(F4, LockOfADeadProcessStopsNobody) {
  Host host;
  crash_in_swap(host, 1);
  EXPECT_EQ(host.run({"recover"}).code, 0);
}

TEST(F4, ProcessThatAHookLeavesBehindDoesNotHoldTheLock) {
  Host host;
  const std::string pid_file = host.path("hooks/daemon.pid");
  host.restart("sleep 60 >/dev/null 2>&1 & echo $! >" + pid_file + "\nexit 0\n");
  host.install("1.0.0");
  host.restart("exit 0\n");
  host.install("2.0.0");
  kill(static_cast<pid_t>(std::stol(read_file(pid_file))), SIGKILL);
}

TEST(F4, StatusAndHistoryDoNotWaitForARunningUpdate) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  Json status = host.json({"status"}, 10);
  EXPECT_EQ(status["unfinished"]["phase"], "doctor");
  EXPECT_EQ(status["unfinished"]["to_version"], "2.0.0");
  EXPECT_EQ(host.json({"history"}).size(), 2U);
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  host.run({"verify"});
  host.let_doctor_go();
  EXPECT_EQ(update.wait().code, 0);
}

TEST(F11, JournalThatCannotBeReadIsSetAsideAndNeverDeleted) {
  Host host;
  host.install("1.0.0");
  const std::string garbage(20000, '\x5a');
  write_file(host.path("state/journal.db"), garbage, 0600);
  ASSERT_EQ(host.run({"recover"}).code, 0);
  const std::vector<std::string> broken = set_aside(host);
  ASSERT_FALSE(broken.empty());
  bool kept = false;
  for (const std::string& path : broken) {
    kept = kept || read_file(path) == garbage;
  }
  EXPECT_TRUE(kept);
  EXPECT_EQ(host.installed(), "1.0.0");
  host.install("2.0.0");
}

TEST(F11, CannotReadIsNeverToldAsNoUpdates) {
  Host host;
  host.install("1.0.0");
  write_file(host.path("state/journal.db"), std::string(20000, '\x5a'), 0600);
  for (const Arguments& command : {Arguments{"status"}, {"history"}, {"history", "verify"}}) {
    EXPECT_NE(host.run(command).code, 0) << testing::PrintToString(command);
  }
  EXPECT_TRUE(set_aside(host).empty()) << "who only reads changes nothing";
}

TEST(F11, DatabaseOfAnotherApplicationIsNeverTouched) {
  NEEDS_TOOL("sqlite3");
  Host host;
  std::filesystem::create_directory(host.path("state"));
  chmod(host.path("state").c_str(), 0700);
  const std::string journal = host.path("state/journal.db");
  ASSERT_EQ(run_process({"sqlite3", journal, "PRAGMA application_id=77; CREATE TABLE t(x);"}).code,
            0);
  chmod(journal.c_str(), 0600);
  const std::string before = read_file(journal);
  EXPECT_EQ(host.run({"apply", host.release("1.0.0")}).code, 1);
  EXPECT_EQ(read_file(journal), before);
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(F12, ExitCodeHistoryAndDiskSayTheSame) {
  Host host;
  host.install("1.0.0");
  host.restart("test \"$installed\" != 2.0.0\n");
  Json undone = host.json({"apply", host.release("2.0.0")}, 3);
  EXPECT_EQ(undone["outcome"], "rolled_back");
  EXPECT_EQ(host.json({"history", "show", id_of(undone)})["outcome"], "rolled_back");
  EXPECT_EQ(host.json({"status"})["installed_version"], "1.0.0");
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(F12, TroubleWhileCleaningUpDoesNotChangeTheOutcome) {
  Host host;
  host.install("1.0.0");
  // A folder in the place of alpha.previous: the backup cannot be renamed over it.
  std::filesystem::remove(host.bin("alpha.previous"));
  write_file(host.bin("alpha.previous/inside"), "x");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  if (ended.code == 0) {
    EXPECT_EQ(host.installed(), "2.0.0");
    EXPECT_EQ(host.json({"history"})[0]["outcome"], "committed");
  } else {
    EXPECT_EQ(ended.code, 1) << ended.err;
    EXPECT_EQ(host.installed(), "1.0.0");
  }
  EXPECT_TRUE(present(host.bin("alpha.previous/inside")));
}

TEST(F15, HooksGetACleanEnvironmentAndNoShell) {
  Host host;
  host.install("1.0.0");
  host.doctor("env >$hooks/seen\nls -l /proc/$$/fd >$hooks/open\nexit 0\n");
  const Ended ended = host.run({"apply", host.release("2.0.0")},
                               {{{"SECRET", "x"}, {"LD_LIBRARY_PATH", "/nowhere"}, {"IFS", "u"}}});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const std::string seen = read_file(host.path("hooks/seen"));
  EXPECT_FALSE(contains(seen, "SECRET")) << seen;
  EXPECT_FALSE(contains(seen, "LD_LIBRARY_PATH")) << seen;
  EXPECT_TRUE(contains(seen, "PATH=")) << seen;
  EXPECT_TRUE(contains(seen, "LANG=")) << seen;
  EXPECT_TRUE(contains(seen, "BANGER_UPDATE_TRANSACTION=2")) << seen;
  EXPECT_TRUE(contains(seen, "BANGER_UPDATE_PHASE=doctor")) << seen;
  EXPECT_TRUE(contains(seen, "BANGER_UPDATE_FROM=1.0.0")) << seen;
  EXPECT_TRUE(contains(seen, "BANGER_UPDATE_TO=2.0.0")) << seen;
  EXPECT_FALSE(contains(read_file(host.path("hooks/open")), "/state/"))
      << "nothing of the journal or the lock is open in a hook";
}

TEST(F15, ArgumentsOfAHookAreNotInterpreted) {
  Host host;
  host.configure([&](Settings& s) {
    s.doctor_command = {"/bin/sh", "-c", "printf %s \"$1\" >" + host.path("hooks/seen"), "sh",
                        "$(id) ; `id` *"};
  });
  host.install("1.0.0");
  EXPECT_EQ(read_file(host.path("hooks/seen")), "$(id) ; `id` *");
}

// A library that moves the wall clock by a day once a file exists.
std::string clock_shim(const Host& host) {
  write_file(host.path("clock.c"),
             "#define _GNU_SOURCE\n#include <time.h>\n#include <unistd.h>\n#include <stdlib.h>\n"
             "#include <sys/syscall.h>\n"
             "int clock_gettime(clockid_t id, struct timespec *t) {\n"
             "  int result = (int)syscall(SYS_clock_gettime, id, t);\n"
             "  const char *file = getenv(\"STEP_FILE\");\n"
             "  if (id == CLOCK_REALTIME && file && access(file, F_OK) == 0)\n"
             "    t->tv_sec += atol(getenv(\"STEP\"));\n"
             "  return result;\n}\n");
  const Ended built =
      run_process({"cc", "-shared", "-fPIC", "-o", host.path("clock.so"), host.path("clock.c")});
  return built.code == 0 ? host.path("clock.so") : "";
}

Launch with_step(const Host& host, const std::string& shim, const std::string& seconds) {
  return {{{"LD_PRELOAD", shim},
           {"ASAN_OPTIONS", "verify_asan_link_order=0"},
           {"STEP_FILE", host.path("hooks/step")},
           {"STEP", seconds}}};
}

TEST(F16, SteppedWallClockNeitherEndsNorStretchesATimeout) {
  NEEDS_TOOL("cc");
  for (const std::string step : {"86400", "-86400"}) {
    Host host;
    const std::string shim = clock_shim(host);
    ASSERT_FALSE(shim.empty());
    host.configure([](Settings& s) { s.passes = 2; });
    host.doctor(": >$hooks/step\nexit 0\n");
    const Ended ended =
        host.run({"--output", "json", "apply", host.release("1.0.0")}, with_step(host, shim, step));
    ASSERT_EQ(ended.code, 0) << ended.err;
    Json duration = ended.json()["duration_ms"];
    EXPECT_GE(duration.get<std::int64_t>(), 0) << step;
    EXPECT_LT(duration.get<std::int64_t>(), 60000) << step;
  }
}

TEST(F16, OrderComesFromTheSequenceAndNotFromTheWallClock) {
  NEEDS_TOOL("cc");
  Host host;
  const std::string shim = clock_shim(host);
  ASSERT_FALSE(shim.empty());
  host.install("1.0.0");
  write_file(host.path("hooks/step"), "");
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}, with_step(host, shim, "-31536000")).code, 0);
  Json history = host.json({"history"});
  ASSERT_EQ(history.size(), 2U);
  EXPECT_EQ(history[0]["to_version"], "2.0.0");
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

}  // namespace
}  // namespace update::scenario
