#include "cli/toml_text.hpp"

#include <gtest/gtest.h>

#include "cli/json_documents.hpp"

namespace update::cli {
namespace {

Configuration parsed(const std::string& text) {
  auto config = parse_configuration(text, "test");
  EXPECT_TRUE(config) << config.error().message() << "\n" << text;
  return config ? std::move(*config) : *parse_configuration("", "defaults");
}

constexpr const char* kEverything = R"toml(
product = "demo"
[paths]
state = "/var/lib/d\u00e4mo \u202e \\ \"x\""
staging = "/var/cache/demo"
backup_suffix = ".old"
[[file]]
name = "alpha"
destination = "/opt/alpha"
optional = true
mode = "0750"
owner = "svc"
group = "7"
[[file]]
name = "beta"
destination = "/opt/beta"
[restart]
command = ["/bin/sh", "-c", "exit 0\n\t'"]
timeout = "1500ms"
keep_processes = ["firecracker"]
[doctor]
command = ["/opt/alpha", "doctor", "😀"]
timeout = "61s"
attempts = 7
passes = 3
interval = "10ms"
soak = "0s"
baseline = "excuse"
[trust]
require_signature = false
keys = ["/a", "/b"]
allow_downgrade = true
[recovery]
policy = "replay"
[retention]
generations = 9
)toml";

TEST(TomlText, ParsesAgainToTheSame) {
  for (const char* text : {"", kEverything}) {
    const Configuration config = parsed(text);
    const std::string shown = to_toml(config, false);
    const Configuration again = parsed(shown);
    EXPECT_EQ(configuration_document(again), configuration_document(config)) << shown;
    EXPECT_EQ(to_toml(again, false), shown);
  }
}

TEST(TomlText, MisleadsNoTerminal) {
  for (const char c : to_toml(parsed(kEverything), false)) {
    EXPECT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
  }
}

TEST(TomlText, OnAnotherRootLeavesOutWhatIsNotRunThere) {
  const std::string defaults = to_toml(parsed(""), true);
  EXPECT_NE(defaults.find("units = []"), std::string::npos) << defaults;
  EXPECT_EQ(defaults.find("\"doctor\""), std::string::npos) << defaults;
  const std::string given = to_toml(parsed(kEverything), true);
  EXPECT_NE(given.find("\"doctor\""), std::string::npos) << given;
}

}  // namespace
}  // namespace update::cli
