#include "cli/application.hpp"

#include <gtest/gtest.h>

#include "cli/environment.hpp"
#include "engine/base/json.hpp"
#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

Json document(const Program& program) {
  auto parsed = parse_json(program.console.out_text);
  EXPECT_TRUE(parsed) << program.console.out_text;
  return parsed ? std::move(*parsed) : Json();
}

TEST(Application, WithoutACommandGivesTheHelpOnStandardErrorAndTwo) {
  Program program;
  EXPECT_EQ(program.run({}), 2);
  EXPECT_EQ(program.console.out_text, "");
  EXPECT_TRUE(contains(program.console.err_text, "apply RELEASE"));
  EXPECT_EQ(program.run({"-v"}), 2);
}

TEST(Application, UnknownCommandNamesTheNearest) {
  Program program;
  EXPECT_EQ(program.run({"aply", "x"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "did you mean banger-update apply?"));
  EXPECT_EQ(program.run({"history", "shwo", "1"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "did you mean banger-update history show?"));
  EXPECT_EQ(program.run({"release", "mak", "x"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "did you mean banger-update release make?"));
  EXPECT_EQ(program.run({"xyzzy\x1b[2J"}), 2);
  EXPECT_FALSE(contains(program.console.err_text, "\x1b"));
}

TEST(Application, AnExpiredUpdateIsEndedInNoOtherWayAtOnce) {
  for (const std::string other : {"--boot", "--abandon"}) {
    Program program;
    EXPECT_EQ(program.run({"recover", "--expired", "1", other, "--reason", "x"}), 2) << other;
  }
  Program program;
  EXPECT_EQ(program.run({"recover", "--expired", "one"}), 2);
}

TEST(Application, FamilyWithoutItsSecondWordSaysWhatIsKnown) {
  Program program;
  EXPECT_EQ(program.run({"release"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "make, inspect"));
  EXPECT_EQ(program.run({"config"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "check, show"));
}

TEST(Application, HistoryAloneIsItsList) {
  Program program;
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"history"}, {"history", "-n", "1"}, {"history", "list", "-n", "1"}}) {
    EXPECT_EQ(program.run(words), 0) << program.console.err_text;
    EXPECT_EQ(program.console.out_text, "no updates\n");
  }
}

TEST(Application, APatternThatNoVersionIsMatchedWithIsAWrongCommandLine) {
  Program program;
  EXPECT_EQ(program.run({"history", "--version-like", std::string(4096, '*')}), 0);
  EXPECT_EQ(program.run({"history", "--version-like", std::string(4097, '*')}), 2);
}

TEST(Application, UnknownOptionOfACommandNamesTheNearest) {
  Program program;
  EXPECT_EQ(program.run({"apply", "--dry-rnu", "x"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "did you mean --dry-run?"));
  EXPECT_EQ(program.run({"status", "--dry-run"}), 2);
}

TEST(Application, GlobalOptionsStandBeforeBetweenAndAfterTheWordsOfACommand) {
  Program program;
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"--output", "json", "history", "list"},
                                             {"history", "--output", "json", "list"},
                                             {"history", "list", "--output=json"}}) {
    EXPECT_EQ(program.run(words), 0) << program.console.err_text;
    EXPECT_EQ(program.console.out_text, "[]\n");
  }
}

TEST(Application, WrongNumbersOfArgumentsAreRefused) {
  Program program;
  for (const auto& words : std::vector<std::vector<std::string>>{{"apply"},
                                                                 {"apply", "a", "b"},
                                                                 {"status", "x"},
                                                                 {"history", "show"},
                                                                 {"history", "show", "1", "2"},
                                                                 {"history", "list", "x"},
                                                                 {"release", "make"},
                                                                 {"prune", "all"}}) {
    EXPECT_EQ(program.run(words), 2) << testing::PrintToString(words);
  }
}

TEST(Application, WrongValuesAreRefused) {
  Program program;
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"status", "--output", "yaml"},
           {"status", "--color", "pink"},
           {"apply", "x", "--progress", "loud"},
           {"rollback", "--to", "x"},
           {"rollback", "--to", "-1"},
           {"history", "-n", "many"},
           {"history", "-n", "0"},
           {"history", "--since", "yesterday"},
           {"history", "--outcome", "fine"},
           {"history", "show", "x"},
           {"history", "verify", "--expect", "00"},
           {"recover", "--policy", "never"},
           {"recover", "--abandon"},
           {"recover", "--abandon", "--reason", ""},
           {"recover", "--abandon", "--force-commit", "--reason", "x"},
           {"recover", "--reason", "x"},
           {"release", "make", "/"},
           {"release", "make", "/", "--release-version", "1.0"}}) {
    EXPECT_EQ(program.run(words), 2) << testing::PrintToString(words) << program.console.err_text;
    EXPECT_EQ(program.console.out_text, "") << testing::PrintToString(words);
    EXPECT_FALSE(program.console.err_text.empty());
  }
}

TEST(Application, ForcedEndWithoutAReasonIsRefusedForThat) {
  Program program;
  for (const char* force : {"--force-rollback", "--force-commit", "--abandon"}) {
    for (const auto& words : std::vector<std::vector<std::string>>{
             {"recover", force}, {"recover", force, "--reason", ""}}) {
      EXPECT_EQ(program.run(words), 2);
      EXPECT_TRUE(contains(program.console.err_text, "--reason")) << program.console.err_text;
    }
  }
}

TEST(Application, ErrorIsOneDocumentWhereJsonIsWanted) {
  Program program;
  for (const auto& [words, code] : std::vector<std::pair<std::vector<std::string>, int>>{
           {{"--output", "json", "nonsense"}, 2},
           {{"--output=json"}, 2},
           {{"apply", "--output", "json", "--nonsense"}, 2},
           {{"history", "show", "7", "--output", "json"}, 9},
           {{"rollback", "--output", "json"}, 9},
           {{"verify", "--output", "json"}, 9},
           {{"apply", "/none", "--output", "json"}, 1}}) {
    EXPECT_EQ(program.run(words), code) << testing::PrintToString(words);
    const Json answer = document(program);
    ASSERT_TRUE(answer.contains("error"));
    EXPECT_EQ(answer["error"]["code"], code);
    EXPECT_TRUE(answer["error"]["name"].is_string());
    EXPECT_TRUE(answer["error"]["message"].is_string());
    EXPECT_TRUE(answer["error"].contains("hint"));
    EXPECT_TRUE(answer.contains("transaction") && answer["transaction"].is_null());
    EXPECT_FALSE(program.console.err_text.empty());
  }
}

TEST(Application, LooksOnAFreshHostAreZeroAndCreateNothing) {
  Program program;
  const auto before = program.fake.files.fingerprint();
  for (const auto& words : std::vector<std::vector<std::string>>{{"recover"},
                                                                 {"recover", "--boot"},
                                                                 {"recover", "--dry-run"},
                                                                 {"status"},
                                                                 {"history"},
                                                                 {"history", "verify"},
                                                                 {"history", "export"},
                                                                 {"prune"},
                                                                 {"config", "check"},
                                                                 {"config", "show"}}) {
    EXPECT_EQ(program.run(words), 0) << testing::PrintToString(words) << program.console.err_text;
  }
  EXPECT_EQ(program.fake.files.fingerprint(), before);
}

TEST(Application, JsonOfAFreshHostIsThatOfTheContract) {
  Program program;
  program.fake.files.put_file("/usr/local/bin/banger", "x", 0755);
  ASSERT_EQ(program.run({"status", "--output", "json"}), 0);
  EXPECT_EQ(to_text(document(program)),
            R"({"installed_version":null,"unfinished":null,"recover_would":"nothing","files":[)"
            R"({"name":"banger","destination":"/usr/local/bin/banger","state":"ok"},)"
            R"({"name":"bangerd","destination":"/usr/local/bin/bangerd","state":"missing"},)"
            R"({"name":"banger-vsock-agent","destination":"/usr/local/bin/banger-vsock-agent",)"
            R"("state":"missing"}]})");
  ASSERT_EQ(program.run({"recover", "--output", "json"}), 0);
  EXPECT_EQ(program.console.out_text, "{\"recovered\":null}\n");
  ASSERT_EQ(program.run({"recover", "--dry-run", "--output", "json"}), 0);
  EXPECT_EQ(program.console.out_text, "{\"recover_would\":\"nothing\"}\n");
  ASSERT_EQ(program.run({"prune", "--output", "json"}), 0);
  EXPECT_EQ(program.console.out_text, "{\"pruned\":[],\"bytes\":0}\n");
}

TEST(Application, QuietSaysNothingOfSuccess) {
  Program program;
  EXPECT_EQ(program.run({"-q", "recover"}), 0);
  EXPECT_EQ(program.console.out_text + program.console.err_text, "");
  EXPECT_EQ(program.run({"-q", "history", "show", "1"}), 9);
  EXPECT_FALSE(program.console.err_text.empty());
}

TEST(Application, ConfigurationThatWasNamedMustBeThere) {
  Program program;
  EXPECT_EQ(program.run({"--config", "/none.toml", "config", "check"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "/none.toml"));
  Invocation invocation{"banger-update", {"config", "check"}, program.fake.system,
                        program.console, "/none.toml",        {}};
  EXPECT_EQ(run(invocation), 2);
}

TEST(Application, ConfigurationOfTheCommandLineIsTakenBeforeThatOfTheEnvironment) {
  Program program;
  program.fake.files.put_file("/a.toml", "product = 'aaa'\n");
  program.fake.files.put_file("/b.toml", "product = 'bbb'\n");
  Invocation invocation{"banger-update",     {"config", "show", "--config", "/a.toml"},
                        program.fake.system, program.console,
                        "/b.toml",           {}};
  EXPECT_EQ(run(invocation), 0);
  EXPECT_TRUE(contains(program.console.out_text, "product = \"aaa\""));
  invocation.words = {"config", "show"};
  EXPECT_EQ(run(invocation), 0);
  EXPECT_TRUE(contains(program.console.out_text, "product = \"bbb\""));
}

TEST(Application, ConfigurationIsToldWrongUnreadableOrUntrusted) {
  Program program;
  program.fake.files.put_file("/etc/banger/update.toml", "\n  colour = 1\n");
  EXPECT_EQ(program.run({"config", "check"}), 2);
  EXPECT_TRUE(contains(program.console.err_text, "/etc/banger/update.toml:2:3"))
      << program.console.err_text;
  program.fake.files.put_file("/etc/banger/update.toml", "", 0666);
  EXPECT_EQ(program.run({"config", "check"}), 7);
  program.fake.files.put_file("/etc/banger/update.toml", "");
  program.fake.files.fail_reading(
      EACCES, [](const std::string& path) { return path == "/etc/banger/update.toml"; });
  EXPECT_EQ(program.run({"config", "check"}), 2);
}

TEST(Application, CommandLineForTheAuditIsOneSafeBoundedLine) {
  Program program;
  Invocation invocation{
      "banger-update", {"apply", "a\nb\x1b"}, program.fake.system, program.console, {}, {}};
  EXPECT_EQ(command_line_of(invocation), "banger-update apply a\\x0ab\\x1b");
  invocation.words = std::vector<std::string>(5000, "ä");
  const std::string line = command_line_of(invocation);
  EXPECT_LE(line.size(), 4096U);
  EXPECT_EQ(line.find("\\x"), std::string::npos) << "no character is cut";
  EXPECT_TRUE(line.ends_with("…"));
}

TEST(Application, VersionIsTold) {
  Program program;
  EXPECT_EQ(program.run({"--version"}), 0);
  EXPECT_TRUE(program.console.out_text.starts_with("banger-update "));
}

}  // namespace
}  // namespace update::cli
