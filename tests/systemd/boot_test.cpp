#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <thread>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::write_file;

constexpr const char* kRecover = "banger-update-recover.service";
constexpr const char* kVerify = "banger-update-verify.service";

class BootTest : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS_SYSTEMD();
    host_ = std::make_unique<ServiceHost>();
  }

  bool start() {
    host_->daemon("alpha");
    host_->daemon("beta");
    host_->install_boot_units();
    return host_->start();
  }

  /// 2.0.0 is being installed: alpha is new, beta is not, and the power goes.
  void cut_in_swap() {
    const Ended ended = host_->box().run({"strace", "-o", "/dev/null", "-e", "trace=renameat", "-e",
                                          "inject=renameat:signal=KILL:when=2", "banger-update",
                                          "apply", host_->release("2.0.0")});
    ASSERT_EQ(ended.signal, SIGKILL) << ended.err;
    ASSERT_EQ(host_->installed(), "alpha=2.0.0 beta=1.0.0 ");
    host_->box().power_off();
  }

  long long stamp(const std::string& unit, const std::string& name) const {
    const std::string text = host_->box().property(unit, name + "TimestampMonotonic");
    return text.empty() ? 0 : std::stoll(text);
  }

  std::unique_ptr<ServiceHost> host_;
};

TEST_F(BootTest, RecoversBeforeTheServicesAndJudgesAfterThem) {
  ASSERT_TRUE(start());
  const Box& box = host_->box();
  EXPECT_EQ(box.output({"systemctl", "is-system-running"}), "running");
  for (const char* unit : {kRecover, kVerify}) {
    EXPECT_EQ(box.state(unit), "active") << box.journal(unit);
    EXPECT_EQ(box.property(unit, "Result"), "success");
  }
  for (const std::string& unit : kBoth) {
    EXPECT_GE(stamp(unit, "InactiveExit"), stamp(kRecover, "ActiveEnter")) << unit;
    EXPECT_GE(stamp(kVerify, "InactiveExit"), stamp(unit, "ActiveEnter")) << unit;
  }
  EXPECT_GT(stamp(kRecover, "ActiveEnter"), 0);
}

// An early service is no reason for a cycle, and the mounts come first.
TEST_F(BootTest, IsOrderedByWhatTheConfigurationNames) {
  ASSERT_TRUE(start());
  const Box& box = host_->box();
  for (const std::string& unit : kBoth) {
    EXPECT_TRUE(contains(box.property(unit, "After"), kRecover)) << unit;
    EXPECT_TRUE(contains(box.property(unit, "Wants"), kRecover)) << unit;
    EXPECT_FALSE(contains(box.property(unit, "Requires"), "banger-update")) << unit;
    EXPECT_TRUE(contains(box.property(kRecover, "Before"), unit));
    EXPECT_TRUE(contains(box.property(kVerify, "After"), unit));
  }
  for (const char* unit : {kRecover, kVerify}) {
    const std::string mounts = box.property(unit, "RequiresMountsFor");
    for (const char* path : {"/opt/demo/bin", "/var/lib/banger/update"}) {
      EXPECT_TRUE(contains(mounts, path)) << unit << ": " << mounts;
    }
  }
  // The configuration changes; nobody but systemd has to be told.
  box.unit("gamma.service", "[Service]\nExecStart=/bin/sleep infinity\n");
  host_->configure([](ServiceSettings& settings) { settings.units = {"gamma.service"}; });
  box.shell("systemctl daemon-reload");
  EXPECT_TRUE(contains(box.property("gamma.service", "After"), kRecover));
  EXPECT_FALSE(contains(box.property("alpha.service", "After"), kRecover));
}

// Not a cycle, out of which systemd would take the verdict.
TEST_F(BootTest, AServiceThatComesAfterTheBootIsJudgedToo) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  host_->daemon("beta", "[Unit]\nAfter=multi-user.target\n[Service]");
  cut_in_swap();
  ASSERT_TRUE(host_->box().boot());
  EXPECT_EQ(host_->box().state(kVerify), "active") << host_->box().journal(kVerify);
  EXPECT_TRUE(host_->at_rest("2.0.0", kBoth)) << host_->run({"history", "show", "2"}).out;
  EXPECT_EQ(host_->box().output({"systemctl", "is-system-running"}), "running");
}

TEST_F(BootTest, ADestinationOnAMountOfItsOwnIsWaitedFor) {
  // Mounted late, and without an entry that the programs would be missed without.
  host_->box().unit("opt-demo-bin.mount",
                    "[Unit]\nDefaultDependencies=no\nConflicts=umount.target\nAfter=slow.service\n"
                    "Requires=slow.service\n[Mount]\nWhat=/opt/demo/disk\nWhere=/opt/demo/bin\n"
                    "Options=bind\n");
  host_->box().unit("slow.service",
                    "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n"
                    "RemainAfterExit=yes\nExecStart=/bin/sleep 0.3\n");
  std::filesystem::copy(host_->box().outside("/opt/demo/bin"),
                        host_->box().outside("/opt/demo/disk"));
  ASSERT_TRUE(start());
  EXPECT_EQ(host_->box().state("opt-demo-bin.mount"), "active");
  EXPECT_GE(stamp(kRecover, "InactiveExit"), stamp("opt-demo-bin.mount", "ActiveEnter"));
  EXPECT_EQ(host_->box().property(kRecover, "Result"), "success");
}

TEST_F(BootTest, ServicesStartWithTheWholeVersionThatRecoveryChose) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  cut_in_swap();
  ASSERT_TRUE(host_->box().boot());
  EXPECT_TRUE(host_->at_rest("2.0.0", kBoth)) << host_->run({"history", "show", "2"}).out;
  for (const std::string& unit : kBoth) {
    EXPECT_FALSE(contains(host_->box().journal(unit), "1.0.0 starts")) << unit;
  }
  EXPECT_EQ(host_->box().output({"systemctl", "is-system-running"}), "running");
  Json history = host_->json({"history", "-n", "1"});
  EXPECT_EQ(history[0]["to_version"], "2.0.0");
  EXPECT_EQ(history[0]["outcome"], "committed");
}

TEST_F(BootTest, WhatWasStartedByHandIsStartedBeforeItIsJudged) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  host_->box().shell("systemctl disable beta.service");
  cut_in_swap();
  ASSERT_TRUE(host_->box().boot());
  EXPECT_TRUE(host_->at_rest("2.0.0", kBoth)) << host_->run({"history", "show", "2"}).out;
  EXPECT_EQ(host_->box().property(kVerify, "Result"), "success");
}

TEST_F(BootTest, ADoctorThatSaysNoAfterTheBootUndoesTheUpdate) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  host_->doctor("test \"$(tail -n 1 /opt/demo/bin/alpha)\" = '#1.0.0 sound'");
  cut_in_swap();
  ASSERT_TRUE(host_->box().boot());
  EXPECT_TRUE(host_->at_rest("1.0.0", kBoth));
  EXPECT_EQ(host_->box().property(kVerify, "Result"), "success");
  Json history = host_->json({"history", "-n", "1"});
  EXPECT_EQ(history[0]["outcome"], "rolled_back");
}

// F14: what narrows the one unit does not narrow the doctor.
TEST_F(BootTest, TheDoctorFindsInTheUnitWhatItFindsInAShell) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  const std::string findings =
      "id -u; umask; ulimit -c; readlink /proc/self/ns/net /proc/self/ns/mnt /proc/self/ns/user\n"
      "grep -E '^(Cap(Prm|Eff|Bnd)|NoNewPrivs|Seccomp):' /proc/self/status\n"
      "for folder in /etc /usr/bin /root /home /tmp /var/tmp /opt/demo/bin /run /dev/shm; do\n"
      "  touch $folder/.probe && rm $folder/.probe && echo $folder is writable\ndone\n"
      "systemctl is-active alpha.service; ls /proc | grep -c '^[0-9]*$' >/dev/null && echo proc\n"
      "pwd; echo $PATH $LANG\n";
  host_->doctor("{\n" + findings +
                "} >/var/log/findings.$BANGER_UPDATE_TO.new 2>&1\n"
                "mv /var/log/findings.$BANGER_UPDATE_TO.new /var/log/findings.$BANGER_UPDATE_TO");
  cut_in_swap();
  ASSERT_TRUE(host_->box().boot());
  ASSERT_TRUE(host_->at_rest("2.0.0", kBoth));
  const std::string unit = scenario::read_file(host_->box().outside("/var/log/findings.2.0.0"));
  ASSERT_EQ(host_->run({"apply", host_->release("3.0.0")}).code, 0);
  const std::string shell = scenario::read_file(host_->box().outside("/var/log/findings.3.0.0"));
  EXPECT_FALSE(unit.empty());
  EXPECT_EQ(unit, shell);
}

class FailedRecoveryTest : public BootTest {
 protected:
  void SetUp() override {
    BootTest::SetUp();
    if (IsSkipped()) return;
    NEEDS_TOOL("strace");
    ASSERT_TRUE(start());
    cut_in_swap();
    // Somebody else's work: nothing can be decided without a person. Not written in place, which
    // would change the backup, too: a second name of the same file.
    const std::string beta = host_->box().outside("/opt/demo/bin/beta");
    write_file(beta + ".foreign", host_->program("9.9.9"), 0755);
    std::filesystem::rename(beta + ".foreign", beta);
    ASSERT_TRUE(host_->box().boot());
  }
};

TEST_F(FailedRecoveryTest, DoesNotBlockTheBootAndIsVisible) {
  const Box& box = host_->box();
  for (const std::string& unit : kBoth) EXPECT_EQ(box.state(unit), "active") << unit;
  EXPECT_EQ(box.state("multi-user.target"), "active");
  EXPECT_EQ(box.shell("systemctl is-system-running || true"), "degraded");
  const std::vector<std::string> failed = box.failed_units();
  EXPECT_NE(std::find(failed.begin(), failed.end(), kRecover), failed.end())
      << testing::PrintToString(failed);
  EXPECT_TRUE(contains(box.journal(kRecover), "needs a person")) << box.journal(kRecover);
  EXPECT_EQ(host_->run({"status"}).code, 4);
  EXPECT_EQ(host_->run({"apply", host_->release("3.0.0")}).code, 4);
}

// The services want it; were it tried again by each of their restarts, it would wait for the lock
// of the very updater that asks for the restart.
TEST_F(FailedRecoveryTest, IsNotTriedAgainByARestartAndIsResolvedByAPerson) {
  const Box& box = host_->box();
  const std::string before = box.property(kRecover, "InvocationID");
  const auto begin = std::chrono::steady_clock::now();
  box.shell("systemctl restart alpha.service");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_EQ(box.property(kRecover, "InvocationID"), before);
  const Ended forced = host_->run({"recover", "--force-rollback", "--reason", "beta is known"});
  EXPECT_EQ(forced.code, 0) << forced.out << forced.err;
  EXPECT_TRUE(host_->at_rest("1.0.0", kBoth));
  host_->install("3.0.0");
  EXPECT_TRUE(host_->at_rest("3.0.0", kBoth));
}

TEST_F(BootTest, AnOldVersionThatDoesNotStartFailsTheVerdictAndNotTheBoot) {
  NEEDS_TOOL("strace");
  const Box& box = host_->box();
  host_->daemon("alpha", "ExecStartPre=/bin/sh -c 'test ! -e /var/lib/broken'");
  host_->daemon("beta");
  host_->install_boot_units();
  ASSERT_TRUE(host_->start());
  host_->doctor("test \"$(tail -n 1 /opt/demo/bin/alpha)\" = '#1.0.0 sound'");
  cut_in_swap();
  write_file(box.outside("/var/lib/broken"), "");
  ASSERT_TRUE(host_->box().boot());
  EXPECT_EQ(box.state("multi-user.target"), "active");
  EXPECT_EQ(box.state("beta.service"), "active");
  const std::vector<std::string> failed = box.failed_units();
  EXPECT_NE(std::find(failed.begin(), failed.end(), kVerify), failed.end())
      << testing::PrintToString(failed);
  EXPECT_EQ(host_->installed(), "1.0.0");
  EXPECT_NE(host_->run({"status"}).code, 0);
}

TEST_F(BootTest, ALostJournalDoesNotStopTheBoot) {
  ASSERT_TRUE(start());
  host_->box().power_off();
  std::filesystem::remove_all(host_->box().outside("/var/lib/banger/update"));
  ASSERT_TRUE(host_->box().boot());
  EXPECT_EQ(host_->box().output({"systemctl", "is-system-running"}), "running");
  for (const std::string& unit : kBoth) EXPECT_EQ(host_->running(unit), "1.0.0");
}

TEST_F(BootTest, AConfigurationThatIsWrongDoesNotStopTheBoot) {
  ASSERT_TRUE(start());
  host_->box().power_off();
  write_file(host_->box().outside("/etc/banger/update.toml"), "product = \n");
  ASSERT_TRUE(host_->box().boot());
  for (const std::string& unit : kBoth) EXPECT_EQ(host_->box().state(unit), "active") << unit;
  const std::vector<std::string> failed = host_->box().failed_units();
  EXPECT_NE(std::find(failed.begin(), failed.end(), kRecover), failed.end());
}

// The power goes again while the boot recovers, and again.
TEST_F(BootTest, APowerOffInTheRecoveryIsRecoveredByTheNextBoot) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  cut_in_swap();
  for (const int milliseconds : {60, 100, 140}) {
    ASSERT_TRUE(host_->box().begin_boot());
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
    host_->box().power_off();
  }
  ASSERT_TRUE(host_->box().boot());
  const std::string installed = host_->installed();
  EXPECT_TRUE(installed == "1.0.0" || installed == "2.0.0") << installed;
  EXPECT_TRUE(host_->at_rest(installed, kBoth));
}

// `systemctl poweroff` in the middle of an update: the updater is told to end, and ends in order.
TEST_F(BootTest, AShutdownDuringAnUpdateEndsItInOrder) {
  ASSERT_TRUE(start());
  host_->hold_doctor("2.0.0");
  scenario::Process update(host_->command({"apply", host_->release("2.0.0")}),
                           host_->box().launch());
  ASSERT_TRUE(host_->doctor_waits());
  host_->box().shut_down();
  update.wait();
  ASSERT_TRUE(host_->box().boot());
  EXPECT_TRUE(host_->at_rest("1.0.0", kBoth)) << host_->run({"history", "show", "2"}).out;
  EXPECT_EQ(host_->box().output({"systemctl", "is-system-running"}), "running");
}

}  // namespace
}  // namespace update::systemd
