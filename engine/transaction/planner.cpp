#include "engine/transaction/planner.hpp"

#include <algorithm>
#include <map>

#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/installation/accounts.hpp"
#include "engine/transaction/generations.hpp"
#include "engine/transaction/known_files.hpp"
#include "engine/transaction/planning.hpp"
#include "engine/transaction/state_folder.hpp"

namespace update {
namespace {

const ManifestFile* find_file(const Manifest& manifest, const std::string& name) {
  const auto found = std::find_if(manifest.files.begin(), manifest.files.end(),
                                  [&](const ManifestFile& file) { return file.name == name; });
  return found == manifest.files.end() ? nullptr : &*found;
}

Status check_product(const Environment& env, const Manifest& manifest) {
  if (manifest.product != env.config.product) {
    return fail(ErrorCode::not_trusted, "the release is of the product '" +
                                            escape(manifest.product) + "', not '" +
                                            env.config.product + "'");
  }
  if (manifest.expires_us && env.system.clock.wall_us() >= *manifest.expires_us) {
    return fail(ErrorCode::not_trusted,
                "the release expired at " + format_time(*manifest.expires_us));
  }
  return {};
}

/// Both ways: what the release brings is configured, and what is configured is brought.
Status check_files(const Environment& env, const Manifest& manifest) {
  for (const ManifestFile& file : manifest.files) {
    const bool configured =
        std::any_of(env.config.files.begin(), env.config.files.end(),
                    [&](const ConfiguredFile& known) { return known.name == file.name; });
    if (!configured) {
      return fail(Error(ErrorCode::not_trusted, "the release has a file '" + escape(file.name) +
                                                    "' that the configuration does not name")
                      .hint("add a [[file]] for it to the configuration"));
    }
  }
  for (const ConfiguredFile& file : env.config.files) {
    if (!file.optional && find_file(manifest, file.name) == nullptr) {
      return fail(Error(ErrorCode::not_trusted, "the release lacks the file '" + file.name + "'")
                      .hint("say `optional = true` in its [[file]] if a release may lack it"));
    }
  }
  return {};
}

Status check_versions(const Environment& env, const Manifest& manifest, const Plan& plan,
                      const ApplyOptions& options) {
  if (options.allow_downgrade || env.config.trust.allow_downgrade) return {};
  constexpr const char* kHint = "use --allow-downgrade to install it all the same";
  std::optional<Version> installed;
  if (plan.from_version) {
    UPDATE_TRY_ASSIGN(installed, Version::parse(*plan.from_version));
  }
  if (installed && manifest.version < *installed) {
    return fail(Error(ErrorCode::refused, "version " + manifest.version.text() +
                                              " is older than the installed " + installed->text())
                    .hint(kHint));
  }
  if (manifest.minimum_version && (!installed || *installed < *manifest.minimum_version)) {
    return fail(Error(ErrorCode::refused,
                      "the release can only be installed over version " +
                          manifest.minimum_version->text() + " or newer, and " +
                          (installed ? installed->text() + " is installed"
                                     : std::string("no version is known to be installed")))
                    .hint(kHint));
  }
  return {};
}

/// What chmod(2) makes of an ACL: the entries that stand for the mode follow it, and for the group
/// the mask does, where there is one (acl(5)). In the form of getxattr(2), 4 bytes are followed by
/// entries of 8: two bytes of tag, two of permissions, an id.
std::string acl_with_mode(std::string acl, std::uint32_t mode) {
  constexpr std::size_t kHeaderBytes = 4;
  constexpr std::size_t kEntryBytes = 8;
  constexpr char kOwner = 0x01;
  constexpr char kGroup = 0x04;
  constexpr char kMask = 0x10;
  constexpr char kOther = 0x20;
  bool masked = false;
  for (std::size_t at = kHeaderBytes; at + kEntryBytes <= acl.size(); at += kEntryBytes) {
    masked = masked || acl[at] == kMask;
  }
  for (std::size_t at = kHeaderBytes; at + kEntryBytes <= acl.size(); at += kEntryBytes) {
    char& permissions = acl[at + 2];
    if (acl[at] == kOwner) permissions = static_cast<char>((mode >> 6U) & 7U);
    if (acl[at] == (masked ? kMask : kGroup)) permissions = static_cast<char>((mode >> 3U) & 7U);
    if (acl[at] == kOther) permissions = static_cast<char>(mode & 7U);
  }
  return acl;
}

Result<FileState> wanted_state(const Environment& env, const ConfiguredFile& configured,
                               const ManifestFile& brought,
                               const std::optional<FileState>& present) {
  FileState wanted;
  wanted.sha256 = brought.sha256;
  wanted.size = brought.size;
  wanted.mode = present ? present->mode : brought.mode;
  // A given mode cannot speak of set-id bits; a present file's are carried.
  if (configured.mode) wanted.mode = *configured.mode | (wanted.mode & kSetIdBits);
  wanted.uid = present ? present->uid : env.system.host.uid();
  wanted.gid = present ? present->gid : env.system.host.gid();
  if (configured.owner) {
    UPDATE_TRY_ASSIGN(wanted.uid, user_id(env.root, *configured.owner));
  }
  if (configured.group) {
    UPDATE_TRY_ASSIGN(wanted.gid, group_id(env.root, *configured.group));
  }
  if (present) wanted.attributes = present->attributes;
  const auto acl = wanted.attributes.find(os::kAccessAcl);
  if (acl != wanted.attributes.end()) acl->second = acl_with_mode(acl->second, wanted.mode);
  return wanted;
}

}  // namespace

Result<std::optional<FileState>> look_at_present(Journal* journal, os::Folder& folder,
                                                 const AbsolutePath& destination) {
  UPDATE_TRY_ASSIGN(std::optional<FileState> present, look_at(folder, destination.name()));
  if (!present) return present;
  if (journal != nullptr) {
    UPDATE_TRY_ASSIGN(present->sha256, digest_by_identity(*journal, destination.text(), kAfterAll,
                                                          *present->identity));
  }
  return present;
}

Status check_previous(os::Folder& folder, const AbsolutePath& destination,
                      const std::string& backup_suffix) {
  const std::string previous = previous_name(destination.name(), backup_suffix);
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(previous));
  if (!found || found->type != os::FileType::folder) return {};
  return fail(Error(ErrorCode::failed, folder.path() + "/" + previous +
                                           " is a folder, and the old version is kept by that name")
                  .hint("move it away"));
}

Status check_destinations(const TargetFolders& folders, os::Folder* state,
                          const std::string& backup_suffix) {
  UPDATE_TRY(folders.check_distinct(backup_suffix));
  if (state == nullptr) return {};
  UPDATE_TRY(folders.check_not_in(*state));
  UPDATE_TRY_ASSIGN(const auto generations, find_generations(*state));
  return generations ? folders.check_not_in(**generations) : Status();
}

void mark_unchanged(PlannedFile& file) {
  const bool both_absent = !file.old_state && !file.new_state;
  const bool equal = file.old_state && file.new_state && file.old_state->sha256 &&
                     file.old_state->sha256 == file.new_state->sha256 &&
                     file.old_state->same_metadata(*file.new_state);
  file.unchanged = both_absent || equal;
  if (equal) file.new_state->identity = file.old_state->identity;
}

bool all_unchanged(const Plan& plan) {
  return std::all_of(plan.files.begin(), plan.files.end(),
                     [](const PlannedFile& file) { return file.unchanged; });
}

Result<PlannedUpdate> plan_apply(const Environment& env, Journal* journal, os::Folder* state,
                                 const TargetFolders& folders, Release& release,
                                 const ApplyOptions& options, TransactionTag tag) {
  const Manifest& manifest = release.manifest();
  UPDATE_TRY(check_product(env, manifest));
  UPDATE_TRY(check_files(env, manifest));
  UPDATE_TRY(check_destinations(folders, state, env.config.backup_suffix));
  PlannedUpdate update;
  Plan& plan = update.plan;
  plan.tag = tag;
  plan.kind = TransactionKind::apply;
  plan.reinstall = options.reinstall;
  plan.backup_suffix = env.config.backup_suffix;
  plan.notes = manifest.notes;
  plan.to_version = manifest.version.text();
  if (release.signature()) plan.signed_by = release.signature()->key_id;
  if (journal != nullptr) {
    UPDATE_TRY_ASSIGN(plan.from_version, journal->installed_version());
  }
  UPDATE_TRY(check_versions(env, manifest, plan, options));
  const bool same_version = plan.from_version == plan.to_version;
  for (const ConfiguredFile& configured : env.config.files) {
    const ManifestFile* brought = find_file(manifest, configured.name);
    if (brought == nullptr) continue;
    UPDATE_TRY_ASSIGN(os::Folder* const folder, folders.need(configured.destination));
    UPDATE_TRY(check_previous(*folder, configured.destination, env.config.backup_suffix));
    PlannedFile file{configured.name, configured.destination, {}, {}, false};
    UPDATE_TRY_ASSIGN(file.old_state, look_at_present(journal, *folder, file.destination));
    // Only to say "already installed" must the present bytes be known now; else they are hashed
    // beside the staging.
    if (same_version && file.old_state && !file.old_state->sha256) {
      UPDATE_TRY_ASSIGN(file.old_state->sha256, hash_named(*folder, file.destination.name()));
    }
    UPDATE_TRY_ASSIGN(file.new_state, wanted_state(env, configured, *brought, file.old_state));
    if (!options.reinstall) mark_unchanged(file);
    plan.files.push_back(std::move(file));
    update.sources.push_back(step::Source{&release.folder(), configured.name, std::nullopt, false});
  }
  update.nothing_to_do = same_version && all_unchanged(plan);
  if (update.nothing_to_do) return update;
  UPDATE_TRY(plan_services(env, plan, options.restart, options.doctor));
  UPDATE_TRY(check_space(state, folders, plan, update.sources));
  return update;
}

Status take_baseline(const Environment& env, Plan& plan) {
  if (!plan.doctor) return {};
  UPDATE_TRY_ASSIGN(plan.baseline, step::baseline(env, plan));
  // A rollback is what helps where the host is sick.
  const bool required =
      plan.kind == TransactionKind::apply && env.config.doctor.baseline == Baseline::require;
  if (plan.baseline->passed || !required) return {};
  return fail(Error(ErrorCode::refused, "the host is not healthy before the update: the doctor " +
                                            plan.baseline->summary)
                  .hint("mend it first, or say `baseline = \"record\"` in [doctor]"));
}

namespace {

// What a file system writes beside the bytes: names, an inode's own block, a journal's pages.
constexpr std::uint64_t kBlockBytes = 4096;
constexpr std::uint64_t kNamesBytes = 16 * kBlockBytes;
constexpr std::uint64_t kJournalBytes = 512 * 1024;

std::uint64_t in_blocks(std::uint64_t bytes) {
  return (bytes + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
}

struct Need {
  std::string path;
  std::uint64_t bytes = 0;
  std::uint64_t inodes = 0;
  os::Space space;
};

using NeedByDevice = std::map<std::uint64_t, Need>;

Status add_need(NeedByDevice& needs, os::Folder& folder, std::uint64_t bytes,
                std::uint64_t inodes) {
  UPDATE_TRY_ASSIGN(const os::Space space, folder.space());
  Need& need = needs[space.device];
  if (need.path.empty()) {
    need.path = folder.path();
    need.space = space;
    need.bytes = kNamesBytes;
  }
  need.bytes += bytes;
  need.inodes += inodes;
  return {};
}

/// A second name costs nothing, but there is none across file systems.
Result<bool> can_link(const std::optional<step::Source>& source, os::Folder& target) {
  if (!source || !source->may_link) return false;
  UPDATE_TRY_ASSIGN(const os::Space there, source->folder->space());
  UPDATE_TRY_ASSIGN(const os::Space here, target.space());
  return there.device == here.device;
}

Status check_need(const Need& need) {
  if (need.bytes > need.space.free_bytes) {
    return fail(ErrorCode::no_space, need.path + ": " + std::to_string(need.bytes) +
                                         " bytes are needed, " +
                                         std::to_string(need.space.free_bytes) + " are free");
  }
  if (need.inodes > need.space.free_inodes) {
    return fail(ErrorCode::no_space, need.path + ": " + std::to_string(need.inodes) +
                                         " inodes are needed, " +
                                         std::to_string(need.space.free_inodes) + " are free");
  }
  return {};
}

}  // namespace

Status check_space(os::Folder* state, const TargetFolders& folders, const Plan& plan,
                   const std::vector<std::optional<step::Source>>& sources) {
  NeedByDevice needs;
  for (std::size_t index = 0; index < plan.files.size(); ++index) {
    const PlannedFile& file = plan.files[index];
    if (file.unchanged) continue;
    os::Folder& folder = folders.of(file.destination);
    UPDATE_TRY_ASSIGN(const bool linked, can_link(sources.at(index), folder));
    if (file.new_state && !linked) {
      UPDATE_TRY(add_need(needs, folder, in_blocks(file.new_state->size), 1));
    }
    if (file.old_state && file.old_state->privileged()) {
      UPDATE_TRY(add_need(needs, folder, in_blocks(file.old_state->size), 1));
    }
  }
  // A rollback is what a full disk may be waiting for: its journal has the reserve.
  if (state != nullptr && plan.kind != TransactionKind::rollback) {
    UPDATE_TRY_ASSIGN(const auto reserve, state->lookup(std::string(kReserveName)));
    UPDATE_TRY(add_need(needs, *state, kJournalBytes + (reserve ? 0 : kReserveBytes), 1));
  }
  for (const auto& [device, need] : needs) UPDATE_TRY(check_need(need));
  return {};
}

}  // namespace update
