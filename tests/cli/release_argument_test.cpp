// What this version does not take as a release, and where it looks for keys.

#include <gtest/gtest.h>

#include "cli/progress.hpp"
#include "cli/trust.hpp"
#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

class ReleaseArgument : public testing::TestWithParam<const char*> {};

TEST_P(ReleaseArgument, ThatIsNoFolderIsAUsageErrorThatSaysHowToGetOne) {
  Program program;
  EXPECT_EQ(program.run({"apply", GetParam()}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "folder")) << program.console.err_text;
  EXPECT_TRUE(contains(program.console.err_text, "tar -xf")) << program.console.err_text;
}

INSTANTIATE_TEST_SUITE_P(Cli, ReleaseArgument,
                         testing::Values("-", "http://example.org/r", "https://example.org/r.tar",
                                         "r.tar", "r.tar.gz", "r.tgz", "a/r.tar.zst", "r.tar.xz"));

class Keys : public testing::Test {
 protected:
  static constexpr const char* kKey =
      "untrusted comment: minisign public key\n"
      "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n";

  Environment environment(const std::string& toml) {
    auto config = parse_configuration(toml, "test");
    EXPECT_TRUE(config) << config.error().message();
    return {fake.system, {fake.files, "/", 0}, std::move(*config), "", std::nullopt, silent};
  }

  FakeSystem fake;
  RecordingConsole console;
  Log log{console, false};
  Progress silent{console, log, fake.clock, ProgressStyle::none};
};

TEST_F(Keys, AreTheSortedPubFilesOfAFolderAndSingleFiles) {
  fake.files.put_file("/keys/b.pub", kKey);
  fake.files.put_file("/keys/a.pub", kKey);
  fake.files.put_file("/keys/readme", "not a key");
  fake.files.put_file("/one.key", kKey);
  const auto trust = load_trust(environment("[trust]\nkeys = ['/keys', '/none', '/one.key']"));
  ASSERT_TRUE(trust) << trust.error().message();
  ASSERT_EQ(trust->keys.size(), 3U);
  EXPECT_EQ(trust->keys[0].origin, "/keys/a.pub");
  EXPECT_EQ(trust->keys[1].origin, "/keys/b.pub");
  EXPECT_EQ(trust->keys[2].origin, "/one.key");
}

TEST_F(Keys, WithoutAnyNothingIsTrustedAndThePlacesAreNamed) {
  const auto trust = load_trust(environment("[trust]\nkeys = ['/none', '/nowhere/x.pub']"));
  ASSERT_FALSE(trust);
  EXPECT_EQ(trust.error().code(), ErrorCode::not_trusted);
  EXPECT_TRUE(contains(trust.error().message(), "/none")) << trust.error().message();
  EXPECT_TRUE(contains(trust.error().message(), "/nowhere/x.pub")) << trust.error().message();
}

TEST_F(Keys, OneThatIsDamagedOrForeignStopsAll) {
  fake.files.put_file("/keys/a.pub", kKey);
  fake.files.put_file("/keys/b.pub", "not a key");
  const auto damaged = load_trust(environment("[trust]\nkeys = ['/keys']"));
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::not_trusted);
  fake.files.put_file("/keys/b.pub", kKey, 0666);
  const auto writable = load_trust(environment("[trust]\nkeys = ['/keys']"));
  ASSERT_FALSE(writable);
  EXPECT_EQ(writable.error().code(), ErrorCode::not_trusted);
}

TEST_F(Keys, AreNotReadWhereNoSignatureIsRequired) {
  fake.files.put_file("/keys/b.pub", "not a key");
  const auto trust =
      load_trust(environment("[trust]\nrequire_signature = false\nkeys = ['/keys']"));
  ASSERT_TRUE(trust);
  EXPECT_FALSE(trust->require_signature);
}

}  // namespace
}  // namespace update::cli
