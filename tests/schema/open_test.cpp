#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cerrno>
#include <fstream>
#include <functional>

#include "schema/migrate.hpp"
#include "tests/schema/journal_fixture.hpp"
#include "tests/schema/sqlite_tools.hpp"

namespace update::test {
namespace {

using Names = std::vector<std::string>;
using ReadMode = Journal::ReadMode;
constexpr ReadMode kReadModes[] = {ReadMode::immutable, ReadMode::shared, ReadMode::exclusive};

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

// The code with which each way of opening refuses the file.
void expect_refused(const std::string& path, ErrorCode code) {
  const auto writer = Journal::open({path, ""});
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code(), code) << writer.error().message();
  EXPECT_NE(writer.error().message().find(path), std::string::npos) << writer.error().message();
  for (const ReadMode mode : kReadModes) {
    const auto reader = Journal::open_for_reading({path, ""}, mode);
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code(), code) << reader.error().message();
  }
}

TEST(Open, AnEmptyCutOffOrForeignFileIsDamage) {
  const JournalFolder folder;
  create_journal(folder.journal());
  must(open_journal(folder.journal()).checkpoint());
  std::ifstream in(folder.journal(), std::ios::binary);
  const std::string good{std::istreambuf_iterator<char>(in), {}};
  const std::string bad = folder / "bad.db";

  std::string header = good;
  header.replace(0, 6, "sqlite");
  std::string page_size = good;
  page_size.replace(16, 2, std::string("\x00\x03", 2));
  std::string no_schema = good;
  no_schema.replace(60, 4, std::string(4, '\0'));
  const std::pair<const char*, std::string> cases[] = {
      {"empty", ""},
      {"one byte", "S"},
      {"half a header", good.substr(0, 50)},
      {"header alone", good.substr(0, 100)},
      {"one page less", good.substr(0, good.size() - 4096)},
      {"one page", good.substr(0, 4096)},
      {"another magic", header},
      {"a page size that is none", page_size},
      {"no schema number", no_schema},
      {"garbage", std::string(good.size(), 'x')},
      {"zeros", std::string(good.size(), '\0')},
  };
  for (const auto& [name, bytes] : cases) {
    SCOPED_TRACE(name);
    write_file(bad, bytes);
    expect_refused(bad, ErrorCode::journal_damaged);
  }
}

TEST(Open, WhatIsDamagedFurtherInsideIsToldFromEveryReading) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    add(journal, begin(1));
    must(journal.checkpoint());
  }
  std::fstream file(folder.journal(), std::ios::binary | std::ios::in | std::ios::out);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(folder.journal()));
  // All pages but the first, which holds the schema.
  for (std::streamoff at = 4096; at < size; at += 4096) {
    file.seekp(at);
    file << std::string(200, '\xff');
  }
  file.close();
  auto opened = Journal::open({folder.journal(), ""});
  const ErrorCode code = opened ? opened->unfinished().error().code() : opened.error().code();
  EXPECT_EQ(code, ErrorCode::journal_damaged);
}

// SQLite would delete the WAL of an empty database: it may be all that is left of the journal.
TEST(Open, TheSideFilesOfADamagedJournalAreLeftAlone) {
  const JournalFolder folder;
  create_journal(folder.journal());
  {
    Journal journal = open_journal(folder.journal());
    add(journal, begin(1));
  }
  const auto wal = std::filesystem::file_size(folder / "journal.db-wal");
  ASSERT_GT(wal, 0U);
  write_file(folder.journal(), "");
  expect_refused(folder.journal(), ErrorCode::journal_damaged);
  EXPECT_EQ(std::filesystem::file_size(folder / "journal.db-wal"), wal);
  EXPECT_EQ(std::filesystem::file_size(folder.journal()), 0U);
}

TEST(Open, AMissingFileIsSaidToBeMissingAndIsNotMade) {
  const JournalFolder folder;
  const auto opened = Journal::open({folder.journal(), ""});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::failed);
  EXPECT_EQ(opened.error().system_errno(), ENOENT);
  EXPECT_EQ(folder.names(), Names{});
}

TEST(Open, ASymbolicLinkIsNotFollowed) {
  const JournalFolder folder;
  create_journal(folder.journal());
  std::filesystem::create_symlink(folder.journal(), folder / "link.db");
  std::filesystem::create_directory_symlink(folder.path(), folder / "link");
  EXPECT_FALSE(Journal::open({folder / "link.db", ""}));
  EXPECT_FALSE(Journal::open({folder / "link/journal.db", ""}));
  EXPECT_FALSE(Journal::open_for_reading({folder / "link/journal.db", ""}, ReadMode::immutable));
  EXPECT_TRUE(Journal::open({folder.journal(), ""}));
}

TEST(Open, ADatabaseOfAnotherProgramIsLeftAlone) {
  for (const char* id : {"0", "1", "1651395413"}) {
    const JournalFolder folder;
    ASSERT_NO_FATAL_FAILURE(make_empty_file(folder.journal()));
    PlainDatabase(folder.journal())
        .run("PRAGMA application_id = " + std::string(id) + "; CREATE TABLE theirs (x)");
    expect_refused(folder.journal(), ErrorCode::failed);
    const auto opened = Journal::open({folder.journal(), ""});
    EXPECT_NE(opened.error().message().find("belongs to another program"), std::string::npos);
    EXPECT_EQ(folder.names(), Names{"journal.db"});
  }
}

// A newer journal as a later program would leave it.
void make_newer(const std::string& path, std::int64_t min_writer) {
  create_journal(path);
  {
    Journal journal = open_journal(path);
    add(journal, committed_run(1));
    add(journal, begin(2));
  }
  PlainDatabase(path).run(
      "ALTER TABLE event ADD COLUMN later TEXT; CREATE TABLE later (x);"
      "PRAGMA user_version = " +
      std::to_string(newest_schema() + 3) +
      "; UPDATE compatibility SET min_writer = " + std::to_string(min_writer));
}

TEST(NewerJournal, IsUsedAsItIsWhereItsWriterSaysSo) {
  const JournalFolder folder;
  make_newer(folder.journal(), newest_schema());
  Journal journal = open_journal(folder.journal());
  EXPECT_FALSE(value_of(journal.migrate()));
  add(journal, step(2, Phase::stage, Phase::backup));
  EXPECT_EQ(value_of(journal.unfinished())->phase, Phase::backup);
  EXPECT_EQ(value_of(journal.verify()).finding, "");
  EXPECT_EQ(PlainDatabase(folder.journal()).value("PRAGMA user_version"),
            std::to_string(newest_schema() + 3));
}

TEST(NewerJournal, IsOtherwiseReadAndNeverWritten) {
  const JournalFolder folder;
  make_newer(folder.journal(), newest_schema() + 2);
  const auto opened = Journal::open({folder.journal(), ""});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::newer_journal);
  EXPECT_NE(opened.error().message().find("schema " + std::to_string(newest_schema() + 2)),
            std::string::npos)
      << opened.error().message();
  Journal journal = value_of(Journal::open_for_reading({folder.journal(), ""}, ReadMode::shared));
  EXPECT_EQ(value_of(journal.unfinished())->id.value, 2);
  EXPECT_EQ(value_of(journal.installed_version()), "1.1.0");
  EXPECT_EQ(value_of(journal.list({})).size(), 2U);
  const AuditReport report = value_of(journal.verify());
  EXPECT_EQ(report.finding, "");
  EXPECT_EQ(report.newer_schema, newest_schema() + 3) << "what was not checked is said";
}

// user_version is in no hash: it must not take the other tables out of the audit.
TEST(NewerJournal, WhatAnOlderProgramReliesOnIsStillCompared) {
  for (const char* edit :
       {"UPDATE \"transaction\" SET to_version = '9.9.9'", "UPDATE file SET size = 1",
        "DELETE FROM file WHERE name = 'banger'", "INSERT INTO kept VALUES (printf('%064d', 1), 1)",
        "UPDATE anchor SET last_transaction = 7"}) {
    const JournalFolder folder;
    make_newer(folder.journal(), newest_schema());
    PlainDatabase(folder.journal()).tamper(edit);
    Journal journal = value_of(Journal::open_for_reading({folder.journal(), ""}, ReadMode::shared));
    const AuditReport report = value_of(journal.verify());
    EXPECT_NE(report.finding, "") << edit;
    EXPECT_EQ(report.newer_schema, newest_schema() + 3);
  }
}

TEST(NewerJournal, ItsChainIsStillChecked) {
  const JournalFolder folder;
  make_newer(folder.journal(), newest_schema() + 2);
  PlainDatabase(folder.journal()).tamper("UPDATE event SET at_us = 0 WHERE seq = 3");
  Journal journal = value_of(Journal::open_for_reading({folder.journal(), ""}, ReadMode::shared));
  EXPECT_EQ(value_of(journal.verify()).first_bad_seq, 3);
}

TEST(Paths, AnyNameThatAFileCanHaveIsReached) {
  const JournalFolder folder;
  const std::string odd = folder / "a?mode=rwc&b#c %41%zz;'\"\\\t\xc3\xbc\xff=";
  std::filesystem::create_directory(odd);
  const std::string path = odd + "/journal.db?immutable=1";
  create_journal(path);
  {
    Journal journal = open_journal(path);
    add(journal, begin(1));
  }
  for (const ReadMode mode : {ReadMode::shared, ReadMode::exclusive}) {
    Journal journal = value_of(Journal::open_for_reading({path, ""}, mode));
    EXPECT_EQ(value_of(journal.unfinished())->id.value, 1);
  }
  must(open_journal(path).checkpoint());
  Journal journal = value_of(Journal::open_for_reading({path, ""}, ReadMode::immutable));
  EXPECT_EQ(value_of(journal.unfinished())->id.value, 1);
  EXPECT_EQ(folder.names().size(), 1U);
}

TEST(Paths, ANulIsAnError) {
  EXPECT_FALSE(Journal::open({std::string("/tmp/a\0b", 8), ""}));
}

// In a child without root's powers, so that a read-only folder is one for root's tests too.
bool holds_without_privileges(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    constexpr unsigned kNobody = 65534;
    if (geteuid() == 0 &&
        (setgroups(0, nullptr) != 0 || setresgid(kNobody, kNobody, kNobody) != 0 ||
         setresuid(kNobody, kNobody, kNobody) != 0)) {
      _exit(2);
    }
    bool holds = false;
    try {
      holds = check();
    } catch (const std::exception& error) {
      static_cast<void>(fprintf(stderr, "%s\n", error.what()));
    }
    _exit(holds ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

// Readable for all, writable for nobody.
void make_read_only(const JournalFolder& folder) {
  for (const std::string& name : folder.names()) chmod((folder / name).c_str(), 0444);
  chmod(folder.path().c_str(), 0555);
}

class ReadOnlyFolder : public ::testing::Test {
 protected:
  ~ReadOnlyFolder() override { chmod(folder_.path().c_str(), 0700); }
  std::optional<std::int64_t> unfinished_in(ReadMode mode) {
    auto journal = Journal::open_for_reading({folder_.journal(), ""}, mode);
    if (!journal) return std::nullopt;
    const auto record = journal->unfinished();
    if (!record || !*record) return std::nullopt;
    return (*record)->id.value;
  }
  void fill() {
    create_journal(folder_.journal());
    Journal journal = open_journal(folder_.journal());
    add(journal, committed_run(1));
    must(journal.checkpoint());
    add(journal, begin(2));
  }

  JournalFolder folder_;
};

TEST_F(ReadOnlyFolder, WithoutAWalTheFileAloneIsRead) {
  fill();
  must(open_journal(folder_.journal()).checkpoint());
  std::filesystem::remove(folder_ / "journal.db-wal");
  std::filesystem::remove(folder_ / "journal.db-shm");
  make_read_only(folder_);
  EXPECT_TRUE(holds_without_privileges([&] { return unfinished_in(ReadMode::immutable) == 2; }));
  EXPECT_EQ(folder_.names(), Names{"journal.db"});
}

TEST_F(ReadOnlyFolder, WithAWalAndItsIndexItIsReadAsUsual) {
  fill();
  make_read_only(folder_);
  // -shm must be writable for a reader, or the file of a living writer.
  chmod((folder_ / "journal.db-shm").c_str(), 0666);
  EXPECT_TRUE(holds_without_privileges([&] { return unfinished_in(ReadMode::shared) == 2; }));
}

TEST_F(ReadOnlyFolder, WithAWalWithoutAnIndexItIsReadAlone) {
  fill();
  std::filesystem::remove(folder_ / "journal.db-shm");
  make_read_only(folder_);
  EXPECT_TRUE(holds_without_privileges([&] {
    return unfinished_in(ReadMode::shared) == std::nullopt &&
           unfinished_in(ReadMode::exclusive) == 2;
  }));
  EXPECT_EQ(folder_.names(), (Names{"journal.db", "journal.db-wal"}));
}

TEST_F(ReadOnlyFolder, AnImmutableReaderSeesNothingOfTheWal) {
  fill();
  make_read_only(folder_);
  EXPECT_TRUE(
      holds_without_privileges([&] { return unfinished_in(ReadMode::immutable) == std::nullopt; }));
}

TEST(Readers, MakeNoSideFileInImmutableAndExclusiveMode) {
  const JournalFolder folder;
  create_journal(folder.journal());
  for (const ReadMode mode : {ReadMode::immutable, ReadMode::exclusive}) {
    Journal journal = value_of(Journal::open_for_reading({folder.journal(), ""}, mode));
    EXPECT_FALSE(value_of(journal.unfinished()));
    EXPECT_EQ(value_of(journal.verify()).finding, "");
    const Names names = folder.names();
    EXPECT_EQ(std::count(names.begin(), names.end(), "journal.db-shm"), 0);
  }
}

}  // namespace
}  // namespace update::test
