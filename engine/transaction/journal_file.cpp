#include "engine/transaction/journal_file.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include "engine/base/layout.hpp"
#include "engine/transaction/small_file.hpp"
#include "engine/transaction/state_folder.hpp"

namespace update {
namespace {

constexpr std::int64_t kIndexPatienceMs = 2000;
constexpr std::int64_t kIndexPollMs = 5;
constexpr std::string_view kUnreadableHint =
    "nothing is lost yet: run 'banger-update recover' to set the journal aside and bring the host "
    "to one version";

Result<std::uint64_t> size_of(os::Folder& folder, std::string_view name) {
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(std::string(name)));
  return found ? found->identity.size : 0;
}

std::uint32_t big_endian(std::span<const std::byte> bytes) {
  std::uint32_t value = 0;
  for (const std::byte byte : bytes) value = value << 8U | std::to_integer<std::uint32_t>(byte);
  return value;
}

bool is_page_size(std::uint64_t bytes) {
  return bytes >= 512 && bytes <= 65536 && (bytes & (bytes - 1)) == 0;
}

/// https://www.sqlite.org/fileformat2.html, "The WAL File Format".
bool is_wal_header(std::span<const std::byte, 32> header) {
  constexpr std::uint32_t kMagic = 0x377f0682;  // its last bit is the order of the checksums' bytes
  return (big_endian(header.first(4)) & ~1U) == kMagic &&
         is_page_size(big_endian(header.subspan(8, 4)));
}

/// May there be commits that are in the WAL alone? To SQLite one without a whole header and a frame
/// is an empty one, such as an updater leaves that is stopped right after it has begun it. But a
/// reader that may not write the index would read that header again for 10 s before it gives up
/// (walBeginShmUnreliable in SQLite's wal.c: it never matches an index that was made of no header).
Result<bool> wal_has_frames(os::Folder& state) {
  std::array<std::byte, 32> header{};
  UPDATE_TRY_ASSIGN(const std::uint64_t size, size_of(state, kJournalWalName));
  if (size <= header.size()) return false;
  const auto file = state.open_file(std::string(kJournalWalName));
  // Put aside meanwhile, with the journal that it belonged to.
  if (!file && file.error().system_errno() == ENOENT) return false;
  if (!file) return fail(file.error());
  UPDATE_TRY_ASSIGN(const std::size_t count, (*file)->read_at(header, 0));
  return count == header.size() && is_wal_header(header);
}

/// https://www.sqlite.org/fileformat2.html, "The Database Header".
bool is_whole_database(std::span<const std::byte, 100> header, std::uint64_t file_size,
                       bool has_wal) {
  constexpr std::string_view kMagic("SQLite format 3\0", 16);
  if (std::memcmp(header.data(), kMagic.data(), kMagic.size()) != 0) return false;
  const std::uint32_t stored_page = big_endian(header.subspan(16, 2));
  const std::uint64_t page = stored_page == 1 ? 65536 : stored_page;
  if (!is_page_size(page)) return false;
  // While a WAL has frames the file may be shorter than its header says: a checkpoint that was
  // stopped wrote page 1 before the last pages, and the WAL still has them.
  return has_wal || file_size >= page * big_endian(header.subspan(28, 4));
}

Result<bool> has_signs_of_a_past(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const std::uint64_t intent, size_of(state, kIntentName));
  UPDATE_TRY_ASSIGN(const std::uint64_t head, size_of(state, kHeadName));
  UPDATE_TRY_ASSIGN(const auto generations, state.lookup(std::string(kGenerationsName)));
  return intent > 0 || head > 0 || generations.has_value();
}

/// Renames `name` out of the way; false if it is not there.
Result<bool> set_aside(os::Folder& state, std::string_view name, const std::string& aside) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(name)));
  if (!found) return false;
  UPDATE_TRY(state.rename(std::string(name), aside));
  return true;
}

/// The side files first: a -wal that is found beside another database would be taken for its own.
/// For the same reason all of it is durable before the new journal gets its name.
Status set_journal_aside(os::Folder& state, std::int64_t now_us) {
  bool any = false;
  for (const std::string_view suffix : {"-wal", "-shm", ""}) {
    UPDATE_TRY_ASSIGN(const bool moved, set_aside(state, std::string(kJournalName).append(suffix),
                                                  broken_journal_name(now_us, suffix)));
    any = any || moved;
  }
  return any ? state.sync() : Status();
}

JournalLocation location_of(const Environment& env, const os::Folder& state,
                            std::string_view name) {
  const std::string path = state.path() + "/" + std::string(name);
  return {env.root.on_host(path), env.journal_vfs, path};
}

}  // namespace

Result<JournalCondition> inspect_journal(os::Folder& state) {
  UPDATE_TRY_ASSIGN(const auto found, state.lookup(std::string(kJournalName)));
  if (found && found->type != os::FileType::regular) {
    return fail(ErrorCode::not_trusted,
                state.path() + "/" + std::string(kJournalName) + " is not a regular file");
  }
  if (!found || found->identity.size == 0) {
    UPDATE_TRY_ASSIGN(const bool past, has_signs_of_a_past(state));
    return past ? JournalCondition::lost : JournalCondition::none;
  }
  std::array<std::byte, 100> header{};
  UPDATE_TRY_ASSIGN(const auto file, state.open_file(std::string(kJournalName)));
  UPDATE_TRY_ASSIGN(const std::size_t count, file->read_at(header, 0));
  UPDATE_TRY_ASSIGN(const bool wal, wal_has_frames(state));
  const bool sound = count == header.size() && is_whole_database(header, found->identity.size, wal);
  return sound ? JournalCondition::sound : JournalCondition::lost;
}

JournalLocation journal_location(const Environment& env, const os::Folder& state) {
  return location_of(env, state, kJournalName);
}

Status check_against_head(const Environment& env, const os::Folder& state, Journal& journal,
                          const std::optional<Head>& head) {
  if (!head) return {};
  UPDATE_TRY_ASSIGN(const std::optional<Event> named, journal.event(head->seq));
  if (named && named->hash == head->hash) return {};
  UPDATE_TRY_ASSIGN(const std::optional<Event> last, journal.last_event());
  const bool begins_later = !named && last && last->seq > head->seq;
  if (begins_later) return {};
  return fail(Error(ErrorCode::journal_damaged,
                    journal_location(env, state).shown +
                        " was cut off or exchanged: it lacks the event that 'head' knows")
                  .hint(std::string(kUnreadableHint)));
}

Status make_journal(const Environment& env, os::Folder& state, std::int64_t first_seq,
                    const std::vector<NewEvent>& first) {
  const std::string temporary = helper_temporary_name(kJournalName, env.system.host.random_u32());
  {
    UPDATE_TRY_ASSIGN(const auto file, state.create_file(temporary, kPrivateFile));
    // If the machine stops here, an empty file with a helper's name is left, which recover
    // collects.
    UPDATE_TRY(Journal::create(location_of(env, state, temporary), first_seq, first));
    UPDATE_TRY(file->sync());
  }
  UPDATE_TRY(set_journal_aside(state, env.system.clock.wall_us()));
  // If the machine stops here, a journal is missing beside an intent or a head: lost, as before.
  return state.rename(temporary, std::string(kJournalName));
}

namespace {

Result<Journal> try_to_read(const Environment& env, os::Folder& state, bool lock_held) {
  UPDATE_TRY_ASSIGN(const bool wal, wal_has_frames(state));
  const JournalLocation location = journal_location(env, state);
  // `immutable` promises SQLite that nobody writes: true only while nobody updates.
  const bool quiet = lock_held || lock_is_free(state);
  if (!wal && quiet) return Journal::open_for_reading(location, Journal::ReadMode::immutable);
  auto shared = Journal::open_for_reading(location, Journal::ReadMode::shared);
  if (shared || shared.error().code() == ErrorCode::journal_damaged) return shared;
  // No -shm, and none can be made (a full disk, a read-only mount). Without a writer the index of
  // the WAL may be kept in this process's memory.
  if (!quiet) {
    return fail(std::move(shared)
                    .error()
                    .with("cannot read the journal while an update runs")
                    .hint("wait for it to end, then try again"));
  }
  return Journal::open_for_reading(location, Journal::ReadMode::exclusive);
}

}  // namespace

Result<Journal> read_journal_in(const Environment& env, os::Folder& state, bool lock_held) {
  // An updater that opens the journal empties the index of its WAL and makes it anew a moment
  // later, unless it is stopped in between: then its lock is free, and nobody waits.
  const std::int64_t deadline_ms = env.system.clock.monotonic_ms() + kIndexPatienceMs;
  while (true) {
    auto journal = try_to_read(env, state, lock_held);
    if (journal || journal.error().code() != ErrorCode::busy) return journal;
    if (env.system.clock.monotonic_ms() >= deadline_ms) return journal;
    if (!env.system.clock.wait_ms(kIndexPollMs)) return journal;
  }
}

Result<std::optional<ReadableJournal>> open_journal_for_reading(const Environment& env) {
  UPDATE_TRY_ASSIGN(auto state, find_state_folder(env));
  if (!state) return std::nullopt;
  UPDATE_TRY_ASSIGN(const JournalCondition condition, inspect_journal(**state));
  if (condition == JournalCondition::none) return std::nullopt;
  if (condition == JournalCondition::lost) {
    return fail(Error(ErrorCode::journal_damaged, "cannot read the journal " +
                                                      journal_location(env, **state).shown +
                                                      ": it is missing, cut off or damaged")
                    .hint(std::string(kUnreadableHint)));
  }
  auto journal = read_journal_in(env, **state, false);
  if (!journal) {
    return fail(std::move(journal)
                    .error()
                    .with("cannot read the journal")
                    .hint(std::string(kUnreadableHint)));
  }
  if (const Status writable = journal->check_writable(); !writable) {
    env.observer.warning(writable.error().message());
  }
  UPDATE_TRY_ASSIGN(const std::optional<Head> head, read_head(**state));
  return ReadableJournal{std::move(*state), std::move(*journal), head};
}

Result<std::optional<ReadableJournal>> open_believable_journal(const Environment& env) {
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  if (readable) {
    UPDATE_TRY(check_against_head(env, *readable->state, readable->journal, readable->head));
  }
  return readable;
}

}  // namespace update
