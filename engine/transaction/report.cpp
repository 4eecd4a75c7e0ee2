#include "engine/transaction/report.hpp"

#include <algorithm>

#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/known_files.hpp"

namespace update {
namespace {

const PlannedFile* planned_for(const Plan& plan, const std::string& destination) {
  const auto found =
      std::find_if(plan.files.begin(), plan.files.end(),
                   [&](const PlannedFile& file) { return file.destination.text() == destination; });
  return found == plan.files.end() ? nullptr : &*found;
}

Result<Plan> recorded_plan(const Environment& env, Journal& journal, TransactionId id) {
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, journal.events_of(id));
  UPDATE_TRY_ASSIGN(const TransactionStory story, story_of(events));
  return past_plan_from_text(story.plan_text, env.config);
}

/// Left out of the swap. Where no plan tells (any more), equal bytes are taken for it.
bool is_unchanged(const Result<Plan>& plan, const JournalFile& file) {
  const PlannedFile* planned = plan ? planned_for(*plan, file.destination) : nullptr;
  return planned != nullptr ? planned->unchanged : file.old_sha256 == file.new_sha256;
}

/// What was there when it was abandoned, in the order of the files; nobody can tell from the
/// outcome.
std::vector<std::string> states_left(Journal& journal, const TransactionRecord& record) {
  if (record.phase != Phase::abandoned) return {};
  const auto events = journal.events_of(record.id);
  if (!events) return {};
  auto story = story_of(*events);
  return story ? std::move(story->left) : std::vector<std::string>();
}

std::string finished_state(const TransactionRecord& record, const JournalFile& file,
                           bool unchanged) {
  const bool committed = record.phase == Phase::committed;
  if (committed ? !file.new_sha256 : !had_old_file(file)) return "absent";
  if (unchanged) return "unchanged";
  return committed ? "new" : "old";
}

std::optional<std::string> generation_path(const Environment& env, os::Folder& state,
                                           const Sha256Digest& digest) {
  const auto kept = has_generation(state, digest);
  if (!kept || !*kept) return std::nullopt;
  return (env.config.state / std::string(kGenerationsName) / generation_name(digest)).text();
}

/// Where the old bytes of a finished transaction are: `.previous`, or a generation.
std::optional<std::string> finished_backup(const Environment& env, os::Folder& state,
                                           Journal& journal, const TargetFolders& folders,
                                           const JournalFile& file) {
  const ConfiguredFile* configured = env.config.find_file(file.destination);
  if (!file.old_sha256 || configured == nullptr) return std::nullopt;
  const AbsolutePath& destination = configured->destination;
  if (os::Folder* folder = folders.find_of(destination)) {
    const std::string previous = previous_name(destination.name(), env.config.backup_suffix);
    const auto digest = known_digest(journal, file.destination, kAfterAll, *folder, previous);
    if (digest && *digest == file.old_sha256) return (destination.parent() / previous).text();
  }
  return generation_path(env, state, *file.old_sha256);
}

/// What is there now.
Status look_now(const Plan& plan, const PlannedFile& planned, os::Folder& folder,
                FileReport& report) {
  UPDATE_TRY_ASSIGN(const Holds holds, observe(folder, planned));
  report.state = state_name(planned, holds);
  const std::string backup = plan.backup_name_of(planned);
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(backup));
  if (found) report.backup = (planned.destination.parent() / backup).text();
  return {};
}

Result<std::vector<FileReport>> report_unfinished(const Environment& env, Journal& journal,
                                                  const TargetFolders& folders,
                                                  const TransactionRecord& record) {
  UPDATE_TRY_ASSIGN(const Plan plan, recorded_plan(env, journal, record.id));
  std::vector<FileReport> reports;
  for (const JournalFile& listed : record.files) {
    FileReport report{listed, "foreign", {}};
    const PlannedFile* planned = planned_for(plan, listed.destination);
    os::Folder* folder = planned != nullptr ? folders.find_of(planned->destination) : nullptr;
    if (folder != nullptr) UPDATE_TRY(look_now(plan, *planned, *folder, report));
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace

Result<std::vector<FileReport>> report_files(const Environment& env, os::Folder& state,
                                             Journal& journal, const TransactionRecord& record) {
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::find(env.root, destinations_of(env.config)));
  if (!is_final(record.phase)) return report_unfinished(env, journal, folders, record);
  const auto plan = recorded_plan(env, journal, record.id);
  const std::vector<std::string> left = states_left(journal, record);
  std::vector<FileReport> reports;
  for (const JournalFile& file : record.files) {
    const bool unchanged = is_unchanged(plan, file);
    FileReport report{file, finished_state(record, file, unchanged), {}};
    if (left.size() == record.files.size()) report.state = left[reports.size()];
    if (!unchanged) report.backup = finished_backup(env, state, journal, folders, file);
    reports.push_back(std::move(report));
  }
  return reports;
}

namespace {

// What an update has removed, or what a release may lack, is not missing.
std::string state_of_absent(const ConfiguredFile& configured,
                            const std::optional<JournalFile>& listing) {
  const bool expected = listing ? listing->new_sha256.has_value() : !configured.optional;
  return expected ? "missing" : "ok";
}

/// Is this the file that the newest committed update left there? What no update ever listed is.
Result<std::string> state_of_installed(const Environment& env, const ConfiguredFile& configured,
                                       const std::optional<JournalFile>& listing, bool thorough) {
  UPDATE_TRY_ASSIGN(const auto place, find_trusted_parent(env.root, configured.destination));
  if (!place) return state_of_absent(configured, listing);
  os::Folder& folder = *place->folder;
  UPDATE_TRY_ASSIGN(const std::optional<os::FileInfo> found, folder.lookup(place->name));
  if (!found) return state_of_absent(configured, listing);
  if (found->type != os::FileType::regular) return "changed";
  if (!listing) return "ok";
  if (!listing->new_sha256) return "changed";
  const bool recorded = listing->new_identity == identity_to_text(found->identity);
  if (recorded && !thorough) return "ok";
  UPDATE_TRY_ASSIGN(const auto digest, hash_if_there(folder, place->name));
  if (!digest) return state_of_absent(configured, listing);
  return digest == listing->new_sha256 ? "ok" : "changed";
}

}  // namespace

Result<std::vector<InstalledFile>> report_installed(const Environment& env, Journal* journal,
                                                    bool thorough) {
  std::vector<InstalledFile> installed;
  for (const ConfiguredFile& configured : env.config.files) {
    const std::string destination = configured.destination.text();
    std::optional<JournalFile> listing;
    if (journal != nullptr) {
      UPDATE_TRY_ASSIGN(listing, journal->last_listing(destination, kAfterAll));
    }
    InstalledFile report{configured.name, destination, {}, {}};
    if (listing) report.expected = listing->new_sha256;
    UPDATE_TRY_ASSIGN(report.state, state_of_installed(env, configured, listing, thorough));
    installed.push_back(std::move(report));
  }
  return installed;
}

Result<WayBack> find_way_back(const Environment& env, os::Folder& state, Journal& journal) {
  std::set<Sha256Digest> generations;
  UPDATE_TRY_ASSIGN(const auto folder, find_generations(state));
  if (folder) {
    UPDATE_TRY_ASSIGN(const std::vector<std::string> names, (*folder)->list());
    for (const std::string& name : names) {
      if (const auto digest = parse_generation_name(name)) generations.insert(*digest);
    }
  }
  WayBack way;
  UPDATE_TRY_ASSIGN(way.unconfigured, journal.destinations());
  std::erase_if(way.unconfigured, [&](const std::string& destination) {
    return env.config.find_file(destination) != nullptr;
  });
  for (const ConfiguredFile& configured : env.config.files) {
    const std::string destination = configured.destination.text();
    std::set<Sha256Digest>& here = way.digests[destination];
    here = generations;
    const auto place = open_trusted_parent(env.root, configured.destination);
    if (!place) continue;
    for (const std::string& candidate :
         {place->name, previous_name(place->name, env.config.backup_suffix)}) {
      UPDATE_TRY_ASSIGN(const auto digest,
                        known_digest(journal, destination, kAfterAll, *place->folder, candidate));
      if (digest) here.insert(*digest);
    }
  }
  return way;
}

Result<bool> can_go_back_to(Journal& journal, const TransactionRecord& record, const WayBack& way) {
  if (record.phase != Phase::committed) return false;
  for (const std::string& destination : way.unconfigured) {
    UPDATE_TRY_ASSIGN(const bool changed, was_changed_since(journal, destination, record.id));
    if (changed) return false;
  }
  for (const auto& [destination, digests] : way.digests) {
    UPDATE_TRY_ASSIGN(const auto held, held_after(journal, record.id, destination));
    if (!held || !held->existed()) continue;
    if (!held->sha256() || !digests.contains(*held->sha256())) return false;
  }
  return true;
}

std::vector<std::string> package_owned(const Environment& env) {
  std::vector<std::string> owned;
  if (env.offline()) return owned;
  constexpr std::int64_t kTimeoutMs = 10000;
  for (const ConfiguredFile& file : env.config.files) {
    const std::string path = file.destination.text();
    for (const std::vector<std::string>& argv :
         {std::vector<std::string>{"dpkg-query", "-S", "--", path},
          std::vector<std::string>{"rpm", "-qf", "--", path}}) {
      os::Command command;
      command.argv = argv;
      command.timeout_ms = kTimeoutMs;
      command.environment = {{"PATH", "/usr/sbin:/usr/bin:/sbin:/bin"}, {"LC_ALL", "C.UTF-8"}};
      const auto result = env.system.processes.run(command);
      if (!result || !result->passed()) continue;
      const std::string package = result->output.substr(0, result->output.find_first_of(":\n"));
      owned.push_back(path + " (" + escape(package) + ")");
      break;
    }
  }
  return owned;
}

}  // namespace update
