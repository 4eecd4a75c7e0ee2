// Writes that really come short: strace(1) can make a call fail, but not let it write half of its
// bytes. A limit on the size of files does (setrlimit(2), RLIMIT_FSIZE): the write that reaches it
// is cut there, and the next one ends with EFBIG. The program ignores SIGXFSZ for that reason.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/program/cases.hpp"
#include "tests/crash/program/truth.hpp"

namespace update::crash {
namespace {

using scenario::Call;
using scenario::Faulted;
using scenario::Host;

// No part of a sector or a page, where a write would end by itself.
constexpr std::size_t kStepBytes = 1777;
// Less cuts off what the program says, and its hooks' logs.
constexpr std::size_t kLeastBytes = 700;

/// Whether fewer bytes were written than were given: "..., 4120, 32) = 1777", or without an offset.
bool is_short(const Call& call) {
  const std::string numbers = scenario::after_marker(call.text, "\", ");
  const std::string cut = scenario::after_marker(call.text, "\"..., ");
  std::istringstream given(cut.empty() ? numbers : cut);
  std::istringstream written(scenario::after_marker(call.text, ") = "));
  long long asked = 0;
  long long done = 0;
  given >> asked;
  written >> done;
  return done >= 0 && done < asked;
}

std::size_t largest_file(const Case& one) {
  Host twin;
  one.scenario.prepare(twin);
  twin.run(one.scenario.command(twin));
  std::size_t largest = 0;
  for (const auto& entry : std::filesystem::directory_iterator(twin.path("state"))) {
    if (entry.is_regular_file()) largest = std::max<std::size_t>(largest, entry.file_size());
  }
  return largest;
}

Findings try_limit(const Case& one, std::size_t limit, bool& cut) {
  Host host;
  one.scenario.prepare(host);
  const auto before = destinations_now(host);
  const Faulted run =
      scenario::run_with_faults(host, one.scenario, {}, "write,pwrite64",
                                {"prlimit", "--fsize=" + std::to_string(limit), "--"});
  cut = std::any_of(run.calls.begin(), run.calls.end(), is_short);
  Findings findings = each_file_whole(host, one.versions());
  append(findings, exit_code_is_true(host, one, run.ended, before));
  append(findings, recovers_to_one(host, one.versions()));
  return findings;
}

/// Limits below the programs, the plan, the journal and its log, one after another.
void sweep(const Case& one, std::size_t sample) {
  const std::size_t steps = (largest_file(one) - kLeastBytes) / kStepBytes;
  sweep_limits("short writes of " + one.name, {kLeastBytes, kStepBytes, steps}, sample,
               [&](std::size_t limit, bool& cut) { return try_limit(one, limit, cut); });
}

TEST(ShortWrites, OfAnApply) {
  sweep(good_apply(), 10);
}

TEST(ShortWrites, OfARollback) {
  sweep(rollback(), 8);
}

TEST(ShortWrites, OfARecover) {
  sweep(recovery_of("swap_1_renamed"), 8);
}

TEST(ShortWrites, OfAFirstInstall) {
  sweep(first_install(), 8);
}

}  // namespace
}  // namespace update::crash
