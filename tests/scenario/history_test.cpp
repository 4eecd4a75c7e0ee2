// The history: what it tells of an update, and that it cannot be edited without being found out.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <time.h>

#include <regex>
#include <sstream>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

// RFC 3339 UTC with microseconds, as a count of them since the epoch.
std::string microseconds(const std::string& at) {
  static const std::regex kTime(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)");
  EXPECT_TRUE(std::regex_match(at, kTime)) << at;
  tm parts{};
  strptime(at.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  return std::to_string(timegm(&parts)) + at.substr(20, 6);
}

void append_length(std::string& bytes, std::uint64_t length) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>((length >> static_cast<unsigned>(shift)) & 0xffU);
  }
}

void append_field(std::string& bytes, const Json& value, const std::string& text) {
  append_length(bytes, value.is_null() ? ~std::uint64_t{0} : text.size());
  bytes += value.is_null() ? "" : text;
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

std::vector<Json> exported(const Host& host) {
  const Ended ended = host.run({"history", "export"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  std::vector<Json> lines;
  std::istringstream text(ended.out);
  for (std::string line; std::getline(text, line);) {
    lines.push_back(parse(line));
  }
  return lines;
}

// The hash of the newest event, as somebody else would keep it.
std::string head_of(const Host& host) {
  const std::vector<Json> lines = exported(host);
  EXPECT_FALSE(lines.empty());
  return lines.empty() ? "" : text_of(lines.back()["hash"]);
}

TEST(History, ChainOfTheExportIsTheOneThatTheDesignDescribes) {
  Host host;
  host.install("1.0.0");
  host.doctor("echo \"t\\303\\244st\"\ntest \"$installed\" != 2.0.0\n");
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}).code, 3);
  const std::vector<Json> lines = exported(host);
  ASSERT_GT(lines.size(), 10U);
  std::string previous(64, '0');
  std::int64_t seq = 0;
  for (const Json& line : lines) {
    SCOPED_TRACE(line.dump());
    ASSERT_EQ(line.size(), 8U);
    EXPECT_EQ(line["prev_hash"], previous);
    EXPECT_GT(line["seq"].get<std::int64_t>(), seq);
    seq = line["seq"];
    ASSERT_TRUE(line["detail"].is_string());
    std::string bytes = from_hex(previous);
    for (const char* key : {"seq", "transaction", "at", "from", "to", "detail"}) {
      Json value = line[key];
      append_field(bytes, value,
                   std::string(key) == "at" ? microseconds(text_of(value)) : text_of(value));
    }
    EXPECT_EQ(line["hash"], sha256_of(bytes));
    previous = line["hash"];
  }
}

TEST(History, VerifyPassesAndKnowsAHeadKeptElsewhere) {
  Host host;
  host.install("1.0.0");
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  const std::string head = head_of(host);
  host.install("2.0.0");
  const std::string newer = head_of(host);
  EXPECT_EQ(host.run({"history", "verify", "--expect", newer}).code, 0);
  EXPECT_EQ(host.run({"history", "verify", "--expect", std::string(64, '0')}).code, 7);
  EXPECT_NE(head, newer);
}

// The doctor before the update is no part of the transaction: it comes before its begin.
TEST(History, TellsOfAnUpdateWhatApplyAndRollbackTold) {
  Host host;
  host.doctor("sleep 0.3\n");
  for (const Arguments& command : {Arguments{"apply", host.release("1.0.0")},
                                   {"apply", host.release("2.0.0")},
                                   {"rollback"}}) {
    Json told = host.json(command);
    EXPECT_TRUE(told["duration_ms"].is_number()) << told.dump();
    told.erase("recovered");
    EXPECT_EQ(told, host.json({"history", "show", id_of(told)}));
  }
}

TEST(History, VersionsAreMatchedAsAShellDoes) {
  Host host;
  host.install("1.0.0");
  host.install("3.0.0");
  const auto listed = [&](const std::string& pattern) {
    std::string ids;
    for (const Json& each : host.json({"history", "--version-like", pattern})) {
      ids += id_of(each);
    }
    return ids;
  };
  EXPECT_EQ(listed("[!3]*"), "21");
  EXPECT_EQ(listed("[!13]*"), "");
  EXPECT_EQ(listed("1\\.0.0"), "21");
  EXPECT_EQ(listed("[[:digit:]].0.0"), "21");
  EXPECT_EQ(listed("3*"), "2");
  EXPECT_EQ(listed(std::string(4096, '*')), "21");
}

TEST(History, EditedJournalIsFound) {
  NEEDS_TOOL("sqlite3");
  Host host;
  host.install("1.0.0");
  host.install("2.7.2");
  const std::string journal = host.path("state/journal.db");
  ASSERT_EQ(run_process({"sqlite3", journal, "PRAGMA wal_checkpoint(TRUNCATE)"}).code, 0);
  ASSERT_EQ(host.run({"history", "verify"}).code, 0);
  std::string bytes = read_file(journal);
  std::size_t edits = 0;
  for (std::size_t at = bytes.find("2.7.2"); at != std::string::npos;
       at = bytes.find("2.7.2", at)) {
    bytes.replace(at, 5, "2.7.3");
    ++edits;
  }
  ASSERT_GT(edits, 0U);
  write_file(journal, bytes, 0600);
  EXPECT_EQ(host.run({"history", "verify"}).code, 7);
}

TEST(History, JournalThatWasPutBackToAnOlderStateIsFound) {
  Host host;
  host.install("1.0.0");
  for (const char* part : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
    if (present(host.path("state/") + part)) {
      fs::copy(host.path("state/") + part, host.path(part));
    }
  }
  host.install("2.0.0");
  for (const char* part : {"journal.db", "journal.db-wal", "journal.db-shm"}) {
    fs::remove(host.path("state/") + part);
    if (present(host.path(part))) {
      fs::copy(host.path(part), host.path("state/") + part);
    }
  }
  EXPECT_EQ(host.run({"history", "verify"}).code, 7);
}

TEST(History, ShowTellsOneUpdate) {
  Host host;
  host.install("1.0.0");
  Json applied = host.json({"apply", host.release("2.0.0")});
  Json shown = host.json({"history", "show", id_of(applied)});
  for (const char* key :
       {"id", "kind", "from_version", "to_version", "phase", "outcome", "started_at", "finished_at",
        "duration_ms", "error", "actor", "boot_id", "files", "events"}) {
    EXPECT_TRUE(shown.contains(key)) << key;
    EXPECT_TRUE(applied.contains(key)) << key;
  }
  EXPECT_EQ(shown["kind"], "apply");
  EXPECT_EQ(shown["from_version"], "1.0.0");
  EXPECT_EQ(shown["to_version"], "2.0.0");
  EXPECT_EQ(shown["phase"], "committed");
  EXPECT_TRUE(shown["error"].is_null());
  EXPECT_EQ(shown["actor"]["uid"], geteuid());
  EXPECT_TRUE(contains(shown["actor"]["command"].get<std::string>(), "apply"));
  microseconds(shown["started_at"]);
  microseconds(shown["finished_at"]);
  Json& file = shown["files"][0];
  EXPECT_EQ(file["name"], "alpha");
  EXPECT_EQ(file["destination"], host.bin("alpha"));
  EXPECT_EQ(file["old_sha256"], sha256_of(program("alpha", "1.0.0")));
  EXPECT_EQ(file["new_sha256"], sha256_of(program("alpha", "2.0.0")));
  EXPECT_EQ(file["size"], program("alpha", "2.0.0").size());
  EXPECT_EQ(file["backup"], host.bin("alpha.previous"));
  EXPECT_EQ(file["state"], "new");
}

TEST(History, EventsAreThePhasesInTheirOrder) {
  Host host;
  Json shown = host.json({"apply", host.release("1.0.0")});
  std::vector<std::string> phases;
  std::string before;
  for (const Json& event : shown["events"]) {
    for (const char* key : {"seq", "at", "from", "to", "detail", "hash"}) {
      EXPECT_TRUE(event.contains(key)) << key;
    }
    if (event["from"] != event["to"]) {
      EXPECT_EQ(event["from"].is_null() ? "" : event["from"].get<std::string>(), before);
      before = event["to"];
      phases.push_back(before);
    }
  }
  EXPECT_EQ(phases, (std::vector<std::string>{"stage", "backup", "swap", "restart", "doctor",
                                              "committed"}));
}

TEST(History, LeavesOutAPhaseThatIsNotConfigured) {
  Host host;
  host.configure([](Settings& s) {
    s.restart_command = {};
    s.doctor_command = {};
  });
  Json shown = host.json({"apply", host.release("1.0.0")});
  for (const Json& event : shown["events"]) {
    EXPECT_NE(event["to"], "restart");
    EXPECT_NE(event["to"], "doctor");
  }
  EXPECT_EQ(shown["outcome"], "committed");
}

TEST(History, ShowsThePhasesTheDoctorsOutputAndTheErrorInText) {
  Host host;
  host.install("1.0.0");
  host.doctor("echo disk is on fire\ntest \"$installed\" != 2.0.0\n");
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}).code, 3);
  const Ended shown = host.run({"history", "show", "2"});
  EXPECT_EQ(shown.code, 0);
  for (const char* part : {"disk is on fire", "swap", "doctor", "rollback", "2.0.0", "alpha"}) {
    EXPECT_TRUE(contains(shown.out, part)) << part << "\n" << shown.out;
  }
}

TEST(History, ListIsNewestFirstAndIsNarrowedByItsOptions) {
  Host host;
  EXPECT_EQ(host.json({"history"}), Json::array()) << "a fresh host has none";
  host.install("1.0.0");
  host.install("1.1.0");
  host.doctor("test \"$installed\" != 2.0.0\n");
  ASSERT_EQ(host.run({"apply", host.release("2.0.0")}).code, 3);
  Json all = host.json({"history", "list"});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0]["to_version"], "2.0.0");
  EXPECT_EQ(all[2]["to_version"], "1.0.0");
  EXPECT_FALSE(all[0].contains("files"));
  EXPECT_FALSE(all[0].contains("events"));
  EXPECT_EQ(host.json({"history", "-n", "1"}).size(), 1U);
  EXPECT_EQ(host.json({"history", "--outcome", "rolled_back"}).size(), 1U);
  EXPECT_EQ(host.json({"history", "--outcome", "committed"}).size(), 2U);
  EXPECT_EQ(host.json({"history", "--version-like", "2.0*"}).size(), 1U);
  EXPECT_EQ(host.json({"history", "--since", "2100-01-01T00:00:00Z"}).size(), 0U);
  EXPECT_EQ(host.json({"history", "--until", "2100-01-01T00:00:00Z"}).size(), 3U);
}

TEST(History, IsReadWithoutSideFilesAndWithoutWritingAny) {
  Host host;
  host.install("1.0.0");
  const auto before = host.snapshot("state");
  host.json({"history"});
  host.json({"status"});
  EXPECT_EQ(host.run({"history", "verify"}).code, 0);
  EXPECT_EQ(host.run({"verify"}).code, 0);
  const auto after = host.snapshot("state");
  EXPECT_EQ(after.size(), before.size());
  EXPECT_EQ(after.at(host.path("state/journal.db")), before.at(host.path("state/journal.db")));
}

}  // namespace
}  // namespace update::scenario
