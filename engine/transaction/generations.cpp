#include "engine/transaction/generations.hpp"

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "engine/base/layout.hpp"
#include "engine/image/file/clone_file.hpp"
#include "engine/transaction/events.hpp"
#include "engine/transaction/known_files.hpp"
#include "engine/transaction/small_file.hpp"
#include "engine/transaction/state_folder.hpp"

namespace update {
namespace {

// How far back old states are looked for; older ones are beyond any retention.
constexpr std::size_t kFewUpdates = 8;
constexpr std::size_t kManyUpdates = 512;

/// Makes the folder durable at once: a generation's own name is synced in it later, its folder's
/// name must not be lost.
Result<std::unique_ptr<os::Folder>> make_generations(os::Folder& state) {
  const std::string name(kGenerationsName);
  auto made = state.create_folder(name, kPrivateFolder);
  if (!made && made.error().system_errno() == EEXIST) return state.open_folder(name);
  if (!made) return made;
  UPDATE_TRY(state.sync());
  return made;
}

/// By way of a temporary name, so that a generation's name never stands for half a file.
Status copy_generation(Session& session, os::Folder& folder, const std::string& name,
                       os::Folder& generations, const std::string& generation) {
  const std::string temporary =
      helper_temporary_name(generation, session.env().system.host.random_u32());
  UPDATE_TRY_ASSIGN(const auto source, folder.open_file(name));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source->info());
  UPDATE_TRY_ASSIGN(const auto target, generations.create_file(temporary, kPrivateFile));
  const auto copy = [&]() -> Status {
    UPDATE_TRY(target->reserve(info.identity.size));
    UPDATE_TRY(copy_contents(*source, *target));
    UPDATE_TRY(target->sync());
    return generations.rename(temporary, generation);
  };
  Status copied = copy();
  if (!copied) {
    const auto removed = generations.unlink(temporary);
    static_cast<void>(removed);
  }
  return copied;
}

using InstalledState = std::map<std::string, std::optional<Sha256Digest>>;

void add_digests(const InstalledState& state, std::set<Sha256Digest>& digests) {
  for (const auto& [destination, digest] : state) {
    if (digest) digests.insert(*digest);
  }
}

Result<InstalledState> present_state(Journal& journal, const Configuration& config) {
  InstalledState state;
  for (const ConfiguredFile& file : config.files) {
    UPDATE_TRY_ASSIGN(const auto listing, journal.last_listing(file.destination.text(), kAfterAll));
    if (listing) state[file.destination.text()] = listing->new_sha256;
  }
  return state;
}

/// What the journal's newest updates say of versions.
struct Versions {
  std::set<Sha256Digest> known;   ///< of the installed state and of old ones
  std::set<Sha256Digest> needed;  ///< for the newest old states within the retention; the installed
                                  ///< one is not counted unless it is not known to be installed
};

Result<Versions> versions_of(Journal& journal, const Configuration& config) {
  const auto retention = static_cast<std::size_t>(config.generations);
  UPDATE_TRY_ASSIGN(const auto installed, journal.installed_version());
  for (const std::size_t updates : {kFewUpdates, kManyUpdates}) {
    Versions versions;
    UPDATE_TRY_ASSIGN(InstalledState state, present_state(journal, config));
    add_digests(state, versions.known);
    // After an update that was abandoned nobody knows what the destinations hold.
    if (!installed) add_digests(state, versions.needed);
    std::set<InstalledState> seen = {state};
    HistoryFilter committed;
    committed.limit = updates;
    committed.outcome = std::string(name_of(Phase::committed));
    UPDATE_TRY_ASSIGN(const auto newest_first, journal.list(committed));
    for (const TransactionRecord& record : newest_first) {
      for (const JournalFile& file : record.files) state[file.destination] = file.old_sha256;
      add_digests(state, versions.known);
      // Going to and fro between two versions makes no third one.
      if (!seen.insert(state).second || seen.size() > retention + 1) continue;
      add_digests(state, versions.needed);
    }
    // One more than is needed must be known, so that it can go.
    if (seen.size() > retention + 1 || newest_first.size() < updates) return versions;
    if (updates == kManyUpdates) return versions;
  }
  return Versions{};
}

}  // namespace

Result<std::optional<std::unique_ptr<os::Folder>>> find_generations(os::Folder& state) {
  auto opened = state.open_folder(std::string(kGenerationsName));
  if (opened) return std::optional(std::move(*opened));
  if (opened.error().system_errno() == ENOENT) return std::nullopt;
  return fail(std::move(opened).error());
}

Result<bool> store_generation(Session& session, os::Folder& folder, const std::string& name,
                              const Sha256Digest& digest) {
  UPDATE_TRY_ASSIGN(const auto generations, make_generations(session.state()));
  const std::string generation = generation_name(digest);
  UPDATE_TRY_ASSIGN(const auto state, look_at(folder, name));
  if (!state) return fail(Error::from_errno(ENOENT, folder.path() + "/" + name));
  UPDATE_TRY_ASSIGN(const auto found, generations->lookup(generation));
  if (found) {
    if (found->identity.same_inode(*state->identity)) return false;
    UPDATE_TRY_ASSIGN(const Sha256Digest present, hash_named(*generations, generation));
    if (present == digest) return false;
    // A name that lies about its bytes must not pass for them.
    UPDATE_TRY(copy_generation(session, folder, name, *generations, generation));
    return true;
  }
  if (!state->privileged()) {
    const Status linked = folder.link(name, *generations, generation);
    if (linked) return true;
    const int number = linked.error().system_errno();
    if (number != EXDEV && number != EPERM && number != EMLINK && number != EOPNOTSUPP) {
      return fail(linked.error());
    }
  }
  UPDATE_TRY(copy_generation(session, folder, name, *generations, generation));
  return true;
}

Status sync_generations(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto generations, find_generations(state));
  return generations ? (*generations)->sync() : Status();
}

Result<Pruned> prune_generations(Session& session, Prune what) {
  Pruned pruned;
  UPDATE_TRY_ASSIGN(const auto generations, find_generations(session.state()));
  if (!generations) return pruned;
  UPDATE_TRY_ASSIGN(const Versions versions, versions_of(session.journal(), session.env().config));
  UPDATE_TRY_ASSIGN(const std::vector<Sha256Digest> kept, session.journal().kept());
  const std::set<Sha256Digest> for_a_person(kept.begin(), kept.end());
  UPDATE_TRY_ASSIGN(const std::vector<std::string> names, (*generations)->list());
  std::vector<NewEvent> notes;
  for (const std::string& name : names) {
    const auto digest = parse_generation_name(name);
    if (!digest || versions.needed.contains(*digest)) continue;
    const bool removable = what == Prune::everything ||
                           (versions.known.contains(*digest) && !for_a_person.contains(*digest));
    if (!removable) continue;
    UPDATE_TRY_ASSIGN(const auto info, (*generations)->lookup(name));
    UPDATE_TRY_ASSIGN(const bool removed, (*generations)->unlink(name));
    if (!removed || !info) continue;
    pruned.digests.push_back(*digest);
    pruned.bytes += info->identity.size;
    if (for_a_person.contains(*digest)) {
      notes.push_back(session.make_event({}, {}, {}, pruned_detail(*digest)));
    }
  }
  if (!notes.empty()) UPDATE_TRY(session.record_all(notes, Durability::durable));
  return pruned;
}

Result<bool> has_generation(os::Folder& state, const Sha256Digest& digest) {
  UPDATE_TRY_ASSIGN(const auto generations, find_generations(state));
  if (!generations) return false;
  UPDATE_TRY_ASSIGN(const auto found, (*generations)->lookup(generation_name(digest)));
  return found.has_value();
}

}  // namespace update
