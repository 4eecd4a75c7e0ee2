#include "tests/crash/program/truth.hpp"

#include <gtest/gtest.h>

#include "tests/crash/sampling.hpp"

namespace update::crash {

using scenario::Ended;
using scenario::Host;
using scenario::InstalledFile;

namespace {

struct Status {
  std::string installed;  // by the journal; "absent" where it knows of none
  bool unfinished = false;
};

Status journal_says(const Host& host) {
  Json status = host.run({"--output", "json", "status"}).json();
  const Json& version = status["installed_version"];
  return {version.is_string() ? version.get<std::string>() : "absent",
          !status["unfinished"].is_null()};
}

std::string on_disk(const Host& host) {
  return destinations_now(host).empty() ? "absent" : host.installed();
}

void expect_finished(const Host& host, const std::string& version, Findings& findings) {
  if (on_disk(host) != version) findings.push_back("the disk holds " + on_disk(host));
  const Status status = journal_says(host);
  if (status.unfinished) findings.push_back("the journal says unfinished");
  // A version that no update of ours installed is not known to it.
  if (status.installed != version && status.installed != "absent") {
    findings.push_back("the journal says " + status.installed);
  }
}

bool is_recover(const Case& one) {
  return one.name.rfind("recover", 0) == 0;
}

void expect_done(const Host& host, const Case& one, Findings& findings) {
  if (!is_recover(one)) {
    expect_finished(host, one.after, findings);
    if (journal_says(host).installed != one.after) findings.push_back("not committed");
    return;
  }
  const std::string version = on_disk(host);
  if (version != one.before && version != one.after) findings.push_back("a mix: " + version);
  expect_finished(host, version, findings);
}

}  // namespace

std::map<std::string, std::string> destinations_now(const Host& host) {
  std::map<std::string, std::string> found;
  for (const InstalledFile& file : host.settings().files) {
    if (!scenario::present(file.destination)) continue;
    found[file.destination] = scenario::read_file(file.destination);
  }
  return found;
}

Findings exit_code_is_true(const Host& host, const Case& one, const Ended& ended,
                           const std::map<std::string, std::string>& before) {
  Findings findings;
  switch (ended.code) {
    case 0: expect_done(host, one, findings); break;
    case 3: expect_finished(host, one.before, findings); break;
    case 4:
    case 10: break;  // it may be between two versions, and recover_and_check looks at the end of it
    case 1:
    case 2:
    case 5:
    case 6:
    case 7:
    case 8:
    case 9:
      if (destinations_now(host) != before) findings.push_back("something was changed");
      break;
    default: findings.push_back("an end that nobody can rely on"); break;
  }
  if (ended.code == 3 && is_recover(one)) findings.push_back("recover never gives 3");
  if (findings.empty()) return findings;
  findings.push_back("but the exit code is " + std::to_string(ended.code) + ", signal " +
                     std::to_string(ended.signal) + ": " + ended.out + ended.err);
  return findings;
}

void sweep_limits(const std::string& name, const Limits& limits, std::size_t sample,
                  const std::function<Findings(std::size_t limit, bool& met)>& try_limit) {
  Tally tally{name};
  tally.recorded = limits.count;
  for (const std::size_t step : chosen_points(limits.count, limits.count / sample)) {
    const std::size_t limit = limits.least + step * limits.step;
    bool met = false;
    const Findings findings = try_limit(limit, met);
    ++tally.tried;
    tally.reached += met ? 1U : 0U;
    tally.held += findings.empty() ? 1U : 0U;
    EXPECT_TRUE(findings.empty()) << name << ", within " << limit << " bytes\n"
                                  << to_message(findings);
  }
  tally.report();
}

}  // namespace update::crash
