#include "tests/crash/host_invariants.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace update::crash {

using scenario::Ended;
using scenario::Host;
using scenario::InstalledFile;

namespace {

constexpr const char* kAbsent = "absent";

bool among(const std::vector<std::string>& versions, const std::string& version) {
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

std::string what_it_said(const std::string& command, const Ended& ended) {
  return command + " ended with " + std::to_string(ended.code) + ": " + ended.out + ended.err;
}

bool holds_one_of(const InstalledFile& file, const std::vector<std::string>& versions) {
  if (!scenario::present(file.destination)) return among(versions, kAbsent);
  const std::string bytes = scenario::read_file(file.destination);
  return std::any_of(versions.begin(), versions.end(), [&](const std::string& version) {
    return bytes == scenario::program(file.name, version);
  });
}

/// Nobody else is there: what takes so long waits for nobody. SQLite gives up after 10 s.
constexpr std::chrono::seconds kPatience{8};

Ended run_alone(const Host& host, const scenario::Arguments& command, Findings& findings) {
  const auto start = std::chrono::steady_clock::now();
  Ended ended = host.run(command);
  if (std::chrono::steady_clock::now() - start > kPatience) {
    findings.push_back(command.back() + " waited for nobody");
  }
  return ended;
}

/// The one version on disk, "absent" for a host without any of the programs, else what each holds.
std::string version_on_disk(const Host& host) {
  const auto& files = host.settings().files;
  const bool none = std::none_of(files.begin(), files.end(), [](const InstalledFile& file) {
    return scenario::present(file.destination);
  });
  return none ? kAbsent : host.installed();
}

void check_status(const Host& host, const std::string& installed, Findings& findings) {
  const Ended ended = run_alone(host, {"--output", "json", "status"}, findings);
  if (ended.code != 0) {
    findings.push_back(what_it_said("status", ended));
    return;
  }
  Json status = ended.json();
  if (!status["unfinished"].is_null()) findings.push_back("unfinished: " + status.dump());
  const Json& said = status["installed_version"];
  const bool known = said.is_string() && said.get<std::string>() == installed;
  // Before a first update is committed the journal knows no version, whatever is on the disk.
  if (!known && !said.is_null()) {
    findings.push_back("the journal says " + said.dump() + ", the disk holds " + installed);
  }
}

}  // namespace

Findings each_file_whole(const Host& host, const std::vector<std::string>& versions) {
  Findings findings;
  for (const InstalledFile& file : host.settings().files) {
    if (holds_one_of(file, versions)) continue;
    findings.push_back(scenario::present(file.destination)
                           ? file.destination + " holds neither the old nor the new bytes: " +
                                 scenario::read_file(file.destination).substr(0, 200)
                           : file.destination + " is missing");
  }
  return findings;
}

Findings check_recovered(Host& host, const std::vector<std::string>& versions) {
  Findings findings = each_file_whole(host, versions);
  const std::string installed = version_on_disk(host);
  if (!among(versions, installed)) findings.push_back("not one version: " + installed);
  for (const std::string& name : host.leftovers()) findings.push_back("left behind: " + name);
  check_status(host, installed, findings);
  for (const auto& command : {scenario::Arguments{"verify"}, {"history", "verify"}}) {
    const Ended ended = run_alone(host, command, findings);
    if (ended.code != 0) findings.push_back(what_it_said(command.back(), ended));
  }
  const Ended again = run_alone(host, {"--output", "json", "recover"}, findings);
  if (again.code != 0) {
    findings.push_back(what_it_said("a second recover", again));
  } else if (Json report = again.json(); !report["recovered"].is_null()) {
    findings.push_back("a second recover found something to do: " + report.dump());
  }
  return findings;
}

Findings recover_and_check(Host& host, const std::vector<std::string>& versions) {
  Findings findings;
  const Ended recovered = run_alone(host, {"recover"}, findings);
  const Findings found = check_recovered(host, versions);
  findings.insert(findings.end(), found.begin(), found.end());
  if (recovered.code != 0) findings.push_back(what_it_said("recover", recovered));
  return findings;
}

Findings check_usable(Host& host, const std::string& version) {
  Findings findings;
  const Ended applied = host.run({"apply", host.release(version)});
  if (applied.code != 0) findings.push_back(what_it_said("the next apply", applied));
  if (host.installed() != version) {
    findings.push_back("the next apply left " + host.installed() + ", not " + version);
  }
  return findings;
}

std::string to_message(const Findings& findings) {
  std::string message;
  for (const std::string& finding : findings) message += "- " + finding + "\n";
  return message;
}

}  // namespace update::crash
