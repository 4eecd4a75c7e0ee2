// Memory that ends somewhere (setrlimit(2), RLIMIT_AS): malloc(3) then gives nothing, wherever that
// happens to be, and no error can be returned any more.

#include <gtest/gtest.h>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/program/cases.hpp"
#include "tests/crash/program/truth.hpp"

namespace update::crash {
namespace {

using scenario::Arguments;
using scenario::Ended;
using scenario::Host;
using scenario::Launch;

constexpr std::size_t kStepBytes = std::size_t{16} << 10;
// malloc(3) asks for 128 KiB at a time, and an update takes a few of these.
constexpr std::size_t kSteps = 128;

Ended run_within(const Host& host, std::size_t bytes, const Arguments& arguments) {
  Launch limited;
  limited.prefix = {"prlimit", "--as=" + std::to_string(bytes), "--"};
  return host.run(arguments, limited);
}

/// With less the dynamic loader does not come to main().
std::size_t least_bytes() {
  const Host host;
  std::size_t too_few = 0;
  std::size_t enough = std::size_t{1} << 30;
  while (enough - too_few > kStepBytes) {
    const std::size_t middle = too_few + (enough - too_few) / 2;
    (run_within(host, middle, {"--version"}).code == 0 ? enough : too_few) = middle;
  }
  return enough;
}

Findings try_limit(const Case& one, std::size_t limit, bool& met) {
  Host host;
  one.scenario.prepare(host);
  const auto before = destinations_now(host);
  const Ended ended = run_within(host, limit, one.scenario.command(host));
  met = ended.code != 0;
  Findings findings = each_file_whole(host, one.versions());
  append(findings, exit_code_is_true(host, one, ended, before));
  append(findings, recovers_to_one(host, one.versions()));
  return findings;
}

void sweep(const Case& one, std::size_t sample) {
  sweep_limits("low memory of " + one.name, {least_bytes(), kStepBytes, kSteps}, sample,
               [&](std::size_t limit, bool& met) { return try_limit(one, limit, met); });
}

TEST(LowMemory, OfAnApply) {
  sweep(good_apply(), 8);
}

TEST(LowMemory, OfARecover) {
  sweep(recovery_of("swap_1_renamed"), 8);
}

}  // namespace
}  // namespace update::crash
