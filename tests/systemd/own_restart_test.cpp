#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <iostream>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::Launch;
using scenario::Process;
using scenario::read_file;
using scenario::write_file;

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
  EXPECT_TRUE(scenario::eventually([&] { return host.installed() == "2.0.0" && host.finished(); },
                                   std::chrono::seconds(20)))
      << agent_log(host);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(host.outcome(), "committed");
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
                host.box().launch());
  const Ended ended = child.wait();
  EXPECT_TRUE(ended.signal != 0 || ended.code != 0) << "what stays behind ends with the unit";
  EXPECT_TRUE(contains(ended.err, kMoves)) << ended.err;
  EXPECT_TRUE(scenario::eventually([&] { return host.finished(); }, std::chrono::seconds(20)));
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
  EXPECT_TRUE(scenario::eventually([&] { return host.installed() == "2.0.0" && host.finished(); },
                                   std::chrono::seconds(30)))
      << agent_log(host);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(host.outcome(), "committed");
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
  EXPECT_TRUE(scenario::eventually([&] { return contains(agent_log(host), "ended with"); },
                                   std::chrono::seconds(20)));
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
                 host.box().launch());
  ASSERT_TRUE(host.doctor_waits());
  host.box().shell("kill -KILL " + host.updater());
  const Ended ended = update.wait();
  EXPECT_EQ(ended.code, 10) << ended.err;
  Json transaction = ended.json();
  EXPECT_EQ(transaction["phase"], "doctor") << ended.out;
  EXPECT_EQ(transaction["error"]["code"], 10) << ended.out;
  host.let_doctor_go();
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_TRUE(host.finished());
  EXPECT_EQ(host.installed(), "1.0.0");
}

// Only the recovery that comes first restarts anything.
TEST(OwnRestartTest, APruneMovesWhereAnUpdateIsUnfinishedAndStaysWhereNoneIs) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}), host.box().launch());
  ASSERT_TRUE(host.doctor_waits());
  host.box().shell("kill -KILL " + host.updater());
  update.wait();
  host.let_doctor_go();
  const Ended moved = host.box().run(in_session(host.command({"prune"})));
  EXPECT_EQ(moved.code, 0) << moved.out << moved.err;
  EXPECT_TRUE(contains(moved.err, kMoves)) << moved.err;
  EXPECT_TRUE(contains(moved.out, "of a file removed")) << moved.out;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
  const Ended idle = host.box().run(in_session(host.command({"prune"})));
  EXPECT_EQ(idle.code, 0) << idle.out << idle.err;
  EXPECT_FALSE(contains(idle.err, kMoves)) << idle.err;
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
                 host.box().launch());
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
  Process update(in_session(host.command({"apply", host.release("2.0.0")})), host.box().launch());
  ASSERT_TRUE(host.doctor_waits());
  update.send(SIGINT);
  const Ended ended = update.wait();
  EXPECT_TRUE(ended.code == 130 || ended.signal == SIGINT) << ended.code << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
  EXPECT_EQ(host.outcome(), "rolled_back");
}

// The connection breaks, the person logs out: what has moved goes on.
class SessionEndTest : public testing::TestWithParam<int> {};

TEST_P(SessionEndTest, StopsNothing) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.hold_doctor("2.0.0");
  Process update(in_session(host.command({"--output", "json", "apply", host.release("2.0.0")})),
                 host.box().launch());
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
  EXPECT_TRUE(scenario::eventually([&] { return host.finished(); }, std::chrono::seconds(20)));
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(host.outcome(), "committed");
}

std::string session_end_name(const testing::TestParamInfo<int>& info) {
  return info.param == 0 ? "OfTheScope" : info.param == SIGTERM ? "BySIGTERM" : "BySIGHUP";
}
INSTANTIATE_TEST_SUITE_P(Session, SessionEndTest, testing::Values(0, SIGTERM, SIGHUP),
                         session_end_name);

}  // namespace
}  // namespace update::systemd
