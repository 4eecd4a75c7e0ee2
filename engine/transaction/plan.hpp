#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/layout.hpp"
#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/types.hpp"
#include "engine/installation/configuration.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/os/process_table.hpp"

namespace update {

/// A file as it is on disk, or as it is to be.
struct FileState {
  std::optional<Sha256Digest> sha256;  ///< none only for an old file that nobody has hashed yet
  std::uint64_t size = 0;
  std::uint32_t mode = 0;  ///< 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  os::Attributes attributes;
  std::optional<os::FileIdentity> identity;  ///< of the inode that holds it, once there is one

  /// Set-id bits or file capabilities: a second name for such an inode would keep the privilege
  /// alive after an update that takes it away (CVE-2010-2059), so its backup is a copy without
  /// them.
  bool privileged() const;
  /// Equal but for bytes and inode: mode, owner, attributes.
  bool same_metadata(const FileState& other) const;
};

inline constexpr std::string_view kCapabilityAttribute = "security.capability";
inline constexpr std::uint32_t kSetIdBits = 06000;

enum class Change : std::uint8_t { replace, install, remove, unchanged };
std::string_view name_of(Change change);

struct PlannedFile {
  std::string name;                    ///< in the release
  AbsolutePath destination;            ///< as configured
  std::optional<FileState> old_state;  ///< none: absent
  std::optional<FileState> new_state;
  bool unchanged = false;  ///< old and new are equal: left out of the swap

  Change change() const;
};

/// The main process of a unit, as it was before the update.
struct MainProcess {
  os::ProcessId id;
  std::string boot_id;
  std::optional<std::string> destination;  ///< which of the update's files it ran, if one
};

struct PlannedUnit {
  std::string name;
  bool was_active = false;    ///< what was stopped stays stopped (F7)
  std::string activity = {};  ///< systemd's own words for what it was before
  std::string enablement = {};
  std::optional<MainProcess> main = {};
};

enum class TransactionKind : std::uint8_t { apply, rollback };
std::string_view name_of(TransactionKind kind);

/// What a doctor run before the update said: `passed`, or why not.
struct BaselineResult {
  bool passed = false;
  std::string summary;
};

/// All that a transaction is going to do, resolved before its first byte is staged. Written into
/// the journal when it begins and again, with the identities of the staged files, at the intent to
/// swap.
struct Plan {
  TransactionTag tag;
  TransactionKind kind = TransactionKind::apply;
  std::optional<std::string> from_version;
  std::optional<std::string> to_version;
  std::optional<TransactionId> target;  ///< of `rollback --to`
  bool restart = true;                  ///< false: --no-restart, or nothing to restart
  bool doctor = true;
  bool reinstall = false;  ///< equal files are swapped too
  std::string backup_suffix;
  std::string notes;                     ///< the release's
  std::optional<std::string> signed_by;  ///< the key's id; none: accepted unsigned
  std::optional<BaselineResult> baseline;
  std::vector<PlannedUnit> units;
  std::int64_t deadline_ms = 0;  ///< how long it may take from its first restart on; 0: no limit
  std::vector<PlannedFile> files;

  std::string staged_name_of(const PlannedFile& file) const;
  std::string backup_name_of(const PlannedFile& file) const;
};

/// One JSON object on one line.
std::string plan_to_text(const Plan& plan);

/// The inverse, of text that may have been tampered with: a wrong type, a missing key, a name that
/// layout.hpp would not make is journal_damaged. What it changes must be configured, else
/// needs_operator:
/// a journal is no licence to write elsewhere.
Result<Plan> plan_from_text(std::string_view text, const Configuration& config);

/// The same for looking back: destinations that are no longer configured are left out.
Result<Plan> past_plan_from_text(std::string_view text, const Configuration& config);

/// The plan of an intent file. One that was written whole but cannot be understood is `failed`:
/// another version of this program wrote it, and that one has to finish it.
Result<Plan> intended_plan(std::string_view text, const Configuration& config);

/// The id alone, of a text that plan_from_text may refuse; nullopt where there is none.
std::optional<TransactionId> plan_id_from_text(std::string_view text);

/// What FileIdentity is in the journal: "device:inode:size:mtime_ns". An empty or bad text is none.
std::string identity_to_text(const os::FileIdentity& identity);
std::optional<os::FileIdentity> identity_from_text(std::string_view text);

}  // namespace update
