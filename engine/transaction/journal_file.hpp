#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/head.hpp"
#include "schema/journal.hpp"

// The journal as a file: is it there, can it be believed, how it is made and how it is set aside.
namespace update {

enum class JournalCondition : std::uint8_t {
  none,   ///< no journal, and no sign that there ever was one
  sound,  ///< as far as size and header tell
  lost,   ///< missing or empty beside an intent, a head or generations; or cut off, or no database
};

/// Looks at names, sizes and the first 100 bytes; SQLite is not asked.
Result<JournalCondition> inspect_journal(os::Folder& state);

JournalLocation journal_location(const Environment& env, const os::Folder& state);

/// journal_damaged if the journal ends before the event that the head knows, or holds another in
/// its place: it was cut off or exchanged, and is lost like one that cannot be read, for what was
/// added to it would make the head forget. What a head knows of the journal before this one is no
/// contradiction.
Status check_against_head(const Environment& env, const os::Folder& state, Journal& journal,
                          const std::optional<Head>& head);

/// Makes a journal whose first events are `first`, under a temporary name, synced, and gives it its
/// name. What had the name before, with its side files, is first renamed to
/// journal.db.broken-<time>, never deleted. The names become durable with the first event that is
/// added: SQLite syncs the folder with the first sync of a WAL (unixSync and SQLITE_OPEN_WAL in
/// os_unix.c). Until then a power cut takes back nothing but an empty beginning.
Status make_journal(const Environment& env, os::Folder& state, std::int64_t first_seq,
                    const std::vector<NewEvent>& first);

/// A journal for `status` and its like: nothing is created, nothing is waited for.
struct ReadableJournal {
  std::unique_ptr<os::Folder> state;
  Journal journal;
  std::optional<Head> head;
};

/// nullopt: nothing was ever installed here. A journal that cannot be read is an error, never
/// nullopt (F11).
Result<std::optional<ReadableJournal>> open_journal_for_reading(const Environment& env);

/// The same for whoever acts on what the journal says: also an error where check_against_head is
/// one. The history of a cut-off journal is worth reading; what is installed, it cannot tell.
Result<std::optional<ReadableJournal>> open_believable_journal(const Environment& env);

/// The same where the state folder is open already. `lock_held`: by this process.
Result<Journal> read_journal_in(const Environment& env, os::Folder& state, bool lock_held);

}  // namespace update
