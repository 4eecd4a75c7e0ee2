#include "cli/unit_files.hpp"

#include <gtest/gtest.h>

#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

Configuration configured(const std::string& toml) {
  auto config = parse_configuration(toml, "test");
  EXPECT_TRUE(config) << config.error().message();
  return std::move(*config);
}

const UnitFile* find(const std::vector<UnitFile>& files, const std::string& folder) {
  for (const UnitFile& file : files) {
    if (file.folder == folder) return &file;
  }
  return nullptr;
}

std::vector<UnitFile> files_of(const std::string& toml) {
  auto files = unit_files_of(configured(toml));
  EXPECT_TRUE(files) << files.error().message();
  return files.value_or(std::vector<UnitFile>{});
}

// F14: before the units, wanted and not needed by them, after its mounts.
TEST(UnitFiles, OrderTheRecoveryBeforeWhatIsRestarted) {
  const auto files = files_of("[restart]\nunits = [\"a.service\", \"b.socket\"]\n");
  const UnitFile* recover = find(files, "banger-update-recover.service.d");
  ASSERT_NE(recover, nullptr);
  EXPECT_TRUE(contains(recover->text, "\nBefore=a.service b.socket\n")) << recover->text;
  EXPECT_TRUE(contains(recover->text, "\nRequiresMountsFor=\"/usr/local/bin\"\n"));
  EXPECT_TRUE(contains(recover->text, "\nReadWritePaths=\"-/usr/local/bin\"\n"));
  EXPECT_TRUE(contains(recover->text, "\nReadWritePaths=\"-/var/lib/banger/update\"\n"));
  const UnitFile* verify = find(files, "banger-update-verify.service.d");
  ASSERT_NE(verify, nullptr);
  EXPECT_TRUE(contains(verify->text, "\nAfter=a.service b.socket\n")) << verify->text;
  for (const std::string unit : {"a.service.d", "b.socket.d"}) {
    const UnitFile* managed = find(files, unit);
    ASSERT_NE(managed, nullptr);
    EXPECT_TRUE(contains(managed->text, "\nWants=banger-update-recover.service\n"));
    EXPECT_TRUE(contains(managed->text, "\nAfter=banger-update-recover.service\n"));
    EXPECT_FALSE(contains(managed->text, "Requires="));
  }
}

TEST(UnitFiles, NameNoUnitWhereNoneIsRestarted) {
  const auto files = files_of("[restart]\nunits = []\n");
  EXPECT_EQ(files.size(), 2U);
  for (const UnitFile& file : files) {
    EXPECT_FALSE(contains(file.text, "Before=")) << file.text;
    EXPECT_FALSE(contains(file.text, "After=")) << file.text;
  }
}

TEST(UnitFiles, TellSystemdEachPathAsItIs) {
  const auto files = files_of("[paths]\nstate = \"/var/my 100% state\"\n");
  EXPECT_TRUE(contains(files[0].text, "RequiresMountsFor=\"/var/my 100%% state\"\n"))
      << files[0].text;
  EXPECT_FALSE(unit_files_of(configured("[paths]\nstate = '/var/a\"b'\n")));
  EXPECT_FALSE(unit_files_of(configured("[paths]\nstate = '/var/a\\b'\n")));
}

TEST(UnitFiles, AreWrittenAnewBelowAFolder) {
  Program program;
  program.fake.files.make_folder("/run/generator");
  program.fake.files.put_file("/run/generator/bangerd.service.d/50-banger-update.conf", "old",
                              0644);
  ASSERT_EQ(program.run({"config", "units", "--to", "/run/generator"}), 0)
      << program.console.err_text;
  EXPECT_TRUE(program.console.out_text.empty());
  const auto text =
      program.fake.files.read("/run/generator/bangerd.service.d/50-banger-update.conf");
  ASSERT_TRUE(text);
  EXPECT_TRUE(contains(*text, "Wants=banger-update-recover.service"));
  EXPECT_EQ(program.run({"config", "units", "--to", "/run/missing"}), 1);
}

}  // namespace
}  // namespace update::cli
