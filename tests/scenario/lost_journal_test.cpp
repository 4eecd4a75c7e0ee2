// The journal is lost in the middle of a swap: the intent and the disk are enough for one version.

#include <gtest/gtest.h>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

struct Loss {
  std::string name;
  std::function<void(const std::string& journal)> happen;
};

std::vector<Loss> losses() {
  return {
      {"Deleted",
       [](const std::string& journal) {
         for (const char* part : {"", "-wal", "-shm"}) {
           fs::remove(journal + part);
         }
       }},
      {"Emptied",
       [](const std::string& journal) {
         fs::remove(journal + "-wal");
         fs::remove(journal + "-shm");
         fs::resize_file(journal, 0);
       }},
      {"Garbage",
       [](const std::string& journal) { write_file(journal, std::string(50000, '\x5a'), 0600); }},
      {"GarbageHeader",
       [](const std::string& journal) {
         std::string bytes = read_file(journal);
         bytes.replace(0, 100, std::string(100, '\x5a'));
         write_file(journal, bytes, 0600);
       }},
      {"CutOff",
       [](const std::string& journal) {
         fs::remove(journal + "-wal");
         fs::remove(journal + "-shm");
         fs::resize_file(journal, 700);
       }},
      // What is left is sound, but lacks all that the head knows.
      {"WithoutItsLog", [](const std::string& journal) {
         fs::remove(journal + "-wal");
         fs::remove(journal + "-shm");
       }}};
}

class LostJournal : public testing::TestWithParam<Loss> {
 protected:
  void lose(const Host& host) { GetParam().happen(host.path("state/journal.db")); }

  void expect_settled(Host& host, const std::string& version) {
    EXPECT_EQ(host.installed(), version);
    EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
    EXPECT_TRUE(host.json({"recover"})["recovered"].is_null());
    const Ended chain = host.run({"history", "verify"});
    EXPECT_EQ(chain.code, 0) << chain.out << chain.err;
    EXPECT_TRUE(contains(chain.out + chain.err, "lost journal")) << chain.out << chain.err;
  }
};

INSTANTIATE_TEST_SUITE_P(Recovery, LostJournal, testing::ValuesIn(losses()),
                         [](const auto& each) { return each.param.name; });

TEST_P(LostJournal, WithAMixOfVersionsPutsTheOldBytesBack) {
  Host host;
  crash_in_swap(host, 1);
  lose(host);
  Json answer = host.json({"recover"});
  EXPECT_EQ(answer["recovered"]["outcome"], "rolled_back") << answer.dump();
  EXPECT_EQ(answer["recovered"]["to_version"], "2.0.0");
  expect_settled(host, "1.0.0");
}

TEST_P(LostJournal, WithEveryFileOldIsRolledBack) {
  Host host;
  crash_in_swap(host, 0);
  lose(host);
  Json answer = host.json({"recover"});
  EXPECT_EQ(answer["recovered"]["outcome"], "rolled_back") << answer.dump();
  expect_settled(host, "1.0.0");
}

TEST_P(LostJournal, WithEveryFileNewLetsTheDoctorDecide) {
  Host host;
  host.install("1.0.0");
  const std::string once = host.path("hooks/killed");
  host.doctor("test \"$installed\" = 2.0.0 && test ! -e " + once + " && { : >" + once +
              "; kill -KILL $PPID; }\nexit 0\n");
  host.run({"apply", host.release("2.0.0")});
  ASSERT_EQ(host.installed(), "2.0.0");
  lose(host);
  ASSERT_EQ(host.run({"recover"}).code, 0);
  const std::string version = host.installed();
  EXPECT_TRUE(version == "1.0.0" || version == "2.0.0") << version;
  expect_settled(host, version);
}

TEST_P(LostJournal, WithNothingUnfinishedIsStartedAnew) {
  Host host;
  host.install("1.0.0");
  lose(host);
  ASSERT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
  host.install("2.0.0");
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
}

TEST_P(LostJournal, FailsACheckAgainstAHeadKeptElsewhere) {
  Host host;
  host.install("1.0.0");
  const std::string lines = host.run({"history", "export"}).out;
  const std::string last = lines.substr(lines.rfind('\n', lines.size() - 2) + 1);
  const std::string head = parse(last.substr(0, last.size() - 1))["hash"];
  lose(host);
  ASSERT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.run({"history", "verify", "--expect", head}).code, 7);
}

TEST_P(LostJournal, IsNotBelievedBeforeRecoverHasSetItAside) {
  Host host;
  crash_in_swap(host, 1);
  lose(host);
  for (const Arguments& command : {Arguments{"status"},
                                   {"verify"},
                                   {"recover", "--dry-run"},
                                   {"rollback", "--dry-run"},
                                   {"apply", "--dry-run", host.release("3.0.0")}}) {
    const Ended ended = host.run(command);
    EXPECT_EQ(ended.code, 1) << command[0] << ended.out << ended.err;
    EXPECT_TRUE(contains(ended.err, "banger-update recover")) << ended.err;
  }
}

// An update that went on with the rest of a journal would make the head forget what was cut off.
TEST_P(LostJournal, IsToldOfByTheHistoryHoweverManyUpdatesFollow) {
  Host host;
  host.install("1.0.0");
  host.install("2.0.0");
  lose(host);
  for (const char* version : {"3.0.0", "4.0.0", "5.0.0", "6.0.0"}) host.install(version);
  const Ended chain = host.run({"history", "verify"});
  EXPECT_EQ(chain.code, 0) << chain.err;
  EXPECT_TRUE(contains(chain.out, "begins after a lost journal")) << chain.out;
}

TEST_P(LostJournal, WithoutAnIntentTouchesNoBackupThatMayBeTheOnlyCopy) {
  Host host;
  crash_in_swap(host, 2);
  lose(host);
  fs::resize_file(host.path("state/intent"), 0);
  const auto before = host.snapshot("bin");
  const Ended ended = host.run({"recover"});
  EXPECT_EQ(ended.code, 4) << ended.out << ended.err;
  EXPECT_EQ(host.snapshot("bin"), before) << "nothing is removed";
}

TEST(Recovery, WithADamagedIntentAndAGoodJournalIsDecidedByTheJournal) {
  Host host;
  crash_in_swap(host, 1);
  write_file(host.path("state/intent"), std::string(3000, '\x5a'), 0600);
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
}

TEST(Recovery, WithoutAHeadStillWorks) {
  Host host;
  crash_in_swap(host, 1);
  fs::remove(host.path("state/head"));
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.installed(), "2.0.0");
}

}  // namespace
}  // namespace update::scenario
