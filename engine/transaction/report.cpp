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

std::string_view state_name(Holds holds) {
  switch (holds) {
    case Holds::old_bytes: return "old";
    case Holds::new_bytes: return "new";
    case Holds::foreign: return "foreign";
  }
  return "";
}

std::string finished_state(const TransactionRecord& record, const JournalFile& file) {
  const auto& now = record.phase == Phase::committed ? file.new_sha256 : file.old_sha256;
  if (!now) return "absent";
  if (file.old_sha256 == file.new_sha256) return "unchanged";
  return record.phase == Phase::committed ? "new" : "old";
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
                                           const ConfiguredFile& configured,
                                           const JournalFile& file) {
  if (!file.old_sha256 || file.old_sha256 == file.new_sha256) return std::nullopt;
  const std::string previous =
      previous_name(configured.destination.name(), env.config.backup_suffix);
  const auto digest = known_digest(journal, file.destination, kAfterAll,
                                   folders.of(configured.destination), previous);
  if (digest && *digest == file.old_sha256) {
    return (configured.destination.parent() / previous).text();
  }
  return generation_path(env, state, *file.old_sha256);
}

const ConfiguredFile* configured_for(const Environment& env, const std::string& destination) {
  const auto found = std::find_if(
      env.config.files.begin(), env.config.files.end(),
      [&](const ConfiguredFile& file) { return file.destination.text() == destination; });
  return found == env.config.files.end() ? nullptr : &*found;
}

Result<std::vector<FileReport>> report_unfinished(const Environment& env, Journal& journal,
                                                  const TargetFolders& folders,
                                                  const TransactionRecord& record) {
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, journal.events_of(record.id));
  UPDATE_TRY_ASSIGN(const TransactionStory story, story_of(events));
  UPDATE_TRY_ASSIGN(const Plan plan, past_plan_from_text(story.plan_text, env.config));
  std::vector<FileReport> reports;
  for (const JournalFile& listed : record.files) {
    const auto planned = std::find_if(
        plan.files.begin(), plan.files.end(),
        [&](const PlannedFile& file) { return file.destination.text() == listed.destination; });
    FileReport report{listed, "foreign", {}};
    if (planned != plan.files.end()) {
      os::Folder& folder = folders.of(planned->destination);
      UPDATE_TRY_ASSIGN(const Holds holds, observe(folder, *planned));
      const bool absent = (holds == Holds::old_bytes && !planned->old_state) ||
                          (holds == Holds::new_bytes && !planned->new_state);
      report.state = planned->unchanged ? "unchanged" : absent ? "absent" : state_name(holds);
      const std::string backup = plan.backup_name_of(*planned);
      UPDATE_TRY_ASSIGN(const auto found, folder.lookup(backup));
      if (found) report.backup = (planned->destination.parent() / backup).text();
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace

Result<std::vector<FileReport>> report_files(const Environment& env, os::Folder& state,
                                             Journal& journal, const TransactionRecord& record) {
  UPDATE_TRY_ASSIGN(const TargetFolders folders,
                    TargetFolders::open(env.root, destinations_of(env.config)));
  if (!is_final(record.phase)) return report_unfinished(env, journal, folders, record);
  std::vector<FileReport> reports;
  for (const JournalFile& file : record.files) {
    FileReport report{file, finished_state(record, file), {}};
    if (const ConfiguredFile* configured = configured_for(env, file.destination)) {
      report.backup = finished_backup(env, state, journal, folders, *configured, file);
    }
    reports.push_back(std::move(report));
  }
  return reports;
}

namespace {

// What an update has removed is not missing.
std::string state_of_absent(const std::optional<JournalFile>& listing) {
  return listing && !listing->new_sha256 ? "ok" : "missing";
}

/// Is this the file that the newest committed update left there? What no update ever listed is.
Result<std::string> state_of_installed(os::Folder& folder, const std::string& name,
                                       const std::optional<JournalFile>& listing, bool thorough) {
  UPDATE_TRY_ASSIGN(const std::optional<os::FileInfo> found, folder.lookup(name));
  if (!found) return state_of_absent(listing);
  if (found->type != os::FileType::regular) return "changed";
  if (!listing) return "ok";
  if (!listing->new_sha256) return "changed";
  const bool recorded = listing->new_identity == identity_to_text(found->identity);
  if (recorded && !thorough) return "ok";
  UPDATE_TRY_ASSIGN(const auto digest, hash_if_there(folder, name));
  if (!digest) return state_of_absent(listing);
  return digest == listing->new_sha256 ? "ok" : "changed";
}

}  // namespace

Result<std::vector<InstalledFile>> report_installed(const Environment& env, Journal& journal,
                                                    bool thorough) {
  std::vector<InstalledFile> installed;
  for (const ConfiguredFile& configured : env.config.files) {
    const std::string destination = configured.destination.text();
    UPDATE_TRY_ASSIGN(const auto listing, journal.last_listing(destination, kAfterAll));
    InstalledFile report{configured.name, destination, state_of_absent(listing), {}};
    if (listing) report.expected = listing->new_sha256;
    const auto place = open_trusted_parent(env.root, configured.destination);
    if (place) {
      UPDATE_TRY_ASSIGN(report.state,
                        state_of_installed(*place->folder, place->name, listing, thorough));
    } else if (place.error().code() == ErrorCode::not_trusted) {
      return fail(place.error());
    }
    installed.push_back(std::move(report));
  }
  return installed;
}

Result<std::set<Sha256Digest>> available_digests(const Environment& env, os::Folder& state,
                                                 Journal& journal) {
  std::set<Sha256Digest> available;
  UPDATE_TRY_ASSIGN(const auto generations, find_generations(state));
  if (generations) {
    UPDATE_TRY_ASSIGN(const std::vector<std::string> names, (*generations)->list());
    for (const std::string& name : names) {
      if (const auto digest = parse_generation_name(name)) available.insert(*digest);
    }
  }
  for (const ConfiguredFile& configured : env.config.files) {
    const auto place = open_trusted_parent(env.root, configured.destination);
    if (!place) continue;
    const std::string name = configured.destination.name();
    for (const std::string& candidate : {name, previous_name(name, env.config.backup_suffix)}) {
      UPDATE_TRY_ASSIGN(const auto digest, known_digest(journal, configured.destination.text(),
                                                        kAfterAll, *place->folder, candidate));
      if (digest) available.insert(*digest);
    }
  }
  return available;
}

bool can_go_back_to(const TransactionRecord& record, const std::set<Sha256Digest>& available) {
  return record.phase == Phase::committed &&
         std::all_of(record.files.begin(), record.files.end(), [&](const JournalFile& file) {
           return !file.new_sha256 || available.contains(*file.new_sha256);
         });
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
