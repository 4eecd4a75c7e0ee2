#include <gtest/gtest.h>

#include <memory>

#include "tests/crash/sampling.hpp"
#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::Launch;
using scenario::Process;
using scenario::read_file;
using scenario::write_file;

/// Where the updater stands still when the power goes.
struct Moment {
  std::string phase;
  std::string call = {};  // it is stopped at the `nth` call of this name, where one is given
  int nth = 0;
  bool start_waits = false;  // alpha waits in its start
  bool doctor_waits = false;
  bool sick = false;  // the doctor says no, and the update is being undone
};

const std::vector<Moment> kMoments = {
    {"stage", "fsync", 1},
    {"backup", "linkat", 2},
    {"swap", "renameat", 1},
    {"swap", "renameat", 2},
    {"restart", "", 0, true},
    {"doctor", "", 0, false, true},
    {"rollback", "renameat", 4, false, false, true},
    {"rollback", "", 0, true, false, true},
    {"committed", "unlinkat", 1},
};
const std::vector<std::string> kPolicies = {"auto", "rollback", "replay"};

/// transaction.md, "What recovery decides". The doctor has nothing to say against either version.
bool new_version_wins(const Moment& moment, const std::string& policy) {
  if (moment.phase == "committed") return true;
  if (moment.phase == "swap") return policy != "rollback";
  if (moment.phase == "restart" || moment.phase == "doctor") return policy == "replay";
  return false;
}

struct Kind {
  std::string name;
  std::string service;
  std::string options;
  bool has_process = true;
};

void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}

std::string kind_name(const testing::TestParamInfo<Kind>& info) {
  return info.param.name;
}

class PowerOffTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    NEEDS_SYSTEMD();
    host_ = std::make_unique<ServiceHost>();
  }

  bool start() {
    const Kind& kind = GetParam();
    const std::string gate =
        "ExecStartPre=/bin/sh -c 'test -e /run/hold-start || exit 0; touch /run/waits; "
        "sleep 60'\n";
    host_->daemon("alpha", gate + kind.service, kind.options);
    host_->daemon("beta", kind.service, kind.options);
    host_->install_boot_units();
    host_->configure([](ServiceSettings& settings) {
      settings.timeout = "30s";
      settings.soak = "0s";
    });
    return host_->start();
  }

  /// Runs the update until it stands still at `moment`, and cuts the power.
  bool cut_at(const Moment& moment, const std::string& version) {
    const Box& box = host_->box();
    // All of this is in /run, and thus gone at the next boot.
    box.shell(std::string(moment.sick ? "touch /run/sick; " : "") +
              (moment.start_waits ? "touch /run/hold-start-later; " : "") +
              (moment.doctor_waits ? "touch /run/hold-doctor; " : "") + "rm -f /run/waits");
    if (moment.start_waits && !moment.sick) box.shell("touch /run/hold-start");
    host_->doctor("test \"$(tail -n 1 /opt/demo/bin/alpha)\" = '#" + version +
                  " sound' || exit 0\n"
                  "if test -e /run/hold-doctor; then touch /run/waits; sleep 60; fi\n"
                  "if test -e /run/sick; then\n"
                  "  test -e /run/hold-start-later && touch /run/hold-start\n  exit 1\nfi");
    Arguments words = host_->command({"apply", host_->release(version)});
    if (!moment.call.empty()) {
      const std::string when = ":signal=STOP:when=" + std::to_string(moment.nth);
      words.insert(words.begin(), {"strace", "-o", "/run/strace", "-e", "trace=" + moment.call,
                                   "-e", "inject=" + moment.call + when});
    }
    Process update(words, box.launch());
    const bool stands = scenario::eventually([&] {
      return !update.running() || scenario::present(box.inside("/run/waits")) ||
             contains(read_file(box.inside("/run/strace")), "stopped by SIGSTOP");
    });
    EXPECT_TRUE(stands && update.running()) << "the update did not come to this moment";
    Json status = host_->run({"--output", "json", "status"}).json();
    const std::string phase = status["unfinished"].is_null()
                                  ? "committed"
                                  : status["unfinished"]["phase"].get<std::string>();
    EXPECT_EQ(phase, moment.phase);
    host_->box().power_off();
    return stands && phase == moment.phase;
  }

  /// After the next boot: one version everywhere, and nothing else was ever started in this boot.
  testing::AssertionResult holds(const std::string& version, const std::string& other) {
    const Box& box = host_->box();
    const bool process = GetParam().has_process;
    testing::AssertionResult rest =
        host_->at_rest(version, process ? host_->settings().units : std::vector<std::string>{});
    if (!rest) return rest;
    for (const std::string name : {"alpha", "beta"}) {
      const std::string log = box.journal(name + ".service");
      if (box.state(name + ".service") != "active") {
        return testing::AssertionFailure() << name << " is " << box.state(name + ".service");
      }
      if (!contains(log, name + " " + version + " starts") || contains(log, " " + other + " ")) {
        return testing::AssertionFailure() << name << " has started other code: " << log;
      }
    }
    const std::vector<std::string> failed = box.failed_units();
    if (!failed.empty()) {
      return testing::AssertionFailure() << failed.front() << " failed:\n"
                                         << box.journal(failed.front());
    }
    return testing::AssertionSuccess();
  }

  std::unique_ptr<ServiceHost> host_;
};

// A power-off with the updater in each phase, and the boot after it.
TEST_P(PowerOffTest, ThenABootRunsOneVersion) {
  NEEDS_TOOL("strace");
  ASSERT_TRUE(start());
  const std::size_t policies = kPolicies.size();
  crash::Tally tally{"power-off, " + GetParam().name, kMoments.size() * policies};
  std::string installed = "1.0.0";
  for (const std::size_t point : crash::chosen_points(tally.recorded, 4)) {
    const Moment& moment = kMoments[point / policies];
    const std::string& policy = kPolicies[point % policies];
    const std::string version = "2.0." + std::to_string(point);
    SCOPED_TRACE("in " + moment.phase + " " + moment.call + " under the policy " + policy);
    host_->configure([&](ServiceSettings& settings) { settings.policy = policy; });
    ++tally.tried;
    if (cut_at(moment, version)) ++tally.reached;
    if (!host_->box().boot()) break;
    const std::string expected = new_version_wins(moment, policy) ? version : installed;
    const auto result = holds(expected, expected == version ? installed : version);
    EXPECT_TRUE(result) << host_->run({"history", "show", std::to_string(tally.tried + 1)}).out
                        << host_->box().journal("banger-update-recover.service") << "\n"
                        << host_->box().journal("banger-update-verify.service");
    if (result) ++tally.held;
    // The next point begins with a host that is whole.
    if (!result) {
      host_->run({"recover", "--force-rollback", "--reason", "test"});
      host_->box().shell("systemctl restart alpha.service beta.service");
    }
    installed = host_->installed();
  }
  tally.report();
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, PowerOffTest,
    testing::Values(Kind{"simple", "", ""}, Kind{"notify", "Type=notify", "--notify"},
                    Kind{"oneshot", "Type=oneshot\nRemainAfterExit=yes", "--once", false},
                    Kind{"forking", "Type=forking", "--fork"}),
    kind_name);

}  // namespace
}  // namespace update::systemd
