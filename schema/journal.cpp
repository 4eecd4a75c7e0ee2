// Writing. An event is hashed and inserted; everything else about it is the schema's: its triggers
// refuse what is not legal and keep the other tables. If the machine stops inside append(), the
// events are all there or none is.
#include "schema/journal.hpp"

#include <array>
#include <string>
#include <utility>

#include "schema/database.hpp"
#include "schema/journal_state.hpp"
#include "schema/migrate.hpp"

namespace update {
namespace {

struct ChainEnd {
  std::int64_t seq = 0;
  Sha256Digest hash;
};

// The anchor and the last event are written in one SQL transaction, so that no crash can part them.
// Appending to a chain whose end was cut off would hide that: the caller sets such a journal aside.
Result<ChainEnd> chain_end(Database& database) {
  UPDATE_TRY_ASSIGN(
      Statement select,
      database.statement("SELECT anchor.seq, anchor.hash, event.seq, event.hash FROM anchor "
                         "LEFT JOIN event ON event.seq = (SELECT max(seq) FROM event)"));
  UPDATE_TRY_ASSIGN(const bool found, select.step());
  if (!found) return fail(database.damaged("the anchor is missing"));
  Row row = select.row();
  const std::int64_t seq = row.integer(0);
  const Sha256Digest hash = row.digest(1);
  const std::optional<std::int64_t> last_seq = row.optional_integer(2);
  const std::optional<Sha256Digest> last_hash = row.optional_digest(3);
  UPDATE_TRY(row.status());
  const bool agrees = last_seq ? last_seq == seq && last_hash == hash : hash.hex() == kZeroHash;
  if (agrees) return ChainEnd{seq, hash};
  return fail(database.damaged("the last event is " + std::to_string(last_seq.value_or(0)) +
                               ", but the anchor says " + std::to_string(seq) +
                               ", or another hash"));
}

std::string describe(const NewEvent& event) {
  if (!event.transaction) return "a note about the journal";
  const std::string of = " of transaction " + std::to_string(event.transaction->value);
  const std::string from(event.from ? name_of(*event.from) : "(none)");
  return from + " -> " + std::string(event.to ? name_of(*event.to) : "(none)") + of;
}

Result<std::vector<Event>> add_events(Database& database, std::span<const NewEvent> events) {
  UPDATE_TRY_ASSIGN(ChainEnd end, chain_end(database));
  std::vector<Event> added;
  added.reserve(events.size());
  for (const NewEvent& given : events) {
    // SQLite's JSON functions stop at a NUL, so what follows it would be hashed but never judged.
    if (given.detail.find('\0') != std::string::npos) {
      return fail(ErrorCode::failed, describe(given) + ": the detail holds a NUL");
    }
    Event event{end.seq + 1, given.transaction, given.from, given.to,
                given.at_us, given.detail,      end.hash,   end.hash};
    event.hash = hash_of(event);
    if (Status inserted = insert_event(database, event); !inserted) {
      return fail(std::move(inserted).error().with(describe(given)));
    }
    end = ChainEnd{event.seq, event.hash};
    added.push_back(std::move(event));
  }
  return added;
}

Status build(Database& database, std::int64_t first_seq, std::span<const NewEvent> first) {
  const std::string id = "PRAGMA application_id = " + std::to_string(kApplicationId);
  UPDATE_TRY(database.execute(id.c_str()));
  UPDATE_TRY(migrate(database, migrations()));
  UPDATE_TRY_ASSIGN(SqlTransaction transaction, SqlTransaction::begin(database));
  {
    UPDATE_TRY_ASSIGN(Statement anchor, database.statement("UPDATE anchor SET seq = ?1"));
    UPDATE_TRY(anchor.bind(first_seq - 1));
    UPDATE_TRY(anchor.run());
  }
  UPDATE_TRY(add_events(database, first));
  UPDATE_TRY(transaction.commit());
  // The mode is two bytes of the header. The WAL that this makes stays empty, and closing removes
  // it.
  UPDATE_TRY(database.use_wal());
  return database.close();
}

}  // namespace

Result<Event> read_event(Row row) {
  std::optional<TransactionId> transaction;
  if (const auto id = row.optional_integer(1)) transaction = TransactionId{*id};
  Event event{row.integer(0), transaction, row.optional_phase(2), row.optional_phase(3),
              row.integer(4), row.text(5), row.digest(6),         row.digest(7)};
  UPDATE_TRY(row.status());
  return event;
}

Sha256Digest hash_of(const Event& event) {
  Sha256 hash;
  hash.update(event.previous_hash.bytes());
  const auto add_length = [&hash](std::uint64_t length) {
    std::array<std::byte, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>(length >> (56 - 8 * i) & 0xffU);
    }
    hash.update(bytes);
  };
  const auto add = [&](const std::optional<std::string>& text) {
    add_length(text ? text->size() : ~std::uint64_t{0});
    if (text) hash.update(*text);
  };
  const auto phase = [](const std::optional<Phase>& value) {
    return value ? std::optional<std::string>(name_of(*value)) : std::nullopt;
  };
  add(std::to_string(event.seq));
  add(event.transaction ? std::optional(std::to_string(event.transaction->value)) : std::nullopt);
  add(std::to_string(event.at_us));
  add(phase(event.from));
  add(phase(event.to));
  add(event.detail);
  return hash.finish();
}

Status insert_event(Database& database, const Event& event) {
  UPDATE_TRY_ASSIGN(Statement insert,
                    database.statement("INSERT INTO event (" UPDATE_EVENT_COLUMNS
                                       ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"));
  std::optional<std::int64_t> transaction;
  if (event.transaction) transaction = event.transaction->value;
  const std::string previous = event.previous_hash.hex();
  const std::string hash = event.hash.hex();
  UPDATE_TRY(insert.bind(event.seq, transaction, event.from, event.to, event.at_us,
                         std::string_view(event.detail), std::string_view(previous),
                         std::string_view(hash)));
  return insert.run();
}

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Journal::Journal(Journal&&) noexcept = default;
Journal& Journal::operator=(Journal&&) noexcept = default;
Journal::~Journal() = default;

Status Journal::create(const JournalLocation& location, std::int64_t first_seq,
                       std::span<const NewEvent> first) {
  if (first_seq < 1) return fail(ErrorCode::failed, "a journal can't begin below event 1");
  UPDATE_TRY_ASSIGN(Database database,
                    Database::open(location.path, location.vfs, OpenMode::create, location.shown));
  Status built = build(database, first_seq, first);
  // Nobody knows the file yet, so a COMMIT that failed is no riddle here.
  if (!built && built.error().code() == ErrorCode::commit_unknown) {
    const bool full =
        Error::from_errno(built.error().system_errno(), "").code() == ErrorCode::no_space;
    return fail(std::move(built).error().as(full ? ErrorCode::no_space : ErrorCode::failed));
  }
  return built;
}

Result<std::int64_t> min_writer_of(Database& database) {
  return database.integer("SELECT min_writer FROM compatibility");
}

namespace {

/// newer_journal: this program may only read it.
Status check_writer(Database& database, const std::string& path, std::int64_t schema) {
  UPDATE_TRY_ASSIGN(const std::int64_t min_writer, min_writer_of(database));
  if (min_writer <= newest_schema()) return {};
  return fail(
      Error(ErrorCode::newer_journal,
            path + ": was written by a newer banger-update (schema " + std::to_string(schema) +
                "); only one that knows schema " + std::to_string(min_writer) +
                " or a newer one may change it, this one knows " + std::to_string(newest_schema()))
          .hint("install the newer banger-update again"));
}

}  // namespace

Result<Journal> Journal::open(const JournalLocation& location) {
  UPDATE_TRY_ASSIGN(Database database,
                    Database::open(location.path, location.vfs, OpenMode::write, location.shown));
  UPDATE_TRY_ASSIGN(const std::int64_t schema, schema_of(database));
  UPDATE_TRY(check_writer(database, path_of(database.handle()), schema));
  UPDATE_TRY(database.use_wal());
  return Journal(std::make_unique<State>(State{std::move(database), schema}));
}

Result<Journal> Journal::open_for_reading(const JournalLocation& location, ReadMode mode) {
  OpenMode how = OpenMode::read_shared;
  if (mode == ReadMode::immutable) how = OpenMode::read_immutable;
  if (mode == ReadMode::exclusive) how = OpenMode::read_exclusive;
  UPDATE_TRY_ASSIGN(Database database,
                    Database::open(location.path, location.vfs, how, location.shown));
  UPDATE_TRY_ASSIGN(const std::int64_t schema, schema_of(database));
  return Journal(std::make_unique<State>(State{std::move(database), schema}));
}

Status Journal::check_writable() {
  // Most journals are of our schema: nothing is read for them.
  if (state_->schema <= newest_schema()) return {};
  return check_writer(state_->database, path_of(state_->database.handle()), state_->schema);
}

Result<bool> Journal::migrate() {
  UPDATE_TRY(state_->database.set_synchronous(2));
  Result<bool> migrated = update::migrate(state_->database, migrations());
  if (!migrated) {
    state_->commit_failed = migrated.error().code() == ErrorCode::commit_unknown;
    return migrated;
  }
  UPDATE_TRY_ASSIGN(state_->schema, schema_of(state_->database));
  return migrated;
}

Result<std::vector<Event>> Journal::append(std::span<const NewEvent> events,
                                           Durability durability) {
  Database& database = state_->database;
  if (state_->commit_failed) {
    return fail(ErrorCode::failed, "an earlier COMMIT failed: the journal must be opened anew");
  }
  if (sqlite3_db_readonly(database.handle(), "main") != 0) {
    return fail(ErrorCode::failed, path_of(database.handle()) + ": was opened for reading");
  }
  UPDATE_TRY(database.set_synchronous(durability == Durability::durable ? 2 : 1));
  UPDATE_TRY_ASSIGN(SqlTransaction transaction, SqlTransaction::begin(database));
  UPDATE_TRY_ASSIGN(std::vector<Event> added, add_events(database, events));
  if (Status committed = transaction.commit(); !committed) {
    state_->commit_failed = true;
    return fail(std::move(committed).error());
  }
  return added;
}

Result<std::uint64_t> Journal::wal_bytes() {
  // Every checkpoint of ours truncates, so that the size of the file is that of its frames.
  sqlite3_file* file = nullptr;
  const int code =
      sqlite3_file_control(state_->database.handle(), "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
  if (code != SQLITE_OK) return fail(state_->database.error(code, "the WAL"));
  if (file == nullptr || file->pMethods == nullptr) return 0;
  sqlite3_int64 size = 0;
  const int sized = file->pMethods->xFileSize(file, &size);
  if (sized != SQLITE_OK) return fail(state_->database.error(sized, "the size of the WAL"));
  return static_cast<std::uint64_t>(size);
}

Status Journal::checkpoint() {
  Database& database = state_->database;
  int frames = 0;
  int moved = 0;
  const int code = sqlite3_wal_checkpoint_v2(database.handle(), "main", SQLITE_CHECKPOINT_TRUNCATE,
                                             &frames, &moved);
  if (code != SQLITE_OK) return fail(database.error(code, "checkpoint"));
  // -1: not in WAL mode, so that there was nothing that could have been moved.
  if (frames == moved && frames >= 0) return {};
  return fail(ErrorCode::failed, "the checkpoint moved " + std::to_string(moved) + " of " +
                                     std::to_string(frames) + " frames");
}

}  // namespace update
