#include <gtest/gtest.h>

#include <filesystem>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;

constexpr const char* kWorkload = "/opt/demo/firecracker";

/// alpha starts a workload, as bangerd does its VMs, and the configuration wants it to live.
bool start(ServiceHost& host, const std::string& kill_mode) {
  std::filesystem::copy_file("/bin/sleep", host.box().outside(kWorkload));
  // Each start would start a new one, under the same name: that is not the one that lived.
  host.daemon("alpha",
              "KillMode=" + kill_mode +
                  "\nExecStartPre=/bin/sh -c 'pgrep -x firecracker "
                  ">/dev/null || rm -f /run/workload-started'",
              std::string("--workload ") + kWorkload);
  host.daemon("beta");
  host.configure([](ServiceSettings& settings) { settings.keep_processes = {"firecracker"}; });
  return host.start() && scenario::eventually([&] {
           return host.box().run({"pgrep", "-x", "firecracker"}).code == 0;
         });
}

// F13: the restart of the daemon must not end what it manages.
TEST(WorkloadTest, AWorkloadThatSurvivesIsNoReasonAgainstTheRelease) {
  NEEDS_SYSTEMD();
  NEEDS_TOOL("pgrep");
  ServiceHost host;
  ASSERT_TRUE(start(host, "process"));
  const std::string before = host.box().output({"pgrep", "-x", "firecracker"});
  const Ended plan = host.run({"apply", "--dry-run", host.release("2.0.0")});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_FALSE(contains(plan.out + plan.err, "KillMode")) << plan.out << plan.err;
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(host.box().output({"pgrep", "-x", "firecracker"}), before);
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service", "beta.service"}));
}

TEST(WorkloadTest, AWorkloadThatDiesWithTheRestartUndoesTheUpdate) {
  NEEDS_SYSTEMD();
  NEEDS_TOOL("pgrep");
  ServiceHost host;
  ASSERT_TRUE(start(host, "control-group"));
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.err, "firecracker")) << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", {"alpha.service", "beta.service"}));
}

TEST(WorkloadTest, ThePlanWarnsOfAKillModeThatWouldEndIt) {
  NEEDS_SYSTEMD();
  NEEDS_TOOL("pgrep");
  ServiceHost host;
  ASSERT_TRUE(start(host, "control-group"));
  const std::string before = host.box().output({"pgrep", "-x", "firecracker"});
  const Ended plan = host.run({"apply", "--dry-run", host.release("2.0.0")});
  EXPECT_EQ(plan.code, 0) << plan.err;
  EXPECT_TRUE(contains(plan.out + plan.err, "KillMode")) << plan.out << plan.err;
  EXPECT_TRUE(contains(plan.out + plan.err, "alpha.service")) << plan.out << plan.err;
  EXPECT_EQ(host.box().output({"pgrep", "-x", "firecracker"}), before);
  EXPECT_EQ(host.running("alpha.service"), "1.0.0");
}

TEST(WorkloadTest, AProcessThatWasNotThereBeforeIsNotMissed) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.daemon("alpha");
  host.daemon("beta");
  host.configure([](ServiceSettings& settings) { settings.keep_processes = {"firecracker"}; });
  ASSERT_TRUE(host.start());
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service", "beta.service"}));
}

}  // namespace
}  // namespace update::systemd
