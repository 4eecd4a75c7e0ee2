#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <functional>
#include <iostream>
#include <memory>
#include <tuple>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::Launch;
using scenario::Process;
using scenario::read_file;
using scenario::write_file;

const std::vector<std::string> kBoth = {"alpha.service", "beta.service"};
constexpr const char* kMoves = "moving to the unit banger-update-";

bool start(ServiceHost& host) {
  host.daemon("alpha");
  host.daemon("beta");
  return host.start();
}

/// A program that runs in the box as if a person had started it after a login.
Arguments in_session(const Arguments& command) {
  Arguments words = {"systemd-run", "-q", "--scope", "--slice=user-1000.slice",
                     "--unit=session-9.scope"};
  words.insert(words.end(), command.begin(), command.end());
  return words;
}

Launch in(const Box& box) {
  Launch launch;
  launch.prefix = box.enter();
  return launch;
}

bool within(std::chrono::seconds limit, const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    scenario::pause_briefly();
  }
  return true;
}

bool finished(const ServiceHost& host) {
  return host.run({"status"}).code == 0;
}

// The process that holds the lock: the updater itself, wherever it has moved.
std::string updater(const ServiceHost& host) {
  return host.box().shell(
      "for pid in $(pgrep -x banger-update); do "
      "ls -l /proc/$pid/fd 2>/dev/null | grep -q /var/lib/banger/update/lock && echo $pid; done; "
      "true");
}

std::string outcome(const ServiceHost& host) {
  Json history = host.json({"history", "-n", "1"});
  return history.is_array() && !history.empty() ? history[0]["outcome"].dump() : "none";
}

// F6. Without care, systemd would end the updater with the unit that it restarts.
TEST(OwnRestartTest, AnUpdateFromInsideAUnitThatItRestartsGoesOn) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  write_file(host.box().outside("/opt/demo/agent"),
             "#!/bin/sh\nuntil test -e /run/update; do sleep 0.02; done\nrm /run/update\n"
             "banger-update apply /var/tmp/releases/2.0.0 >/var/log/agent.log 2>&1\n"
             "echo ended with $? >>/var/log/agent.log\n",
             0755);
  host.box().unit("agent.service", "[Service]\nExecStart=/opt/demo/agent\n");
  host.box().enable("agent.service");
  host.configure([](ServiceSettings& settings) { settings.units.push_back("agent.service"); });
  ASSERT_TRUE(start(host));
  const std::string release = host.release("2.0.0");
  const pid_t agent = host.box().main_pid("agent.service");
  host.box().shell("touch /run/update");
  EXPECT_TRUE(within(std::chrono::seconds(20), [&] {
    return host.installed() == "2.0.0" && finished(host);
  })) << read_file(host.box().outside("/var/log/agent.log"));
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(outcome(host), "\"committed\"");
  EXPECT_EQ(host.box().state("agent.service"), "active");
  EXPECT_NE(host.box().main_pid("agent.service"), agent);
  EXPECT_TRUE(contains(read_file(host.box().outside("/var/log/agent.log")), kMoves));
}

TEST(OwnRestartTest, AnUpdateThatADaemonStartedAsItsChildGoesOn) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const std::string release = host.release("2.0.0");
  Process child({"sh", "-c",
                 "echo $$ >/sys/fs/cgroup/system.slice/alpha.service/cgroup.procs && "
                 "exec banger-update apply " +
                     release},
                in(host.box()));
  const Ended ended = child.wait();
  EXPECT_TRUE(ended.signal != 0 || ended.code != 0) << "what stays behind ends with the unit";
  EXPECT_TRUE(contains(ended.err, kMoves)) << ended.err;
  EXPECT_TRUE(within(std::chrono::seconds(20), [&] { return finished(host); }));
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
}

TEST(OwnRestartTest, FromASessionItsOutputAndItsExitCodeComeBack) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Ended good = host.box().run(in_session(host.command({"apply", host.release("2.0.0")})));
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_TRUE(contains(good.out, "installed 2.0.0")) << good.out;
  EXPECT_TRUE(contains(good.err, kMoves)) << good.err;
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));

  host.doctor("test \"$(tail -n 1 /opt/demo/bin/alpha)\" != '#3.0.0 sound'");
  const Ended sick = host.box().run(
      in_session(host.command({"--output", "json", "apply", host.release("3.0.0")})));
  EXPECT_EQ(sick.code, 3) << sick.out << sick.err;
  Json transaction = sick.json();
  EXPECT_EQ(transaction["outcome"], "rolled_back");
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
}

TEST(OwnRestartTest, FromAShellOutsideOfAllUnitsItStaysWhereItIs) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_FALSE(contains(ended.err, "moving")) << ended.err;
  // Nor from a unit of its own that the update does not touch.
  const Ended unit = host.box().run({"systemd-run", "-q", "--pipe", "--wait", "--collect",
                                     "banger-update", "apply", host.release("3.0.0")});
  EXPECT_EQ(unit.code, 0) << unit.out << unit.err;
  EXPECT_FALSE(contains(unit.err, "moving")) << unit.err;
  EXPECT_TRUE(host.at_rest("3.0.0", kBoth));
}

// systemd-run needs D-Bus to wait for a unit; all else of an update does without.
TEST(OwnRestartTest, WithoutDBusAShellUpdatesAndASessionChangesNothingByHalves) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.box().mask("dbus.socket");
  host.box().mask("dbus.service");
  ASSERT_TRUE(start(host));
  const Ended shell = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(shell.code, 0) << shell.out << shell.err;
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  const Ended session = host.box().run(in_session(host.command({"apply", host.release("3.0.0")})));
  EXPECT_FALSE(session.code != 0 && session.err.empty());
  EXPECT_TRUE(host.at_rest(session.code == 0 ? "3.0.0" : "2.0.0", kBoth)) << session.err;
  std::cout << "without D-Bus a session ends with " << session.code << ": " << session.err;
}

TEST(OwnRestartTest, AnInterruptInASessionEndsTheUpdateInOrder) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.hold_doctor("2.0.0");
  Process update(in_session(host.command({"apply", host.release("2.0.0")})), in(host.box()));
  ASSERT_TRUE(host.doctor_waits());
  update.send(SIGINT);
  const Ended ended = update.wait();
  EXPECT_TRUE(ended.code == 130 || ended.signal == SIGINT) << ended.code << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
  EXPECT_EQ(outcome(host), "\"rolled_back\"");
}

// The connection breaks, the person logs out: what has moved goes on.
class SessionEndTest : public testing::TestWithParam<int> {};

TEST_P(SessionEndTest, StopsNothing) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.hold_doctor("2.0.0");
  Process update(in_session(host.command({"apply", host.release("2.0.0")})), in(host.box()));
  ASSERT_TRUE(host.doctor_waits());
  if (GetParam() == 0) {
    host.box().shell("systemctl stop session-9.scope");
  } else {
    update.send(GetParam());
  }
  if (GetParam() != SIGHUP) {
    EXPECT_TRUE(scenario::eventually([&] { return !update.running(); }));
  }
  EXPECT_EQ(host.run({"status"}).code, 10) << "the update is over already";
  host.let_doctor_go();
  EXPECT_TRUE(within(std::chrono::seconds(20), [&] { return finished(host); }));
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(outcome(host), "\"committed\"");
}

std::string session_end_name(const testing::TestParamInfo<int>& info) {
  return info.param == 0 ? "OfTheScope" : info.param == SIGTERM ? "BySIGTERM" : "BySIGHUP";
}
INSTANTIATE_TEST_SUITE_P(Session, SessionEndTest, testing::Values(0, SIGTERM, SIGHUP),
                         session_end_name);

/// A host whose updater is stopped by `signal` in the middle: while the doctor looks, or while
/// the first unit starts.
struct Stopped {
  std::string name;
  int signal = 0;
  bool in_start = false;
  ServiceHost host = {};
  std::unique_ptr<Process> update = {};
};

void stop_in_the_middle(Stopped& stopped) {
  ServiceHost& host = stopped.host;
  host.configure([](ServiceSettings& settings) {
    settings.timeout = "2s";
    settings.doctor_timeout = "2s";
    settings.soak = "0s";
  });
  host.daemon("alpha",
              "ExecStartPre=/bin/sh -c 'test -e /run/hold-start || exit 0; rm /run/hold-start; "
              "touch /run/waits; sleep 60'");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  host.hold_doctor("2.0.0");
  if (stopped.in_start) host.box().shell("touch /run/hold-start");
  stopped.update =
      std::make_unique<Process>(host.command({"apply", host.release("2.0.0")}), in(host.box()));
  ASSERT_TRUE(host.doctor_waits());
  const std::string pid = updater(host);
  ASSERT_FALSE(pid.empty()) << "no process holds the lock";
  host.box().shell("kill -" + std::to_string(stopped.signal) + " " + pid);
  ASSERT_EQ(host.run({"status"}).code, 10);
  ASSERT_TRUE(contains(host.box().shell("systemctl list-timers --all --no-legend"),
                       "banger-update-expired-"))
      << "no timer is armed";
}

// The dead-man's switch: the update neither ends nor is ended, and the host is on one version in
// its time all the same.
TEST(OwnRestartTest, AnUpdaterThatIsKilledOrFrozenIsReplacedInTime) {
  NEEDS_SYSTEMD();
  // All at once, since it is mostly waiting.
  std::vector<std::unique_ptr<Stopped>> all;
  for (const auto& [name, signal, in_start] : {std::tuple{"killed in the doctor", SIGKILL, false},
                                               {"frozen in the doctor", SIGSTOP, false},
                                               {"killed in a restart", SIGKILL, true}}) {
    SCOPED_TRACE(name);
    all.push_back(std::make_unique<Stopped>(name, signal, in_start));
    ASSERT_NO_FATAL_FAILURE(stop_in_the_middle(*all.back()));
  }
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& stopped : all) {
    SCOPED_TRACE(stopped->name);
    const ServiceHost& host = stopped->host;
    EXPECT_TRUE(within(std::chrono::seconds(60), [&] { return finished(host); }))
        << host.run({"status"}).out;
    std::cout << stopped->name << ": resolved after "
              << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
              << " s\n";
    // The service that resolved it may still be ending.
    EXPECT_TRUE(scenario::eventually([&] { return host.leftovers().empty(); }));
    EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
    EXPECT_EQ(outcome(host), "\"rolled_back\"");
    EXPECT_EQ(stopped->update->wait().signal, SIGKILL);
  }
}

TEST(OwnRestartTest, TheTimerIsArmedBeforeTheFirstRestartAndGoneAfterTheUpdate) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  host.daemon("alpha",
              "ExecStartPre=/bin/sh -c 'systemctl list-timers --all --no-legend "
              ">>/var/log/timers'");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  const std::string log = box.outside("/var/log/timers");
  ASSERT_FALSE(contains(read_file(log), "banger-update-expired-"));
  EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 0);
  EXPECT_TRUE(contains(read_file(log), "banger-update-expired-")) << read_file(log);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  host.doctor("exit 1");
  EXPECT_EQ(host.run({"apply", host.release("3.0.0")}).code, 3);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_FALSE(contains(box.shell("systemctl list-timers --all"), "banger"));
}

}  // namespace
}  // namespace update::systemd
