#include <gtest/gtest.h>

#include <algorithm>
#include <iomanip>
#include <iostream>

#include "tests/crash/sampling.hpp"
#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::read_file;
using scenario::write_file;

// Few rounds show that there is something to measure; UPDATE_SWEEP=full measures, and judges.
std::size_t rounds() {
  return crash::full_sweep() ? 30 : 3;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void report(const std::string& what, const std::vector<double>& ours,
            const std::vector<double>& plain, double bound) {
  const double ratio = median(ours) / median(plain);
  std::cout << std::fixed << std::setprecision(1) << what << ": " << median(ours) << " ms, plain "
            << median(plain) << " ms, " << std::setprecision(3) << ratio << " times (at most "
            << bound << "), median of " << ours.size() << " in turns\n";
  if (crash::full_sweep()) {
    EXPECT_LE(ratio, bound) << what;
  }
}

/// Between two of a unit's own stamps.
double milliseconds(const Box& box, const std::string& unit, const std::string& from,
                    const std::string& to) {
  const auto stamp = [&](const std::string& name) {
    return std::stod(box.property(unit, name + "TimestampMonotonic"));
  };
  const double between = (stamp(to) - stamp(from)) / 1000;
  EXPECT_GT(between, 0) << unit;
  return between;
}

TEST(FiguresTest, AnUpdateStopsAUnitNoLongerThanARestartDoes) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  host.daemon("alpha", "Type=notify", "--notify --start-ms 100 --stop-ms 100");
  host.configure([](ServiceSettings& settings) {
    settings.units = {"alpha.service"};
    settings.soak = "0s";
  });
  ASSERT_TRUE(host.start());
  std::vector<double> updates;
  std::vector<double> restarts;
  for (std::size_t round = 0; round < rounds(); ++round) {
    const auto update = [&] {
      host.install("2.0." + std::to_string(round));
      updates.push_back(milliseconds(box, "alpha.service", "ActiveExit", "ActiveEnter"));
    };
    const auto restart = [&] {
      box.output({"systemctl", "restart", "alpha.service"});
      restarts.push_back(milliseconds(box, "alpha.service", "ActiveExit", "ActiveEnter"));
    };
    round % 2 == 0 ? update() : restart();
    round % 2 == 0 ? restart() : update();
  }
  report("downtime of a unit in an update", updates, restarts, 1.05);
  EXPECT_GE(median(restarts), 200);
}

TEST(FiguresTest, AnIdleBootUnitCostsLittleMoreThanItsHardening) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  constexpr const char* kOurs = "banger-update-recover.service";
  constexpr const char* kPlain = "plain.service";
  host.daemon("alpha");
  host.daemon("beta");
  host.install_boot_units();
  ASSERT_TRUE(host.start());

  // The same settings and the same drop-ins, with /bin/true.
  std::string text = read_file(box.outside("/usr/lib/systemd/system/" + std::string(kOurs)));
  const auto replace = [&](const std::string& from, const std::string& to) {
    std::size_t at = text.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    for (; at != std::string::npos; at = text.find(from, at + to.size())) {
      text.replace(at, from.size(), to);
    }
  };
  replace("/usr/bin/banger-update recover --boot", "/bin/true");
  replace("banger-update-recover", "plain");
  box.unit(kPlain, text);
  box.enable(kPlain);
  const std::string drop_ins =
      box.shell("cat /run/systemd/generator/" + std::string(kOurs) + ".d/*.conf");
  ASSERT_TRUE(scenario::contains(drop_ins, "ReadWritePaths"));

  std::vector<double> ours;
  std::vector<double> plain;
  for (std::size_t round = 0; round < rounds(); ++round) {
    host.box().power_off();
    box.unit(std::string(kPlain) + ".d/same.conf",
             drop_ins + "\n[Unit]\n" + (round % 2 == 0 ? "After=" : "Before=") + kOurs + "\n");
    ASSERT_TRUE(host.box().boot());
    ours.push_back(milliseconds(box, kOurs, "InactiveExit", "ActiveEnter"));
    plain.push_back(milliseconds(box, kPlain, "InactiveExit", "ActiveEnter"));
  }
  report("idle boot unit", ours, plain, 1.5);
}

}  // namespace
}  // namespace update::systemd
