#include <sys/stat.h>

#include <cerrno>
#include <fstream>

#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"
#include "tests/schema/sync_counter.hpp"

namespace update::test {
namespace {

using Names = std::vector<std::string>;

std::string base_name(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Create, LeavesOneCompleteFileAndSyncsNothing) {
  const JournalFolder folder;
  SyncRecorder syncs;
  create_journal(folder.journal(), 5, {journal_note(R"({"note":"journal_lost"})")});
  EXPECT_EQ(syncs.take(), Names{});
  EXPECT_EQ(folder.names(), Names{"journal.db"});
  // sqlite.org/fileformat2.html: 2 and 2 are WAL; the size in pages is that of the file.
  const std::string bytes = bytes_of(folder.journal());
  ASSERT_GT(bytes.size(), 4096U);
  EXPECT_EQ(bytes[18], 2);
  EXPECT_EQ(bytes[19], 2);
  EXPECT_EQ(bytes.substr(68, 4), "bngU");
  // Complete without a WAL, even for who may not make one.
  Journal journal =
      value_of(Journal::open_for_reading({folder.journal(), ""}, Journal::ReadMode::immutable));
  EXPECT_EQ(value_of(journal.last_event())->seq, 5);
  EXPECT_EQ(folder.names(), Names{"journal.db"});
}

TEST(Create, FillsNothingButAnEmptyFile) {
  const JournalFolder folder;
  create_journal(folder.journal());
  const std::string before = bytes_of(folder.journal());
  const Status again = Journal::create({folder.journal(), ""});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), ErrorCode::failed);
  EXPECT_EQ(bytes_of(folder.journal()), before);
  const Status missing = Journal::create({folder / "missing", ""});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().system_errno(), ENOENT);
  EXPECT_EQ(folder.names(), Names{"journal.db"});
}

TEST(Create, AnIllegalFirstEventIsAnError) {
  const JournalFolder folder;
  ASSERT_NO_FATAL_FAILURE(make_empty_file(folder.journal()));
  EXPECT_FALSE(Journal::create({folder.journal(), ""}, 0));
  const std::vector illegal = {step(1, Phase::swap, Phase::committed)};
  EXPECT_FALSE(Journal::create({folder.journal(), ""}, 1, illegal));
}

TEST(Syncs, OpeningAndReadingTakeNone) {
  const JournalFolder folder;
  create_journal(folder.journal());
  SyncRecorder syncs;
  {
    Journal journal = open_journal(folder.journal());
    value_of(journal.unfinished());
    value_of(journal.verify());
    add(journal, begin(1), Durability::visible);
  }
  // The header of a WAL that is new is synced by SQLite whatever the mode.
  EXPECT_EQ(syncs.take(), (Names{"journal.db-wal", base_name(folder.path())}));
  {
    Journal journal = open_journal(folder.journal());
    value_of(journal.unfinished());
  }
  EXPECT_EQ(syncs.take(), Names{});
}

// The figures of the design: four for the three durable points of a good run.
TEST(Syncs, ARunOnAnExistingJournalTakesFour) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    add(journal, committed_run(1), Durability::durable);
  }
  Journal journal = open_journal(folder.journal());
  SyncRecorder syncs;
  add(journal, begin(2), Durability::visible);
  EXPECT_EQ(syncs.take(), Names{});
  add(journal, step(2, Phase::stage, Phase::backup), Durability::visible);
  EXPECT_EQ(syncs.take(), Names{});
  add(journal, step(2, Phase::backup, Phase::swap), Durability::durable);
  EXPECT_EQ(syncs.take(), (Names{"journal.db-wal", base_name(folder.path())}));
  add(journal, step(2, Phase::swap, Phase::restart), Durability::durable);
  EXPECT_EQ(syncs.take(), Names{"journal.db-wal"});
  add(journal, note(2, Phase::restart, "{}"), Durability::visible);
  EXPECT_EQ(syncs.take(), Names{});
  add(journal, step(2, Phase::restart, Phase::committed), Durability::durable);
  EXPECT_EQ(syncs.take(), Names{"journal.db-wal"});
}

TEST(Syncs, ACheckpointTakesTwoAndTheRunAfterItOneMore) {
  const JournalFolder folder;
  create_journal(folder.journal());
  SyncRecorder syncs;
  {
    Journal journal = open_journal(folder.journal());
    add(journal, committed_run(1), Durability::durable);
    syncs.take();
    must(journal.checkpoint());
    EXPECT_EQ(syncs.take(), (Names{"journal.db-wal", "journal.db"}));
  }
  EXPECT_EQ(std::filesystem::file_size(folder / "journal.db-wal"), 0U);
  Journal journal = open_journal(folder.journal());
  EXPECT_EQ(syncs.take(), Names{});
  add(journal, begin(2), Durability::durable);
  EXPECT_EQ(syncs.take(), (Names{"journal.db-wal", base_name(folder.path()), "journal.db-wal"}));
  add(journal, step(2, Phase::stage, Phase::backup), Durability::durable);
  EXPECT_EQ(syncs.take(), Names{"journal.db-wal"});
}

TEST(Wal, IsKeptAtTheEndAndMovedOnlyWhenAsked) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    EXPECT_EQ(value_of(journal.wal_bytes()), 0U);
    std::vector<NewEvent> events;
    for (std::int64_t id = 1; id <= 4000; ++id) {
      for (NewEvent& event : discarded_run(id)) events.push_back(std::move(event));
    }
    add(journal, events);
    add(journal, begin(4001));
    // Far above SQLite's own 1000 pages.
    EXPECT_GT(value_of(journal.wal_bytes()), 5U << 20);
    EXPECT_EQ(value_of(journal.wal_bytes()), std::filesystem::file_size(folder / "journal.db-wal"));
  }
  EXPECT_EQ(folder.names(), (Names{"journal.db", "journal.db-shm", "journal.db-wal"}));
  {
    Journal reader =
        value_of(Journal::open_for_reading({folder.journal(), ""}, Journal::ReadMode::shared));
    EXPECT_EQ(value_of(reader.unfinished())->id.value, 4001);
  }
  EXPECT_EQ(folder.names(), (Names{"journal.db", "journal.db-shm", "journal.db-wal"}));
  EXPECT_GT(std::filesystem::file_size(folder / "journal.db-wal"), 5U << 20);

  Journal journal = open_journal(folder.journal());
  must(journal.checkpoint());
  EXPECT_EQ(value_of(journal.wal_bytes()), 0U);
  EXPECT_EQ(value_of(journal.unfinished())->id.value, 4001);
  must(journal.checkpoint());
}

TEST(Wal, ACheckpointThatAReaderStandsInTheWayOfIsAnError) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  add(journal, begin(1));
  PlainDatabase reader(folder.journal());
  reader.run("BEGIN");
  reader.query("SELECT * FROM event");
  add(journal, step(1, Phase::stage, Phase::backup));
  const Status blocked = journal.checkpoint();
  ASSERT_FALSE(blocked);
  EXPECT_EQ(blocked.error().code(), ErrorCode::failed);
  reader.run("COMMIT");
  must(journal.checkpoint());
}

TEST(SideFiles, AreForTheOwnerAloneWhateverTheUmask) {
  const mode_t before = umask(0);
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  add(journal, begin(1));
  umask(before);
  for (const std::string& name : folder.names()) {
    struct stat status {};
    ASSERT_EQ(stat((folder / name).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U) << name;
  }
  EXPECT_EQ(folder.names().size(), 3U);
}

TEST(FailedCommit, IsOfUnknownOutcomeAndTheConnectionIsUsedNoMore) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    add(journal, begin(1), Durability::durable);
    {
      const FailingSync failing(EIO);
      const auto added =
          journal.append(std::vector{step(1, Phase::stage, Phase::backup)}, Durability::durable);
      ASSERT_FALSE(added);
      EXPECT_EQ(added.error().code(), ErrorCode::commit_unknown);
      EXPECT_EQ(added.error().system_errno(), EIO);
      EXPECT_NE(added.error().message().find(folder.journal()), std::string::npos);
    }
    const auto next = journal.append(std::vector{note(1, Phase::stage, "{}")}, Durability::visible);
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().code(), ErrorCode::failed);
  }
  // Opened anew it says one thing or the other, and a checkpoint makes that durable.
  Journal journal = open_journal(folder.journal());
  SyncRecorder syncs;
  must(journal.checkpoint());
  EXPECT_EQ(syncs.take(), (Names{"journal.db-wal", base_name(folder.path()), "journal.db"}));
  const Phase phase = value_of(journal.unfinished())->phase;
  EXPECT_TRUE(phase == Phase::stage || phase == Phase::backup);
  EXPECT_EQ(value_of(journal.verify()).finding, "");
  add(journal, note(1, phase, "{}"));
}

TEST(FailedCommit, ACheckpointThatCannotSyncSaysSo) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  add(journal, begin(1), Durability::durable);
  {
    const FailingSync failing(EIO);
    const Status moved = journal.checkpoint();
    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code(), ErrorCode::failed);
    EXPECT_EQ(moved.error().system_errno(), EIO);
  }
  must(journal.checkpoint());
}

ssize_t full_disk(int, const void*, size_t, off_t) {
  errno = ENOSPC;
  return -1;
}

// While it lives, every write of SQLite's meets a full disk.
class FullDisk {
 public:
  FullDisk() { set(reinterpret_cast<sqlite3_syscall_ptr>(&full_disk)); }
  ~FullDisk() { set(nullptr); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  static void set(sqlite3_syscall_ptr call) {
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    for (const char* name : {"pwrite", "pwrite64"}) vfs->xSetSystemCall(vfs, name, call);
  }
};

TEST(FullDisk, AtTheCommitTheOutcomeIsUnknownAndTheReasonIsThere) {
  const JournalFolder folder;
  create_journal(folder.journal());
  Journal journal = open_journal(folder.journal());
  add(journal, begin(1));
  const FullDisk full;
  const auto added =
      journal.append(std::vector{step(1, Phase::stage, Phase::backup)}, Durability::durable);
  ASSERT_FALSE(added);
  EXPECT_EQ(added.error().code(), ErrorCode::commit_unknown);
  EXPECT_EQ(added.error().system_errno(), ENOSPC);
}

TEST(FullDisk, BeforeTheCommitIsNoSpace) {
  const JournalFolder folder;
  create_journal(folder.journal());
  const FullDisk full;
  const auto opened = Journal::open({folder.journal(), ""});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::no_space);
  EXPECT_EQ(opened.error().system_errno(), ENOSPC);
}

TEST(FullDisk, WhileANewJournalIsBuiltIsNoSpace) {
  const JournalFolder folder;
  ASSERT_NO_FATAL_FAILURE(make_empty_file(folder.journal()));
  const FullDisk full;
  const Status created = Journal::create({folder.journal(), ""});
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), ErrorCode::no_space);
}

}  // namespace
}  // namespace update::test
