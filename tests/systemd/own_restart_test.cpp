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

/// A program that runs in the box as if a person had started it, by `prefix`, after a login.
Arguments in_session(const Arguments& command, const Arguments& prefix = {}) {
  Arguments words = {"systemd-run", "-q", "--scope", "--slice=user-1000.slice",
                     "--unit=session-9.scope"};
  words.insert(words.end(), prefix.begin(), prefix.end());
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

/// A service that applies `release` once it is told to, and logs what that said and its end.
void agent(const ServiceHost& host, const std::string& prepare, const std::string& release,
           const std::string& unit) {
  write_file(host.box().outside("/opt/demo/agent"),
             "#!/bin/sh\nuntil test -e /run/update; do sleep 0.02; done\nrm /run/update\n" +
                 prepare + "\nbanger-update apply " + release +
                 " >/var/log/agent.log 2>&1\necho ended with $? >>/var/log/agent.log\nsleep 1000\n",
             0755);
  host.box().unit("agent.service", unit + "ExecStart=/opt/demo/agent\n");
  host.box().enable("agent.service");
}

std::string agent_log(const ServiceHost& host) {
  return read_file(host.box().outside("/var/log/agent.log"));
}

// F6. Without care, systemd would end the updater with the unit that it restarts.
TEST(OwnRestartTest, AnUpdateFromInsideAUnitThatItRestartsGoesOn) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  agent(host, "", "/var/tmp/releases/2.0.0", "[Service]\n");
  host.configure([](ServiceSettings& settings) { settings.units.push_back("agent.service"); });
  ASSERT_TRUE(start(host));
  ASSERT_FALSE(host.release("2.0.0").empty());
  const pid_t before = host.box().main_pid("agent.service");
  host.box().shell("touch /run/update");
  EXPECT_TRUE(within(std::chrono::seconds(20), [&] {
    return host.installed() == "2.0.0" && finished(host);
  })) << agent_log(host);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(outcome(host), "\"committed\"");
  EXPECT_EQ(host.box().state("agent.service"), "active");
  EXPECT_NE(host.box().main_pid("agent.service"), before);
  EXPECT_TRUE(contains(agent_log(host), kMoves));
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
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
}

// F6. The configuration does not name it, and systemd restarts it with what it is part of.
TEST(OwnRestartTest, AnUpdateFromAServiceThatIsRestartedWithAnotherGoesOn) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  agent(host, "", "/var/tmp/releases/2.0.0", "[Unit]\nPartOf=alpha.service\n[Service]\n");
  ASSERT_TRUE(start(host));
  ASSERT_FALSE(host.release("2.0.0").empty());
  const pid_t before = host.box().main_pid("agent.service");
  host.box().shell("touch /run/update");
  EXPECT_TRUE(within(std::chrono::seconds(30), [&] {
    return host.installed() == "2.0.0" && finished(host);
  })) << agent_log(host);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(outcome(host), "\"committed\"");
  EXPECT_NE(host.box().main_pid("agent.service"), before) << "it is not restarted with alpha";
}

// A job runner, say.
TEST(OwnRestartTest, FromAServiceItsOutputAndItsExitCodeComeBack) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Arguments runner = {"systemd-run", "-q", "--pipe", "--wait", "--collect"};
  const auto in_service = [&](const Arguments& command) {
    Arguments words = runner;
    words.insert(words.end(), command.begin(), command.end());
    return host.box().run(words);
  };
  const Ended good = in_service(host.command({"apply", host.release("2.0.0")}));
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_TRUE(contains(good.out, "installed 2.0.0")) << good.out;
  EXPECT_TRUE(contains(good.err, kMoves)) << good.err;
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  const Ended failed =
      in_service(host.command({"--output", "json", "apply", "/var/tmp/releases/none"}));
  EXPECT_NE(failed.code, 0);
  Json document = failed.json();
  EXPECT_EQ(document["error"]["code"], failed.code);
}

// The unit would see the host's files, and install into them.
TEST(OwnRestartTest, AnUpdateInAChrootLeavesTheHostAlone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const std::string release = host.release("2.0.0");
  host.box().shell(
      "mkdir -p /mnt/image && mount -t tmpfs tmpfs /mnt/image && cd /mnt/image && "
      "mkdir -p etc opt var/lib var/tmp usr run proc dev tmp && cp -a /opt/demo opt && "
      "cp -a /etc/banger /etc/passwd /etc/group etc && cp -a /var/tmp/releases var/tmp && "
      "for name in bin lib lib64 sbin; do ln -s usr/$name $name; done && "
      "for name in usr run proc dev; do mount --rbind /$name $name; done");
  const Ended ended =
      host.box().run(in_session(host.command({"apply", release}), {"chroot", "/mnt/image"}));
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_FALSE(contains(ended.err, kMoves)) << ended.err;
  EXPECT_TRUE(contains(ended.err, "[restart] command")) << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
}

TEST(OwnRestartTest, ADaemonThatSeesOtherFilesDoesNotInstallTheHosts) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  agent(host, "cp -r /var/tmp/releases/2.0.0 /tmp/release", "/tmp/release",
        "[Service]\nPrivateTmp=yes\n");
  host.configure([](ServiceSettings& settings) { settings.units.push_back("agent.service"); });
  ASSERT_TRUE(start(host));
  ASSERT_FALSE(host.release("2.0.0").empty());
  const std::string strangers = host.release("3.0.0");
  host.box().shell("cp -r " + strangers +
                   " /tmp/release && chown -R 65534 /tmp/release && touch /run/update");
  EXPECT_TRUE(
      within(std::chrono::seconds(20), [&] { return contains(agent_log(host), "ended with"); }));
  EXPECT_TRUE(contains(agent_log(host), "ended with 1")) << agent_log(host);
  EXPECT_TRUE(contains(agent_log(host), "outside of this unit")) << agent_log(host);
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
}

TEST(OwnRestartTest, ASessionThatSeesOtherFilesIsWarnedAndStays) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Ended ended = host.box().run(
      in_session(host.command({"apply", host.release("2.0.0")}), {"unshare", "--mount"}));
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_FALSE(contains(ended.err, kMoves)) << ended.err;
  EXPECT_TRUE(contains(ended.err, "staying in session-9.scope")) << ended.err;
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
}

// F12. systemd-run knows no more than that the unit was killed.
TEST(OwnRestartTest, WhenTheMovedUpdaterIsKilledTheJournalIsAsked) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.hold_doctor("2.0.0");
  Process update(in_session(host.command({"--output", "json", "apply", host.release("2.0.0")})),
                 in(host.box()));
  ASSERT_TRUE(host.doctor_waits());
  host.box().shell("kill -KILL " + updater(host));
  const Ended ended = update.wait();
  EXPECT_EQ(ended.code, 10) << ended.err;
  Json transaction = ended.json();
  EXPECT_EQ(transaction["phase"], "doctor") << ended.out;
  EXPECT_EQ(transaction["error"]["code"], 10) << ended.out;
  host.let_doctor_go();
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_TRUE(finished(host));
  EXPECT_EQ(host.installed(), "1.0.0");
}

// systemd takes these signals for a good end of most services, and systemd-run then says 0.
TEST(OwnRestartTest, AnUpdaterThatATerminationKilledHasNotSucceeded) {
  NEEDS_SYSTEMD();
  NEEDS_TOOL("strace");
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.box().shell(
      "cp /usr/bin/banger-update /opt/demo/relay && "
      "printf '#!/bin/sh\\nkill -TERM $$\\n' >/opt/demo/killed && chmod 755 /opt/demo/killed");
  // Until it asks for its own file, another has taken that name.
  Process update(in_session({"strace", "-o", "/dev/null", "-e", "trace=readlink", "-e",
                             "inject=readlink:delay_enter=3000000", "/opt/demo/relay", "apply",
                             host.release("2.0.0")}),
                 in(host.box()));
  ASSERT_TRUE(scenario::eventually([&] {
    return host.box().run({"pgrep", "-x", "relay"}).code == 0;
  }));
  host.box().shell("mv /opt/demo/killed /opt/demo/relay");
  const Ended ended = update.wait();
  EXPECT_TRUE(contains(ended.err, kMoves)) << ended.err;
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
}

TEST(OwnRestartTest, WhereNoUnitCanBeMadeThatIsTheErrorInJsonToo) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Ended ended = host.box().run(in_session({"sh", "-c",
                                                 "mkdir /gone && cd /gone && rmdir /gone && "
                                                 "exec banger-update --output json apply " +
                                                     host.release("2.0.0")}));
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  Json document = ended.json();
  EXPECT_EQ(document["error"]["code"], 1) << ended.out;
  EXPECT_TRUE(document["transaction"].is_null()) << ended.out;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
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

// The unit that is to be interrupted is not there at once.
TEST(OwnRestartTest, AnInterruptThatComesWithTheMoveIsNotLost) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.configure([](ServiceSettings& settings) { settings.soak = "5s"; });
  ASSERT_TRUE(start(host));
  const std::string release = host.release("2.0.0");
  const std::string lost = host.box().shell(
      "for run in 1 2 3 4; do rm -f /run/err; systemd-run -q --scope --slice=user-1000.slice "
      "--unit=session-9.scope banger-update apply " +
      release +
      " >/run/out 2>/run/err & relay=$!; until grep -qs moving /run/err; do sleep 0.002; done; "
      "kill -INT $relay; wait $relay && cat /run/out; done; true");
  EXPECT_EQ(lost, "");
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
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
  Process update(in_session(host.command({"--output", "json", "apply", host.release("2.0.0")})),
                 in(host.box()));
  ASSERT_TRUE(host.doctor_waits());
  if (GetParam() == 0) {
    host.box().shell("systemctl stop session-9.scope");
  } else {
    update.send(GetParam());
  }
  if (GetParam() != SIGHUP) {
    const Ended ended = update.wait();
    EXPECT_EQ(ended.code, 10) << ended.err;
    Json transaction = ended.json();
    EXPECT_EQ(transaction["phase"], "doctor") << ended.out;
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
  std::string policy = "auto";
  ServiceHost host = {};
  std::unique_ptr<Process> update = {};
};

void stop_in_the_middle(Stopped& stopped) {
  ServiceHost& host = stopped.host;
  host.configure([&](ServiceSettings& settings) {
    settings.timeout = "2s";
    settings.doctor_timeout = "2s";
    settings.soak = "0s";
    settings.policy = stopped.policy;
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

// From the service of the timer, which needs a timer of its own.
TEST(OwnRestartTest, TheTimerResumesTheRestartUnderThePolicyReplay) {
  NEEDS_SYSTEMD();
  Stopped stopped{"killed in a restart", SIGKILL, true, "replay"};
  ASSERT_NO_FATAL_FAILURE(stop_in_the_middle(stopped));
  const ServiceHost& host = stopped.host;
  host.let_doctor_go();
  EXPECT_TRUE(within(std::chrono::seconds(60), [&] { return finished(host); }))
      << host.run({"status"}).out;
  EXPECT_TRUE(scenario::eventually([&] { return host.leftovers().empty(); }));
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(outcome(host), "\"committed\"");
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
