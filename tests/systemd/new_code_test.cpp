#include <gtest/gtest.h>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::write_file;

// A host with both daemons, where `service` and `options` are alpha's.
bool start(ServiceHost& host, const std::string& service = "", const std::string& options = "") {
  host.daemon("alpha", service, options);
  host.daemon("beta");
  return host.start();
}

void expect_undone(const ServiceHost& host, const Ended& ended, const std::string& about) {
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.err, about)) << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
}

// F8, one lie after the other. The doctor says in each case that all is well.
TEST(NewCodeTest, ASoundReleaseRunsAsAnotherProcessOfTheInstalledFile) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const pid_t alpha = host.box().main_pid("alpha.service");
  const pid_t beta = host.box().main_pid("beta.service");
  ASSERT_EQ(host.running("alpha.service"), "1.0.0");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_NE(host.box().main_pid("alpha.service"), alpha);
  EXPECT_NE(host.box().main_pid("beta.service"), beta);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  const Ended back = host.run({"rollback"});
  EXPECT_EQ(back.code, 0) << back.out << back.err;
  EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
}

TEST(NewCodeTest, ACrashLoopIsUndone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host, "Restart=always\nRestartSec=20ms"));
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "crash"}})});
  expect_undone(host, ended, "alpha.service");
}

// Each sample finds the unit active: only its count of restarts tells.
TEST(NewCodeTest, ACrashLoopThatIsNeverSeenDownIsUndone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.configure([](ServiceSettings& settings) { settings.interval = "150ms"; });
  host.box().unit("alpha.service",
                  "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=notify\nRestart=always\n"
                  "RestartSec=0\nExecStart=/opt/demo/bin/alpha --notify\n");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  host.box().shell("systemctl start alpha.service");
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "crash"}})});
  expect_undone(host, ended, "alpha.service");
}

TEST(NewCodeTest, ADaemonThatDiesAfterItsStartIsUndone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "crash"}})});
  expect_undone(host, ended, "alpha.service");
}

TEST(NewCodeTest, ADaemonWhoseProcessForksAwayIsUndone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "leave"}})});
  expect_undone(host, ended, "alpha.service");
}

// systemd calls it active (exited).
TEST(NewCodeTest, ADaemonWhoseProcessForksAwayFromAUnitThatStaysIsUndone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host, "RemainAfterExit=yes"));
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "leave"}})});
  expect_undone(host, ended, "alpha.service");
}

// A start script that finds the old process alive and is content, as many do.
TEST(NewCodeTest, AnOldProcessThatSurvivesTheRestartIsFound) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  write_file(host.box().outside("/opt/demo/start"),
             "#!/bin/sh\n"
             "if ! kill -0 \"$(cat /run/alpha.own)\" 2>/dev/null; then\n"
             "  /opt/demo/bin/alpha & echo $! >/run/alpha.own\nfi\n"
             "cp /run/alpha.own /run/alpha.pid\n",
             0755);
  host.box().unit("alpha.service",
                  "[Service]\nType=forking\nPIDFile=/run/alpha.pid\nKillMode=none\n"
                  "ExecStart=/opt/demo/start\n[Install]\nWantedBy=multi-user.target\n");
  host.box().enable("alpha.service");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  const pid_t before = host.box().main_pid("alpha.service");
  ASSERT_GT(before, 1);
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.err, "alpha.service")) << ended.err;
  EXPECT_EQ(host.box().main_pid("alpha.service"), before);
  EXPECT_TRUE(host.at_rest("1.0.0", {"beta.service"}));
}

TEST(NewCodeTest, AnotherProgramInPlaceOfTheNewOneIsUndone) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  write_file(host.box().outside("/opt/demo/impostor"), host.program("1.0.0"), 0755);
  ASSERT_TRUE(start(host));
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "impostor"}})});
  expect_undone(host, ended, "alpha.service");
}

// Another inode with the same bytes is the new code, too.
TEST(NewCodeTest, ACopyOfTheNewFileCountsByItsDigest) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.box().unit("alpha.service",
                  "[Service]\nExecStartPre=/bin/cp /opt/demo/bin/alpha /run/alpha-copy\n"
                  "ExecStartPre=/bin/mount -o remount,exec /run\nExecStart=/run/alpha-copy\n"
                  "[Install]\nWantedBy=multi-user.target\n");
  host.box().enable("alpha.service");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  ASSERT_EQ(host.running("alpha.service"), "/run/alpha-copy");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(host.box().shell("tail -n 1 /proc/$(systemctl show --value -p MainPID alpha)/exe"),
            "#2.0.0 sound");
  EXPECT_TRUE(host.at_rest("2.0.0", {"beta.service"}));
}

// A unit of the configuration whose process was never a file of the release, as a script's is not.
TEST(NewCodeTest, AUnitThatRunsAnotherProgramBeforeAndAfterIsNoLie) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.box().unit("helper.service",
                  "[Service]\nExecStart=/bin/sleep infinity\n"
                  "[Install]\nWantedBy=multi-user.target\n");
  host.box().enable("helper.service");
  host.configure([](ServiceSettings& settings) { settings.units.push_back("helper.service"); });
  ASSERT_TRUE(start(host));
  const pid_t before = host.box().main_pid("helper.service");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_NE(host.box().main_pid("helper.service"), before);
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
}

TEST(NewCodeTest, AUnitThatWasDownBeforeDoesNotCountAgainstTheRelease) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.box().shell("systemctl stop beta.service");
  const Ended stopped = host.run({"apply", host.release("2.0.0", {{"beta", "fail"}})});
  EXPECT_EQ(stopped.code, 0) << stopped.out << stopped.err;
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service"}));

  host.box().shell("systemctl start beta.service; sleep 0.2");
  ASSERT_EQ(host.box().state("beta.service"), "failed");
  const Ended failed = host.run({"apply", host.release("3.0.0", {{"beta", "fail"}})});
  EXPECT_EQ(failed.code, 0) << failed.out << failed.err;
  EXPECT_TRUE(host.at_rest("3.0.0", {"alpha.service"}));
}

TEST(NewCodeTest, ADoctorThatFailedBeforeCountsUnlessItIsExcused) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  ASSERT_TRUE(start(host));
  host.doctor("exit 1");
  expect_undone(host, host.run({"apply", host.release("2.0.0")}), "doctor");

  host.configure([](ServiceSettings& settings) { settings.baseline = "require"; });
  const pid_t before = host.box().main_pid("alpha.service");
  EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 6);
  EXPECT_EQ(host.box().main_pid("alpha.service"), before);

  host.configure([](ServiceSettings& settings) { settings.baseline = "excuse"; });
  const Ended excused = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(excused.code, 0) << excused.out << excused.err;
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  // The doctor is excused, the units are not.
  const Ended crash = host.run({"apply", host.release("3.0.0", {{"alpha", "crash"}})});
  EXPECT_EQ(crash.code, 3) << crash.out << crash.err;
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
}

}  // namespace
}  // namespace update::systemd
