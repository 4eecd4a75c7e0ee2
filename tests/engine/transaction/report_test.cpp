// What the reading commands say of files.
#include "engine/transaction/report.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <map>

#include "engine/base/layout.hpp"
#include "engine/transaction/journal_file.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

using States = std::map<std::string, std::string>;

ReadableJournal readable(const World& world) {
  return std::move(*open_journal_for_reading(world.env).value());
}

States installed(const World& world) {
  ReadableJournal read = readable(world);
  States states;
  const auto files = report_installed(world.env, &read.journal, true);
  EXPECT_TRUE(files) << files.error().message();
  for (const InstalledFile& file : files.value()) states[file.name] = file.state;
  return states;
}

std::vector<FileReport> files_of(const World& world, std::int64_t id) {
  ReadableJournal read = readable(world);
  const auto files =
      report_files(world.env, *read.state, read.journal, world.transaction(id).value());
  EXPECT_TRUE(files) << files.error().message();
  return files.value();
}

bool is_kept(const World& world, std::int64_t id) {
  ReadableJournal read = readable(world);
  const auto way = find_way_back(world.env, *read.state, read.journal);
  return can_go_back_to(read.journal, world.transaction(id).value(), way.value()).value();
}

void configure(World& world, const std::string& name, const std::string& destination,
               bool optional) {
  ConfiguredFile file = world.env.config.files.front();
  file.name = name;
  file.destination = AbsolutePath::parse(destination).value();
  file.optional = optional;
  world.env.config.files.push_back(file);
}

/// Takes all files but one out of a release.
void make_release_of_one(World& world, const std::string& version, const std::string& kept) {
  const std::string folder = world.make_release(version);
  const std::string bytes = World::bytes_of(kept, version);
  const Manifest manifest{"demo",
                          Version::parse(version).value(),
                          1,
                          {},
                          {},
                          "",
                          {{kept, sha256_of(bytes), bytes.size(), 0755}}};
  for (const std::string& name : World::names()) {
    if (name != kept) world.fake.files.remove(folder + "/" + name);
  }
  world.fake.files.put_file(folder + "/" + std::string(kManifestName), format_manifest(manifest));
}

TEST(Report, WhatAReleaseMayLackAndNoneBroughtIsAsItWasInstalled) {
  World world;
  configure(world, "delta", world.destination("delta"), true);
  ASSERT_TRUE(world.apply("1.0.0").status);
  world.fake.files.remove(world.destination("gamma"));
  EXPECT_EQ(installed(world),
            (States{{"alpha", "ok"}, {"beta", "ok"}, {"delta", "ok"}, {"gamma", "missing"}}));
}

TEST(Report, AFileWhoseFolderIsMissingIsMissing) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  configure(world, "delta", "/nowhere/delta", false);
  configure(world, "eta", world.destination("alpha/eta"), false);
  EXPECT_EQ(installed(world), (States{{"alpha", "ok"},
                                      {"beta", "ok"},
                                      {"delta", "missing"},
                                      {"eta", "missing"},
                                      {"gamma", "ok"}}));
  EXPECT_EQ(files_of(world, 1).front().state, "new");
  ReadableJournal read = readable(world);
  EXPECT_EQ(recover_would(world.env, read.journal, {}).value(), "nothing");
}

TEST(Report, AnUnfinishedUpdateIsShownWhereTheFolderIsGone) {
  World world;
  world.preinstall("0.9.0");
  world.doctor_passes(false);
  world.fake.files.fail_always(EIO, [](const FakeCall& call) {
    return call.verb == FakeCall::Verb::rename && call.path.find(".backup") != std::string::npos;
  });
  ASSERT_EQ(world.apply("1.0.0").status.error().code(), ErrorCode::unfinished);
  EXPECT_EQ(files_of(world, 1).front().state, "new");
  world.fake.files.remove(World::kFolder);
  EXPECT_EQ(files_of(world, 1).front().state, "foreign");
}

TEST(Report, WhatWasThereIsOldThoughNobodyHashedIt) {
  World world;
  world.preinstall("0.9.0");
  world.make_release("1.0.0", {{"alpha", "alpha 9.0.0"}});
  ASSERT_EQ(world.apply("1.0.0").status.error().code(), ErrorCode::not_trusted);
  for (const FileReport& report : files_of(world, 1)) {
    EXPECT_EQ(report.state, "old") << report.file.name;
  }
}

TEST(Report, AReinstalledFileIsNew) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.0.0", {.reinstall = true}).status);
  for (const FileReport& report : files_of(world, 2)) {
    EXPECT_EQ(report.state, "new") << report.file.name;
    EXPECT_EQ(report.backup, report.file.destination + ".previous");
  }
}

TEST(Report, AStateIsKeptIfEveryFileOfItIsNotOnlyThoseOfItsUpdate) {
  World world;
  world.env.config.generations = 1;
  for (ConfiguredFile& file : world.env.config.files) file.optional = true;
  ASSERT_TRUE(world.apply("1.0.0").status);
  make_release_of_one(world, "1.1.0", "alpha");
  ASSERT_TRUE(world.apply("1.1.0").status);
  EXPECT_TRUE(is_kept(world, 2));
  for (const char* version : {"1.2.0", "1.3.0", "1.4.0"}) {
    make_release_of_one(world, version, "beta");
    ASSERT_TRUE(world.apply(version).status);
  }
  // alpha is in place, but of beta the version of that time is gone.
  RollbackOptions to;
  to.target = TransactionId{2};
  EXPECT_EQ(world.roll_back(to).status.error().code(), ErrorCode::not_found);
  EXPECT_FALSE(is_kept(world, 2));
  EXPECT_TRUE(is_kept(world, 4));
}

TEST(Report, AStateIsNotKeptWhereAChangedFileHasLeftTheConfiguration) {
  World world;
  ASSERT_TRUE(world.apply("1.0.0").status);
  ASSERT_TRUE(world.apply("1.1.0").status);
  ASSERT_TRUE(is_kept(world, 1));
  world.env.config.files.pop_back();
  EXPECT_FALSE(is_kept(world, 1));
  EXPECT_TRUE(is_kept(world, 2)) << "what left is as that update left it";
}

}  // namespace
}  // namespace update
