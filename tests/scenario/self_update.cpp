#include "tests/scenario/self_update.hpp"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/schema/sqlite_tools.hpp"

namespace update::scenario {
namespace {

/// All that the program must leave alone: it may take the lock, and index the WAL.
std::map<std::string, std::string> untouchable(const Host& host) {
  std::map<std::string, std::string> prints = host.snapshot("bin");
  prints.merge(host.snapshot("state"));
  for (const char* name : {"state/lock", "state/journal.db-shm"}) prints.erase(host.path(name));
  return prints;
}

}  // namespace

void put_updater(Host& host, const Program& first) {
  std::filesystem::copy_file(first.path, host.bin(kUpdater));
  host.configure([&](Settings& settings) {
    settings.files.insert(settings.files.begin() + 1, {kUpdater, host.bin(kUpdater)});
  });
  host.use_program(host.bin(kUpdater));
}

std::string release_of(const Host& host, const Bundle& bundle) {
  const std::string bytes = read_file(bundle.updater.path);
  const std::string folder = host.release_with(bundle.version, [&](Json& manifest) {
    for (Json& file : manifest["files"]) {
      if (file["name"] != kUpdater) continue;
      file["sha256"] = sha256_of(bytes);
      file["size"] = bytes.size();
    }
  });
  write_file(folder + "/" + kUpdater, bytes, 0755);
  return folder;
}

Ended run_with(Host& host, const std::string& program, const Arguments& arguments) {
  host.use_program(program);
  Ended ended = host.run(arguments);
  host.use_program(host.bin(kUpdater));
  return ended;
}

std::string updater_of(const Host& host) {
  const std::string bytes = read_file(host.bin(kUpdater));
  for (const Program& program : kPrograms) {
    if (bytes == read_file(program.path)) return program.name;
  }
  return "foreign";
}

bool holds(const Host& host, const Bundle& bundle) {
  for (const std::string name : {"alpha", "beta", "gamma"}) {
    if (read_file(host.bin(name)) != program(name, bundle.version)) return false;
  }
  return updater_of(host) == bundle.updater.name;
}

std::string journal_of(const Host& host) {
  return host.path("state/journal.db");
}

int schema_of(const Host& host) {
  return std::stoi(test::PlainDatabase(journal_of(host)).value("PRAGMA user_version"));
}

std::string what_it_said(const Ended& ended) {
  return "code " + std::to_string(ended.code) + ": " + ended.out + ended.err;
}

void expect_settled(Host& host, const Bundle& bundle, int schema) {
  EXPECT_TRUE(holds(host, bundle)) << host.installed() << updater_of(host);
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  Json status = host.json({"status"});
  EXPECT_TRUE(status["unfinished"].is_null()) << status.dump();
  EXPECT_EQ(status["installed_version"], bundle.version);
  EXPECT_EQ(status["recover_would"], "nothing");
  EXPECT_TRUE(host.json({"recover"})["recovered"].is_null());
  EXPECT_EQ(host.run({"verify"}).code, 0);
  EXPECT_EQ(schema_of(host), schema);
  for (const Program& program : kPrograms) {
    const Ended chain = run_with(host, program.path, {"history", "verify"});
    EXPECT_EQ(chain.code, 0) << program.name << ": " << what_it_said(chain);
  }
}

void expect_done(Host& host, const Ended& ended, const Bundle& bundle, int schema) {
  EXPECT_EQ(ended.code, 0) << what_it_said(ended);
  expect_settled(host, bundle, schema);
}

void expect_refused(Host& host, const Program& program, const Arguments& arguments) {
  const auto before = untouchable(host);
  const Ended ended = run_with(host, program.path, arguments);
  EXPECT_EQ(ended.code, 1) << what_it_said(ended);
  const std::string who = "only one that knows schema " + std::to_string(kShipped + 1) +
                          " or a newer one may change it, this one knows " +
                          std::to_string(program.schema);
  EXPECT_TRUE(contains(ended.err, who)) << what_it_said(ended);
  EXPECT_TRUE(contains(ended.err, "(schema " + std::to_string(kShipped + 2) + ")"))
      << what_it_said(ended);
  EXPECT_EQ(untouchable(host), before);
}

void expect_readable(Host& host, const Program& program, std::size_t updates) {
  host.use_program(program.path);
  const Ended status = host.run({"--output", "json", "status"});
  EXPECT_TRUE(status.code == 0 || status.code == 10) << what_it_said(status);
  if (program.schema < kShipped + 1) {
    EXPECT_TRUE(contains(status.err, "or a newer one may change it")) << what_it_said(status);
  }
  Json report = status.json();
  EXPECT_TRUE(report["installed_version"].is_string()) << report.dump();
  EXPECT_EQ(report["unfinished"].is_null(), status.code == 0);
  Json list = host.json({"history", "list"});
  ASSERT_EQ(list.size(), updates) << list.dump();
  Json shown = host.json({"history", "show", id_of(list[0])});
  EXPECT_EQ(shown["files"].size(), 4U) << shown.dump();
  EXPECT_FALSE(shown["events"].empty());
  host.use_program(host.bin(kUpdater));
}

}  // namespace update::scenario
