#include "tests/crash/power_cut/trial.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

namespace update::crash {

namespace fs = std::filesystem;
using scenario::Ended;
using scenario::InstalledFile;

namespace {

bool among(const std::vector<std::string>& versions, const std::string& version) {
  return std::find(versions.begin(), versions.end(), version) != versions.end();
}

std::string on_disk(const scenario::Host& host) {
  const auto& files = host.settings().files;
  const bool none = std::none_of(files.begin(), files.end(), [](const InstalledFile& file) {
    return scenario::present(file.destination);
  });
  return none ? "absent" : host.installed();
}

void add(Findings& findings, const Findings& more) {
  findings.insert(findings.end(), more.begin(), more.end());
}

}  // namespace

Trial::Trial(RecordedHost& recorded, const Recording& recording, Update update)
    : host_(&recorded.host()),
      recording_(&recording),
      update_(std::move(update)),
      last_hash_(recorded.last_hash()) {}

std::vector<std::string> Trial::outcomes(const CutState& state) const {
  if (state.reached == Reached::report) return {update_.reported};
  if (state.reached == Reached::restart && !update_.in_restart.empty()) {
    return {update_.in_restart};
  }
  return update_.versions;
}

void Trial::lay_out(const CutState& state, AlsoLost also_lost) {
  crash::lay_out(play(*recording_, state.fates), recording_->root, recording_->folders);
  if (also_lost == AlsoLost::intent) fs::remove(host_->path("state/intent"));
  if (also_lost != AlsoLost::journal) return;
  for (const char* name : {"journal.db", "journal.db-wal"}) {
    fs::remove(host_->path("state/") + name);
  }
}

Findings Trial::findings(const CutState& state, AlsoLost also_lost) {
  lay_out(state, also_lost);
  Findings findings = each_file_whole(*host_, update_.versions);
  const Ended recovered = host_->run({"recover"});
  const std::string said = recovered.out + recovered.err;
  const bool intended = state.reached == Reached::swap || state.reached == Reached::restart;
  if (also_lost == AlsoLost::journal && !intended && recovered.code == 4 &&
      scenario::contains(said, host_->path("bin/"))) {
    add(findings, each_file_whole(*host_, update_.versions));
    return findings;
  }
  if (recovered.code != 0) {
    findings.push_back("recover ended with " + std::to_string(recovered.code) + ": " + said);
  }
  if (also_lost == AlsoLost::journal) {
    add(findings, look(update_.versions, update_.kept_without_journal));
  } else {
    add(findings, look(outcomes(state), update_.kept));
    check_journal(findings);
    // Before a head is written the chain has no other end to be compared with.
    if (may_hold_head(state)) check_chain(state, findings);
  }
  return findings;
}

Findings Trial::more_findings(const CutState& state) {
  Findings findings;
  // `verify` has nothing to compare before a first update: exit status 9.
  const bool nothing_yet = on_disk(*host_) == "absent";
  if (!nothing_yet) findings = check_recovered(*host_, outcomes(state));
  add(findings, check_usable(*host_, "3.0.0"));
  if (nothing_yet) add(findings, check_recovered(*host_, {"3.0.0"}));
  return findings;
}

void Trial::check_chain(const CutState& state, Findings& findings) const {
  scenario::Arguments command = {"history", "verify"};
  // What was reported is durable: a hash that was kept elsewhere is still part of the chain.
  if (state.reached == Reached::report) command.insert(command.end(), {"--expect", last_hash_});
  const Ended ended = host_->run(command);
  if (ended.code == 0) return;
  findings.push_back("history verify ended with " + std::to_string(ended.code) + ": " + ended.out +
                     ended.err);
}

bool Trial::may_hold_head(const CutState& state) const {
  for (std::size_t index = 0; index < state.fates.size(); ++index) {
    const Operation& each = recording_->operations[index];
    if (each.kind == Kind::data && scenario::contains(each.text, "state/head")) return true;
  }
  return false;
}

Findings Trial::look(const std::vector<std::string>& allowed,
                     const std::vector<std::string>& kept) const {
  Findings findings = each_file_whole(*host_, allowed);
  const std::string version = on_disk(*host_);
  if (!among(allowed, version)) findings.push_back("not one version that may be: " + version);
  check_names(findings);
  check_kept(kept, findings);
  return findings;
}

void Trial::check_names(Findings& findings) const {
  for (const std::string& name : host_->leftovers()) findings.push_back("left behind: " + name);
  static const std::set<std::string> kOwn = {"journal.db", "journal.db-wal", "journal.db-shm",
                                             "intent",     "head",           "lock",
                                             "reserve",    "generations"};
  if (!scenario::present(host_->path("state"))) return;
  for (const auto& entry : fs::directory_iterator(host_->path("state"))) {
    const std::string name = entry.path().filename();
    const bool set_aside = name.find(".broken-") != std::string::npos;
    if (kOwn.count(name) == 0 && !set_aside) findings.push_back("left behind: state/" + name);
  }
}

void Trial::check_kept(const std::vector<std::string>& kept, Findings& findings) const {
  std::set<std::string> held;
  for (const char* folder : {"bin", "state/generations"}) {
    if (!scenario::present(host_->path(folder))) continue;
    for (const auto& entry : fs::directory_iterator(host_->path(folder))) {
      held.insert(scenario::read_file(entry.path()));
    }
  }
  for (const std::string& version : kept) {
    for (const InstalledFile& file : host_->settings().files) {
      if (held.count(scenario::program(file.name, version)) != 0) continue;
      findings.push_back("the only copy of " + file.name + " " + version + " is gone");
    }
  }
}

void Trial::check_journal(Findings& findings) const {
  const Ended ended = host_->run({"--output", "json", "status"});
  if (ended.code != 0) {
    findings.push_back("status ended with " + std::to_string(ended.code) + ": " + ended.out +
                       ended.err);
    return;
  }
  Json status = ended.json();
  const std::string version = on_disk(*host_);
  const bool none_yet = version == "absent" && status["installed_version"].is_null();
  if (!none_yet && status["installed_version"] != version) {
    findings.push_back("the journal says " + status["installed_version"].dump() +
                       ", the disk holds " + version);
  }
  if (!status["unfinished"].is_null()) findings.push_back("unfinished: " + status.dump());
}

}  // namespace update::crash
