// A configuration that is wrong is refused with 2 before anything is looked at, let alone changed.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <regex>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {

void expect_refused(const Host& host, const std::string& why) {
  for (const Arguments& command :
       {Arguments{"config", "check"}, {"apply", host.path("releases/1.0.0")}, {"status"}}) {
    const Ended ended = host.run(command);
    EXPECT_EQ(ended.code, 2) << why << ": " << command[0] << ": " << ended.out << ended.err;
    EXPECT_FALSE(ended.err.empty()) << why;
  }
  EXPECT_FALSE(present(host.path("state"))) << why;
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "0.9.0")) << why;
}

TEST(Configuration, EmptyOneMeansBangersOwn) {
  Host host;
  write_file(host.path("update.toml"), "");
  EXPECT_EQ(host.run({"config", "check"}).code, 0);
  const Ended shown = host.run({"config", "show"});
  EXPECT_EQ(shown.code, 0) << shown.err;
  for (const char* default_value :
       {"/var/lib/banger/update", "/usr/local/bin/banger", "/usr/local/bin/bangerd",
        "/usr/local/bin/banger-vsock-agent", "bangerd.service", "/etc/banger/update-keys"}) {
    EXPECT_TRUE(contains(shown.out, default_value)) << default_value << "\n" << shown.out;
  }
}

TEST(Configuration, ShowsWhatIsInForce) {
  Host host;
  host.configure([](Settings& s) { s.attempts = 7; });
  EXPECT_EQ(host.run({"config", "check"}).code, 0);
  const Ended shown = host.run({"config", "show"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_TRUE(contains(shown.out, host.bin("beta"))) << shown.out;
  EXPECT_TRUE(std::regex_search(shown.out, std::regex("attempts[^\n]*7"))) << shown.out;
  EXPECT_TRUE(host.json({"config", "show"}).is_object());
}

TEST(Configuration, ComesFromTheEnvironmentWhereNoneIsGiven) {
  Host host;
  const std::string file = host.path("update.toml");
  const Ended shown =
      run_process({BANGER_UPDATE_PROGRAM, "config", "show"}, {{{"BANGER_UPDATE_CONFIG", file}}});
  EXPECT_EQ(shown.code, 0) << shown.err;
  EXPECT_TRUE(contains(shown.out, host.bin("alpha")));
}

TEST(Configuration, ThatIsHugeIsRefusedQuickly) {
  Host host;
  std::filesystem::resize_file(host.path("update.toml"), std::uintmax_t{1} << 36U);
  expect_refused(host, "64 GiB of zeros");
}

TEST(Configuration, ThatIsBinaryIsRefused) {
  Host host;
  for (const std::string& bytes :
       {read_file("/bin/true"), std::string("product = \"demo\"\n\0\n", 19),
        std::string("product = \"\xff\xfe\"\n"), std::string(100000, '['),
        std::string("a = ") + std::string(100000, '[')}) {
    write_file(host.path("update.toml"), bytes);
    expect_refused(host, "binary: " + bytes.substr(0, 12));
  }
}

TEST(Configuration, ThatIsNoFileIsRefused) {
  Host host;
  const std::string file = host.path("update.toml");
  std::filesystem::remove(file);
  expect_refused(host, "missing");
  std::filesystem::create_symlink(file, file);
  expect_refused(host, "a link to itself");
  std::filesystem::remove(file);
  std::filesystem::create_directory(file);
  expect_refused(host, "a folder");
  std::filesystem::remove(file);
  ASSERT_EQ(mkfifo(file.c_str(), 0644), 0);
  expect_refused(host, "a pipe, on which a read would hang");
}

TEST(Configuration, UnknownKeyIsNamedWithItsPlaceAndTheNearestKnownOne) {
  Host host;
  const std::string text = to_toml(host.settings());
  const std::string key = "\nattempts = ";
  const std::size_t at = text.find(key);
  ASSERT_NE(at, std::string::npos);
  write_file(host.path("update.toml"),
             text.substr(0, at) + "\natempts = " + text.substr(at + key.size()));
  const auto line = std::to_string(
      1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at) + 1, '\n'));
  const Ended ended = host.run({"config", "check"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(contains(ended.err, "atempts")) << ended.err;
  EXPECT_TRUE(contains(after_marker(ended.err, "atempts"), "attempts")) << ended.err;
  EXPECT_TRUE(contains(ended.err, host.path("update.toml"))) << ended.err;
  EXPECT_TRUE(std::regex_search(ended.err, std::regex("\\b" + line + "\\b"))) << ended.err;
}

struct Wrong {
  std::string name;
  std::string from;  // the first occurrence in a sound configuration ...
  std::string to;    // ... becomes this; an empty `from` appends
};

class WrongConfiguration : public testing::TestWithParam<Wrong> {};

TEST_P(WrongConfiguration, IsRefused) {
  Host host;
  host.release("1.0.0");
  std::string text = to_toml(host.settings());
  if (GetParam().from.empty()) {
    text += GetParam().to + "\n";
  } else {
    const std::size_t at = text.find(GetParam().from);
    ASSERT_NE(at, std::string::npos) << GetParam().from;
    text.replace(at, GetParam().from.size(), GetParam().to);
  }
  write_file(host.path("update.toml"), text);
  expect_refused(host, GetParam().name);
}

INSTANTIATE_TEST_SUITE_P(
    Configuration, WrongConfiguration,
    testing::Values(
        Wrong{"UnknownTable", "", "[doctors]\ncommand = []"},
        Wrong{"UnknownTopLevelKey", "product", "color = 1\nproduct"},
        Wrong{"UnknownKeyOfAFile", "name = 'alpha'", "name = 'alpha'\nnick = 'a'"},
        Wrong{"RepeatedKey", "attempts = 1", "attempts = 1\nattempts = 1"},
        Wrong{"RepeatedTable", "", "[doctor]\nattempts = 2"},
        Wrong{"ReservedHold", "", "[policy]\nhold = true"},
        Wrong{"ReservedPin", "", "[policy]\npin = '1.0.0'"},
        Wrong{"ReservedWindow", "", "[policy]\nwindow = 'night'"},
        Wrong{"FileWithoutName", "name = 'beta'\n", ""},
        Wrong{"EmptyName", "name = 'beta'", "name = ''"},
        Wrong{"NameWithASlash", "name = 'beta'", "name = 'a/b'"},
        Wrong{"NameThatIsAParent", "name = 'beta'", "name = '..'"},
        Wrong{"TwoFilesOfOneName", "name = 'beta'", "name = 'alpha'"},
        Wrong{"EmptySuffix", ".previous", ""}, Wrong{"SuffixWithASlash", ".previous", "/x"},
        Wrong{"UnknownPolicy", "policy = 'auto'", "policy = 'sometimes'"},
        Wrong{"UnknownBaseline", "baseline = 'record'", "baseline = 'whatever'"},
        Wrong{"NumberAsText", "attempts = 1", "attempts = '1'"},
        Wrong{"NoAttempts", "attempts = 1", "attempts = 0"},
        Wrong{"NegativePasses", "passes = 1", "passes = -1"},
        Wrong{"NegativeGenerations", "generations = 3", "generations = -1"},
        Wrong{"HugeGenerations", "generations = 3", "generations = 99999999999999999999"},
        Wrong{"DurationWithoutUnit", "interval = '10ms'", "interval = '10'"},
        Wrong{"NegativeDuration", "interval = '10ms'", "interval = '-10ms'"},
        Wrong{"DurationOutOfRange", "interval = '10ms'", "interval = '99999999999999999999s'"},
        Wrong{"CommandAsText", "command = [", "command = 'true' #"},
        Wrong{"RelativeState", "state = '/", "state = '"},
        Wrong{"BooleanAsNumber", "require_signature = false", "require_signature = 0"},
        Wrong{"ModeWithSetId", "name = 'beta'", "mode = '4755'\nname = 'beta'"},
        Wrong{"ModeThatIsNotOctal", "name = 'beta'", "mode = '0799'\nname = 'beta'"}),
    [](const auto& each) { return each.param.name; });

TEST(Configuration, TwoFilesOfOneDestinationAreRefused) {
  Host host;
  host.release("1.0.0");
  for (const std::string& same : {host.bin("alpha"), host.path("bin//alpha")}) {
    host.configure([&](Settings& s) { s.files[1].destination = same; });
    expect_refused(host, same);
  }
}

TEST(Configuration, RelativeDestinationIsRefused) {
  Host host;
  host.release("1.0.0");
  for (const std::string relative : {"bin/beta", "", "beta", "~/beta"}) {
    host.configure([&](Settings& s) { s.files[1].destination = relative; });
    expect_refused(host, relative);
  }
}

TEST(Configuration, SuffixThatMakesABackupAnotherDestinationIsRefused) {
  Host host;
  host.release("1.0.0");
  host.configure([&](Settings& s) {
    s.backup_suffix = "2";
    s.files[1].destination = host.bin("alpha2");
  });
  expect_refused(host, "alpha + 2");
}

TEST(Configuration, TwoNamesOfOneFolderDoNotHideThatTwoDestinationsAreOne) {
  Host host;
  std::filesystem::create_directory_symlink(host.path("bin"), host.path("same"));
  host.configure([&](Settings& s) { s.files[1].destination = host.path("same/alpha"); });
  const Ended ended = host.run({"apply", host.release("1.0.0")});
  EXPECT_NE(ended.code, 0);
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "0.9.0"));
  EXPECT_TRUE(host.leftovers().empty());
}

}  // namespace
}  // namespace update::scenario
