// The dead-man's switch on a real systemd: the update neither ends nor is ended, and the host is on
// one version in its time all the same.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <iostream>
#include <memory>
#include <tuple>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::Process;
using scenario::read_file;

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
  stopped.update = std::make_unique<Process>(host.command({"apply", host.release("2.0.0")}),
                                             host.box().launch());
  ASSERT_TRUE(host.doctor_waits());
  const std::string pid = host.updater();
  ASSERT_FALSE(pid.empty()) << "no process holds the lock";
  host.box().shell("kill -" + std::to_string(stopped.signal) + " " + pid);
  ASSERT_EQ(host.run({"status"}).code, 10);
  ASSERT_TRUE(contains(host.box().shell("systemctl list-timers --all --no-legend"),
                       "banger-update-expired-"))
      << "no timer is armed";
}

TEST(ExpiryTest, AnUpdaterThatIsKilledOrFrozenIsReplacedInTime) {
  NEEDS_SYSTEMD();
  // All at once, since it is mostly waiting.
  std::vector<std::unique_ptr<Stopped>> all;
  for (const auto& [name, signal, in_start] : {std::tuple{"killed in the doctor", SIGKILL, false},
                                               {"frozen in the doctor", SIGSTOP, false},
                                               {"killed in a restart", SIGKILL, true}}) {
    SCOPED_TRACE(name);
    all.push_back(std::make_unique<Stopped>());
    all.back()->name = name;
    all.back()->signal = signal;
    all.back()->in_start = in_start;
    ASSERT_NO_FATAL_FAILURE(stop_in_the_middle(*all.back()));
  }
  const auto begin = std::chrono::steady_clock::now();
  for (const auto& stopped : all) {
    SCOPED_TRACE(stopped->name);
    const ServiceHost& host = stopped->host;
    EXPECT_TRUE(scenario::eventually([&] { return host.finished(); }, std::chrono::seconds(60)))
        << host.run({"status"}).out;
    std::cout << stopped->name << ": resolved after "
              << std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()
              << " s\n";
    // The service that resolved it may still be ending.
    EXPECT_TRUE(scenario::eventually([&] { return host.leftovers().empty(); }));
    EXPECT_TRUE(host.at_rest("1.0.0", kBoth));
    EXPECT_EQ(host.outcome(), "rolled_back");
    EXPECT_EQ(stopped->update->wait().signal, SIGKILL);
  }
}

// From the service of the timer, which needs a timer of its own.
TEST(ExpiryTest, TheTimerResumesTheRestartUnderThePolicyReplay) {
  NEEDS_SYSTEMD();
  Stopped stopped{"killed in a restart", SIGKILL, true, "replay"};
  ASSERT_NO_FATAL_FAILURE(stop_in_the_middle(stopped));
  const ServiceHost& host = stopped.host;
  host.let_doctor_go();
  EXPECT_TRUE(scenario::eventually([&] { return host.finished(); }, std::chrono::seconds(60)))
      << host.run({"status"}).out;
  EXPECT_TRUE(scenario::eventually([&] { return host.leftovers().empty(); }));
  EXPECT_TRUE(host.at_rest("2.0.0", kBoth));
  EXPECT_EQ(host.outcome(), "committed");
}

TEST(ExpiryTest, TheTimerIsArmedBeforeTheFirstRestartAndGoneAfterTheUpdate) {
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
