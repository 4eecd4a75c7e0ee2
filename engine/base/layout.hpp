#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"
#include "engine/base/types.hpp"

// Every name that this program gives to something on disk is made, and recognised, here and nowhere
// else.
namespace update {

// In the state folder.
inline constexpr std::string_view kJournalName = "journal.db";
inline constexpr std::string_view kJournalWalName = "journal.db-wal";
inline constexpr std::string_view kJournalShmName = "journal.db-shm";
inline constexpr std::string_view kIntentName = "intent";
inline constexpr std::string_view kHeadName = "head";
inline constexpr std::string_view kLockName = "lock";
inline constexpr std::string_view kReserveName = "reserve";
inline constexpr std::string_view kGenerationsName = "generations";

/// What a journal that cannot be read is set aside as; `suffix` is "" or that of a side file
/// ("-wal").
std::string broken_journal_name(std::int64_t wall_us, std::string_view suffix);

/// The name of a version's bytes in the folder of generations, and back.
std::string generation_name(const Sha256Digest& digest);
std::optional<Sha256Digest> parse_generation_name(std::string_view name);

/// The unit, and the timer, that end an update which takes too long. Each arming has a number of
/// its own: the id is another product's too, and the unit of the arming before may still run.
std::string expiry_unit_name(TransactionId id, std::uint32_t random);
/// The unit into which an update moves that would be ended by its own restarts, or with a session.
std::string apart_unit_name(std::int64_t pid, std::uint32_t random);
/// One of these, or of those that the package installs for the boot: in none of them is an update
/// anybody else's part.
bool is_own_unit(std::string_view name);

/// What sets the names of one transaction apart: its id, and a random number, so that a name of an
/// earlier life of the journal can never be taken for one of this.
struct TransactionTag {
  TransactionId id;
  std::uint32_t random = 0;
  auto operator<=>(const TransactionTag&) const = default;
};

/// Beside a destination: the new bytes before the swap, and the old bytes from the backup on.
std::string staged_name(std::string_view destination_name, const TransactionTag& tag);
std::string backup_name(std::string_view destination_name, const TransactionTag& tag);
/// Of a file in the making, outside any transaction.
std::string helper_temporary_name(std::string_view name, std::uint32_t random);
/// The version before, once an update was committed.
std::string previous_name(std::string_view destination_name, std::string_view suffix);

enum class OwnNameKind : std::uint8_t { staged, backup, helper };

/// A name that only this program makes.
struct OwnName {
  OwnNameKind kind;
  std::string destination_name;
  TransactionTag tag;  ///< id 0 for a helper's
};

/// Recognises exactly what the functions above make: nothing that merely looks alike is ever ours
/// to remove.
std::optional<OwnName> parse_own_name(std::string_view name);

/// usage if one of the names above would be longer than a file name may be (NAME_MAX, 255 bytes).
Status check_name_lengths(std::string_view destination_name, std::string_view suffix);

}  // namespace update
