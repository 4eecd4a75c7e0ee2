#include "engine/installation/configuration.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

// The message of the usage error that the text must give.
std::string refusal(std::string_view text) {
  const auto parsed = parse_configuration(text, "update.toml");
  if (parsed) return "not refused";
  EXPECT_EQ(parsed.error().code(), ErrorCode::usage);
  return parsed.error().message();
}

// One file; `more` are further keys of it.
std::string file(const std::string& name, const std::string& destination,
                 const std::string& more = "") {
  return "[[file]]\nname = '" + name + "'\ndestination = '" + destination + "'\n" + more + "\n";
}

struct Case {
  std::string text;
  std::string place;    ///< LINE:COLUMN
  std::string problem;  ///< part of the message
};

void expect_refused(const std::vector<Case>& cases) {
  for (const auto& each : cases) {
    const std::string message = refusal(each.text);
    EXPECT_TRUE(message.starts_with("update.toml:" + each.place + ": ")) << each.text << message;
    EXPECT_NE(message.find(each.problem), std::string::npos) << each.text << message;
  }
}

TEST(ConfigurationRefusal, AnUnknownKeyNamesTheNearestKnownOne) {
  EXPECT_EQ(refusal("\n[restart]\ntimeout = '1s'\n  unit = ['a.service']\n"),
            "update.toml:4:3: unknown key \"unit\"; did you mean \"units\"?");
  EXPECT_EQ(refusal("[retsart]\nunits = []\n"),
            "update.toml:1:2: unknown key \"retsart\"; did you mean \"restart\"?");
  expect_refused({
      {"produkt = 'a'\n", "1:1", R"("produkt"; did you mean "product"?)"},
      {"[paths]\nstat = '/a'\n", "2:1", R"(did you mean "state"?)"},
      {file("a", "/a", "modes = '0755'"), "4:1", R"(did you mean "mode"?)"},
      {"[doctor]\nattempt = 1\n", "2:1", R"(did you mean "attempts"?)"},
      {"[trust]\nkey = []\n", "2:1", R"(did you mean "keys"?)"},
      {"[recovery]\npolcy = 'auto'\n", "2:1", R"(did you mean "policy"?)"},
      {"[retention]\ngeneration = 3\n", "2:1", R"(did you mean "generations"?)"},
      {"retention.\"gen\\u001b\" = 3\n", "1:11", R"(unknown key "gen\x1b")"},
      {"[recovery]\nzzzzzzzzzz = 1\n", "2:1", "known here: policy"},
  });
}

TEST(ConfigurationRefusal, TheFirstUnknownKeyOfTheTextIsTheOneNamed) {
  EXPECT_EQ(refusal("[retention]\nzeta = 1\nalpha = 1\n").substr(0, 36),
            "update.toml:2:1: unknown key \"zeta\";");
}

TEST(ConfigurationRefusal, ARepeatedKeyOrTable) {
  EXPECT_TRUE(refusal("product = 'a'\nproduct = 'a'\n").starts_with("update.toml:2:"));
  EXPECT_TRUE(refusal("[paths]\n[paths]\n").starts_with("update.toml:2:"));
  EXPECT_TRUE(refusal("[doctor]\npasses = 1\npasses = 1\n").starts_with("update.toml:3:"));
}

TEST(ConfigurationRefusal, AWrongType) {
  expect_refused({
      {"product = 1\n", "1:11", "product must be a string, not an integer"},
      {"paths = '/a'\n", "1:9", "paths must be a table"},
      {"restart = [1]\n", "1:11", "restart must be a table, not an array"},
      {"[restart]\nunits = 'a.service'\n", "2:9", "units must be an array of strings"},
      {"[restart]\nunits = ['a.service', 1]\n", "2:23", "units must be a string"},
      {"[restart]\ntimeout = 30\n", "2:11", "timeout must be a string"},
      {"[doctor]\nattempts = 1.5\n", "2:12", "attempts must be an integer"},
      {"[trust]\nrequire_signature = 'no'\n", "2:21", "must be true or false"},
      {"[trust]\nkeys = '/a'\n", "2:8", "keys must be an array of strings"},
      {file("a", "/a", "mode = 755"), "4:8", "mode must be a string"},
      {file("a", "/a", "owner = 0"), "4:9", "owner must be a string"},
      {"file = 1\n", "1:8", "[[file]]"},
      {"file = []\n", "1:8", "[[file]]"},
      {"file = [1]\n", "1:9", "[[file]]"},
      {"[file]\nname = 'a'\ndestination = '/a'\n", "1:1", "[[file]]"},
  });
}

TEST(ConfigurationRefusal, ANumberOrDurationOutOfRange) {
  expect_refused({
      {"[doctor]\nattempts = 0\n", "2:12", "from 1 to 100"},
      {"[doctor]\nattempts = 101\n", "2:12", "from 1 to 100"},
      {"[doctor]\npasses = 0\n", "2:10", "from 1 to 100"},
      {"[doctor]\npasses = -1\n", "2:10", "from 1 to 100"},
      {"[retention]\ngenerations = -1\n", "2:15", "from 0 to 100"},
      {"[retention]\ngenerations = 101\n", "2:15", "from 0 to 100"},
      {"[restart]\ntimeout = '0s'\n", "2:11", "24h"},
      {"[restart]\ntimeout = '25h'\n", "2:11", "24h"},
      {"[doctor]\ntimeout = '0ms'\n", "2:11", "24h"},
      {"[doctor]\ninterval = '86400001ms'\n", "2:12", "24h"},
      {"[doctor]\nsoak = '-1s'\n", "2:8", "soak"},
      {"[doctor]\nsoak = 'long'\n", "2:8", "soak"},
      {"[doctor]\nsoak = '99999999999999999999h'\n", "2:8", "soak"},
  });
}

TEST(ConfigurationRefusal, AWordThatIsNoneOfTheKnown) {
  expect_refused({
      {"[doctor]\nbaseline = 'ignore'\n", "2:12", "record, excuse, require"},
      {"[recovery]\npolicy = 'automatic'\n", "2:10", "auto, rollback, replay"},
      {"product = ''\n", "1:11", "product"},
      {"product = \"a\\nb\"\n", "1:11", "product"},
  });
}

TEST(ConfigurationRefusal, TheReservedPolicyTable) {
  expect_refused({
      {"[policy]\nhold = true\n", "2:8", "reserved for a later version"},
      {"[policy]\npin = '1.0.0'\n", "2:7", "reserved for a later version"},
      {"[policy]\nwindow = '02:00'\n", "2:10", "reserved for a later version"},
      {"[policy]\n", "1:1", "reserved for a later version"},
      {"[policy]\nhodl = true\n", "2:1", R"(did you mean "hold"?)"},
  });
}

TEST(ConfigurationRefusal, AFileWithoutNameOrDestination) {
  expect_refused({
      {"product = 'a'\n[[file]]\ndestination = '/a'\n", "2:1", "no \"name\""},
      {"[[file]]\nname = 'a'\n", "1:1", "no \"destination\""},
  });
}

TEST(ConfigurationRefusal, TwoFilesAlikeNameBothLines) {
  const std::string name = refusal(file("a", "/opt/a") + file("a", "/opt/b"));
  EXPECT_TRUE(name.starts_with("update.toml:5:")) << name;
  EXPECT_NE(name.find("line 1 "), std::string::npos) << name;
  const std::string destination =
      refusal(file("a", "/opt/a") + file("b", "/opt/b") + file("c", "/opt//a/"));
  EXPECT_TRUE(destination.starts_with("update.toml:9:")) << destination;
  EXPECT_NE(destination.find("line 1 "), std::string::npos) << destination;
}

TEST(ConfigurationRefusal, ASuffixThatMakesABackupAnotherDestination) {
  for (const std::string& files : {file("a", "/opt/a") + file("b", "/opt/a.previous"),
                                   file("b", "/opt/a.previous") + file("a", "/opt/a")}) {
    const std::string message = refusal(files);
    EXPECT_TRUE(message.starts_with("update.toml:5:")) << message;
    EXPECT_NE(message.find("line 1 "), std::string::npos) << message;
    EXPECT_NE(message.find("backup"), std::string::npos) << message;
  }
  EXPECT_NE(
      refusal("paths.backup_suffix = 'd'\n" + file("a", "/opt/banger") + file("b", "/opt/bangerd")),
      "not refused");
  // The three of banger are destinations too.
  expect_refused({{"paths.backup_suffix = 'd'\n", "1:23", "/usr/local/bin/bangerd"},
                  {"paths.backup_suffix = '-vsock-agent'\n", "1:23", "banger-vsock-agent"}});
}

TEST(ConfigurationRefusal, AFileNameThatIsNotPlainOrIsTheReleasesOwn) {
  expect_refused({
      {file("", "/a"), "2:8", "name"},
      {file("..", "/a"), "2:8", "name"},
      {file("a/b", "/a"), "2:8", "name"},
      {file("release.json", "/a"), "2:8", "release"},
      {file("release.json.minisig", "/a"), "2:8", "release"},
  });
}

TEST(ConfigurationRefusal, ADestinationThatCannotBeOne) {
  expect_refused({
      {file("a", "opt/a"), "3:15", "not an absolute path"},
      {file("a", ""), "3:15", "not an absolute path"},
      {file("a", "/opt/../a"), "3:15", "'..'"},
      {file("a", "/"), "3:15", "destination"},
      {"file = [{name = 'a', destination = \"/a\\u0000b\"}]", "1:36", "NUL"},
      {"file = [{name = 'a', destination = \"/a\\nb\"}]", "1:36", "destination"},
      {file("a", "/var/lib/banger/update"), "3:15", "/var/lib/banger/update"},
      {file("a", "/var/lib/banger/update/x/y"), "3:15", "/var/lib/banger/update"},
      {file("a", "/var/cache/banger/updates/a"), "3:15", "/var/cache/banger/updates"},
      {file("a", "/opt/.b.1-0123abcd.staged"), "3:15", "this program"},
      {"paths.staging = '/usr'\n", "1:1", "/usr/local/bin/banger"},
      {"paths.state = '/usr/local/bin/banger'\n", "1:1", "/usr/local/bin/banger"},
  });
  EXPECT_EQ(refusal(file("a", "/var/lib/banger/updates")), "not refused");
}

TEST(ConfigurationRefusal, ANameThatIsTooLongWithItsSuffix) {
  const std::string most(200, 'n');
  EXPECT_EQ(refusal(file("a", "/opt/" + most)), "not refused");
  expect_refused({
      {file("a", "/opt/" + std::string(247, 'n')), "3:15", "too long"},
      {"paths.backup_suffix = '" + std::string(56, 's') + "'\n" + file("a", "/opt/" + most), "4:15",
       "too long"},
  });
}

TEST(ConfigurationRefusal, ABackupSuffixThatCannotEndAName) {
  expect_refused({
      {"[paths]\nbackup_suffix = ''\n", "2:17", "empty"},
      {"[paths]\nbackup_suffix = '/x'\n", "2:17", "backup_suffix"},
      {"[paths]\nbackup_suffix = \"a\\u0000\"\n", "2:17", "backup_suffix"},
      {"[paths]\nbackup_suffix = \"\\n\"\n", "2:17", "backup_suffix"},
      {"[paths]\nstate = 'var'\n", "2:9", "not an absolute path"},
  });
}

TEST(ConfigurationRefusal, AModeThatIsNotFrom0000To0777) {
  for (const std::string mode :
       {"1777", "4755", "0788", "00755", "77", "", "-755", "0x1f", "rwx"}) {
    EXPECT_TRUE(refusal(file("a", "/a", "mode = '" + mode + "'")).starts_with("update.toml:4:8: "))
        << mode;
  }
}

TEST(ConfigurationRefusal, AnOwnerThatIsNeitherNameNorNumber) {
  for (const std::string owner : {"", "-1", "a:b", "a b", "a/b"}) {
    EXPECT_NE(refusal(file("a", "/a", "owner = '" + owner + "'")), "not refused") << owner;
    EXPECT_NE(refusal(file("a", "/a", "group = '" + owner + "'")), "not refused") << owner;
  }
}

TEST(ConfigurationRefusal, WhatIsNotTheNameOfAUnit) {
  expect_refused({{"[restart]\nunits = ['bangerd']\n", "2:10", R"("bangerd.service"?)"}});
  for (const std::string unit :
       {"", ".service", ".a.service", "@a.service", "-a.service", "a/b.service", "../a.service",
        "a b.service", "a.servic", "a@.service", "a.service\\n", "ü.service"}) {
    EXPECT_NE(refusal("[restart]\nunits = [\"" + unit + "\"]\n"), "not refused") << unit;
  }
  EXPECT_NE(refusal("[restart]\nunits = ['a.service', 'a.service']\n"), "not refused");
}

TEST(ConfigurationRefusal, UnitsAndCommandTogether) {
  expect_refused(
      {{"[restart]\nunits = ['a.service']\ncommand = ['/bin/true']\n", "3:11", "units"}});
}

TEST(ConfigurationRefusal, ACommandThatHasNoAbsolutePath) {
  expect_refused({
      {"[doctor]\ncommand = ['banger', 'doctor']\n", "2:11", "absolute path"},
      {"[restart]\ncommand = ['./restart']\n", "2:11", "absolute path"},
      {"[doctor]\ncommand = ['']\n", "2:11", "absolute path"},
      {"[doctor]\ncommand = ['/bin/x', \"a\\u0000b\"]\n", "2:22", "NUL"},
      {"[restart]\nkeep_processes = ['']\n", "2:19", "process"},
      {"[restart]\nkeep_processes = ['/usr/bin/x']\n", "2:19", "process"},
      {"[trust]\nkeys = ['keys']\n", "2:9", "absolute path"},
  });
}

}  // namespace
}  // namespace update
