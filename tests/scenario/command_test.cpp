// What every command owes to those who call it: its output, its help, and that a look changes
// nothing.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

TEST(Command, VersionAndHelpNeedNoConfiguration) {
  const Ended version = run_process({BANGER_UPDATE_PROGRAM, "--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(contains(version.out, "banger-update")) << version.out;
  for (const char* command : {"", "apply", "recover", "rollback", "status", "history", "verify",
                              "prune", "release", "config"}) {
    for (const char* option : {"--help", "-h"}) {
      Arguments words = {BANGER_UPDATE_PROGRAM};
      if (*command != '\0') {
        words.emplace_back(command);
      }
      words.emplace_back(option);
      const Ended help = run_process(words);
      EXPECT_EQ(help.code, 0) << command << help.err;
      EXPECT_TRUE(contains(help.out, "banger-update")) << command << help.out;
    }
  }
}

TEST(Command, HelpOfACommandHasExamples) {
  for (const char* command : {"apply", "recover", "rollback", "status", "history"}) {
    const Ended help = run_process({BANGER_UPDATE_PROGRAM, command, "--help"});
    EXPECT_TRUE(contains(help.out, std::string("banger-update ") + command)) << help.out;
  }
}

TEST(Command, TextGoesToStandardOutputWithoutColourIntoAPipe) {
  Host host;
  const Ended ended = host.run({"apply", "--progress", "auto", host.release("1.0.0")});
  EXPECT_FALSE(ended.out.empty());
  EXPECT_FALSE(contains(ended.out + ended.err, "\033"));
  EXPECT_FALSE(contains(ended.out + ended.err, "\r")) << "a pipe gets no bar";
}

TEST(Command, JsonOutputIsOneDocumentAndNothingElse) {
  Host host;
  host.install("1.0.0");
  for (const Arguments& command : {Arguments{"status"},
                                   {"history"},
                                   {"history", "list"},
                                   {"history", "show", "1"},
                                   {"history", "verify"},
                                   {"verify"},
                                   {"recover"},
                                   {"prune"},
                                   {"config", "check"},
                                   {"config", "show"},
                                   {"release", "inspect", host.release("2.0.0")},
                                   {"apply", "--dry-run", host.release("2.0.0")},
                                   {"apply", host.release("2.0.0")},
                                   {"rollback"}}) {
    SCOPED_TRACE(testing::PrintToString(command));
    EXPECT_FALSE(host.json(command).is_null());
  }
}

TEST(Command, JsonErrorIsTheDocumentOfEveryFailure) {
  Host host;
  for (const auto& [command, code] :
       std::vector<std::pair<Arguments, int>>{{{"rollback"}, 9},
                                              {{"history", "show", "7"}, 9},
                                              {{"apply", host.path("releases/none")}, -1},
                                              {{"nonsense"}, 2},
                                              {{"release", "inspect", host.path("hooks")}, 7}}) {
    Arguments words = {"--output", "json"};
    words.insert(words.end(), command.begin(), command.end());
    const Ended ended = host.run(words);
    Json answer = ended.json();
    SCOPED_TRACE(ended.out + ended.err);
    ASSERT_TRUE(answer.is_object() && answer.contains("error"));
    EXPECT_EQ(answer["error"]["code"], ended.code);
    EXPECT_TRUE(code < 0 || ended.code == code) << ended.code;
    EXPECT_TRUE(answer["error"]["message"].is_string());
    EXPECT_TRUE(answer.contains("transaction"));
  }
}

TEST(Command, TextOutputEscapesWhatAReleaseSays) {
  Host host;
  const std::string evil = "\033[31mred\007\x7f \302\233 \342\200\256 end of notes";
  const std::string release =
      host.release_with("1.0.0", [&](Json& manifest) { manifest["notes"] = evil; });
  for (const Arguments& command : {Arguments{"release", "inspect", release},
                                   {"apply", "--dry-run", release},
                                   {"apply", release},
                                   {"status"},
                                   {"history", "show", "1"}}) {
    const Ended ended = host.run(command);
    SCOPED_TRACE(testing::PrintToString(command));
    EXPECT_EQ(ended.code, 0) << ended.err;
    for (const char* raw : {"\033", "\007", "\x7f", "\302\233", "\342\200\256"}) {
      EXPECT_FALSE(contains(ended.out + ended.err, raw)) << ended.out << ended.err;
    }
  }
  EXPECT_TRUE(contains(host.run({"history", "show", "1"}).out, "end of notes"));
}

TEST(DryRun, ChangesNothingOnAFreshHost) {
  Host host;
  const std::string release = host.release("1.0.0");
  const auto before = host.snapshot();
  const Ended ended = host.run({"apply", "--dry-run", release});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(contains(ended.out, host.bin("alpha"))) << ended.out;
  EXPECT_TRUE(contains(ended.out, "1.0.0")) << ended.out;
  EXPECT_EQ(host.snapshot(), before);
  EXPECT_TRUE(host.hook_log("restart").empty());
  EXPECT_TRUE(host.hook_log("doctor").empty());
}

TEST(DryRun, RefusesWhatApplyWouldRefuse) {
  Host host;
  const std::string release = host.release("1.0.0");
  write_file(release + "/beta", "x", 0755);
  EXPECT_EQ(host.run({"apply", "--dry-run", release}).code, 7);
  host.install("2.0.0");
  EXPECT_EQ(host.run({"apply", "--dry-run", host.release("1.0.0")}).code, 6);
}

TEST(Status, OfAFreshHost) {
  Host host;
  Json status = host.json({"status"});
  EXPECT_TRUE(status["installed_version"].is_null());
  EXPECT_TRUE(status["unfinished"].is_null());
  EXPECT_EQ(status["recover_would"], "nothing");
  EXPECT_TRUE(status["files"].is_array());
  EXPECT_FALSE(present(host.path("state"))) << "a look creates nothing";
}

TEST(Status, TellsEachFile) {
  Host host;
  host.install("1.0.0");
  write_file(host.bin("beta"), "changed", 0755);
  fs::remove(host.bin("gamma"));
  Json status = host.json({"status"});
  EXPECT_EQ(status["installed_version"], "1.0.0");
  ASSERT_EQ(status["files"].size(), 3U);
  const std::vector<std::string> states = {"ok", "changed", "missing"};
  for (std::size_t index = 0; index < 3; ++index) {
    EXPECT_EQ(status["files"][index]["state"], states[index]);
    EXPECT_EQ(status["files"][index]["destination"], host.settings().files[index].destination);
  }
}

TEST(Verify, FindsAChangedAndAMissingFile) {
  Host host;
  host.install("1.0.0");
  EXPECT_EQ(host.run({"verify"}).code, 0);
  std::string bytes = program("beta", "1.0.0");
  bytes[3] = 'X';
  write_file(host.bin("beta"), bytes, 0755);
  const Ended changed = host.run({"verify"});
  EXPECT_EQ(changed.code, 7);
  EXPECT_TRUE(contains(changed.out + changed.err, "beta"));
  write_file(host.bin("beta"), program("beta", "1.0.0"), 0755);
  EXPECT_EQ(host.run({"verify"}).code, 0) << "the digest decides";
  fs::remove(host.bin("gamma"));
  EXPECT_EQ(host.run({"verify"}).code, 7);
}

TEST(ReleaseMake, WritesAManifestThatApplyAccepts) {
  Host host;
  const std::string release = host.release("1.0.0");
  Json expected = Host::manifest(release);
  fs::remove(release + "/release.json");
  const Ended made = host.run({"release", "make", release, "--release-version", "1.0.0"});
  ASSERT_EQ(made.code, 0) << made.err;
  Json manifest = Host::manifest(release);
  EXPECT_EQ(manifest["format"], 1);
  EXPECT_EQ(manifest["product"], "demo");
  EXPECT_EQ(manifest["version"], "1.0.0");
  ASSERT_EQ(manifest["files"].size(), 3U);
  for (const Json& file : expected["files"]) {
    EXPECT_NE(std::find(manifest["files"].begin(), manifest["files"].end(), file),
              manifest["files"].end())
        << file.dump() << manifest.dump();
  }
  EXPECT_EQ(host.run({"apply", release}).code, 0);
}

TEST(ReleaseInspect, ShowsWhatIsInItAndChangesNothing) {
  Host host;
  const std::string release = host.release("1.0.0");
  const auto before = host.snapshot();
  const Ended ended = host.run({"release", "inspect", release});
  EXPECT_EQ(ended.code, 0) << ended.err;
  for (const char* part : {"1.0.0", "alpha", "beta", "gamma", "notes of 1.0.0"}) {
    EXPECT_TRUE(contains(ended.out, part)) << part << "\n" << ended.out;
  }
  EXPECT_EQ(host.snapshot(), before);
}

TEST(Status, ShowsTheNotesOfWhatIsInstalled) {
  Host host;
  host.install("1.0.0");
  EXPECT_TRUE(contains(host.run({"status"}).out, "notes:\n  notes of 1.0.0\n"));
  const std::string silent =
      host.release_with("2.0.0", [](Json& manifest) { manifest["notes"] = ""; });
  ASSERT_EQ(host.run({"apply", silent}).code, 0);
  EXPECT_FALSE(contains(host.run({"status"}).out, "notes")) << "those of an older version";
  ASSERT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_TRUE(contains(host.run({"status"}).out, "notes of 1.0.0"));
}

TEST(Status, ShowsTheNotesOfWhatIsUnfinished) {
  Host host;
  host.install("1.0.0");
  host.hold_doctor("2.0.0");
  Process update(host.command({"apply", host.release("2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  const std::string shown = host.run({"status"}).out;
  host.let_doctor_go();
  EXPECT_EQ(update.wait().code, 0);
  EXPECT_LT(shown.find("notes of 1.0.0"), shown.find("is unfinished")) << shown;
  EXPECT_TRUE(contains(shown, "notes:\n  notes of 2.0.0\nrecover would do")) << shown;
}

TEST(Status, ShowsOnlyTheBeginningOfLongNotes) {
  Host host;
  const std::string release = host.release_with(
      "1.0.0", [](Json& manifest) { manifest["notes"] = std::string(60000, 'n'); });
  ASSERT_EQ(host.run({"apply", release}).code, 0);
  const std::string shown = host.run({"status"}).out;
  EXPECT_TRUE(contains(shown, std::string(2048, 'n')));
  EXPECT_LT(shown.size(), 3000U);
}

TEST(LogFile, GetsTheLogAndNotStandardOutput) {
  Host host;
  const std::string log = host.path("update.log");
  const Ended ended = host.run({"-v", "--log-file", log, "apply", host.release("1.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_FALSE(read_file(log).empty());
}

TEST(LogFile, MakesNoFolder) {
  Host host;
  const Ended ended = host.run({"--log-file", host.path("nowhere/deeper/x"), "status"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(contains(ended.err, host.path("nowhere/deeper"))) << ended.err;
  EXPECT_FALSE(present(host.path("nowhere")));
}

}  // namespace
}  // namespace update::scenario
