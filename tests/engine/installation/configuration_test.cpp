#include "engine/installation/configuration.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

using Words = std::vector<std::string>;

Configuration parse(std::string_view text) {
  auto parsed = parse_configuration(text, "update.toml");
  EXPECT_TRUE(parsed) << parsed.error().message();
  return parsed.value();
}

TEST(Configuration, AnEmptyTextGivesTheDefaultsOfBanger) {
  for (const std::string_view text : {"", "\n", "# nothing\n", "\xEF\xBB\xBF"}) {
    const Configuration found = parse(text);
    EXPECT_EQ(found.product, "banger");
    EXPECT_EQ(found.state.text(), "/var/lib/banger/update");
    EXPECT_EQ(found.staging.text(), "/var/cache/banger/updates");
    EXPECT_EQ(found.backup_suffix, ".previous");
    ASSERT_EQ(found.files.size(), 3U);
    EXPECT_EQ(found.files[0].name, "banger");
    EXPECT_EQ(found.files[0].destination.text(), "/usr/local/bin/banger");
    EXPECT_EQ(found.files[1].destination.text(), "/usr/local/bin/bangerd");
    EXPECT_EQ(found.files[2].destination.text(), "/usr/local/bin/banger-vsock-agent");
    EXPECT_FALSE(found.files[2].optional);
    EXPECT_FALSE(found.files[2].mode);
    EXPECT_FALSE(found.files[2].owner);
    EXPECT_FALSE(found.files[2].group);
    EXPECT_EQ(found.restart.units, Words{"bangerd.service"});
    EXPECT_TRUE(found.restart.command.empty());
    EXPECT_EQ(found.restart.timeout_ms, 30'000);
    EXPECT_TRUE(found.restart.keep_processes.empty());
    EXPECT_FALSE(found.restart.given);
    EXPECT_EQ(found.doctor.command, (Words{"/usr/local/bin/banger", "doctor"}));
    EXPECT_EQ(found.doctor.timeout_ms, 60'000);
    EXPECT_EQ(found.doctor.attempts, 3);
    EXPECT_EQ(found.doctor.passes, 2);
    EXPECT_EQ(found.doctor.interval_ms, 2'000);
    EXPECT_EQ(found.doctor.soak_ms, 5'000);
    EXPECT_EQ(found.doctor.baseline, Baseline::record);
    EXPECT_FALSE(found.doctor.given);
    EXPECT_TRUE(found.trust.require_signature);
    ASSERT_EQ(found.trust.keys.size(), 1U);
    EXPECT_EQ(found.trust.keys[0].text(), "/etc/banger/update-keys");
    EXPECT_FALSE(found.trust.allow_downgrade);
    EXPECT_EQ(found.recovery_policy, RecoveryPolicy::automatic);
    EXPECT_EQ(found.generations, 3);
  }
}

// An operator begins by copying what the manual shows.
TEST(Configuration, TheDefaultsMayBeWrittenOut) {
  const Configuration found = parse(R"(
product = "banger"
[paths]
state         = "/var/lib/banger/update"
staging       = "/var/cache/banger/updates"
backup_suffix = ".previous"
[[file]]
name        = "banger"
destination = "/usr/local/bin/banger"
[restart]
units   = ["bangerd.service"]
command = []
timeout = "30s"
keep_processes = []
[doctor]
command  = ["/usr/local/bin/banger", "doctor"]
timeout  = "60s"
attempts = 3
passes   = 2
interval = "2s"
soak     = "5s"
baseline = "record"
[trust]
require_signature = true
keys              = ["/etc/banger/update-keys"]
allow_downgrade   = false
[recovery]
policy = "auto"
[retention]
generations = 3
)");
  ASSERT_EQ(found.files.size(), 1U);
  EXPECT_EQ(found.restart.units, Words{"bangerd.service"});
  EXPECT_EQ(found.doctor.passes, 2);
  EXPECT_TRUE(found.restart.given);
  EXPECT_TRUE(found.doctor.given);
}

TEST(Configuration, EachKeyIsRead) {
  const Configuration found = parse(R"(
product = "other"
[paths]
state = "/s//state/"
staging = "/s/staging"
backup_suffix = "~"
[[file]]
name = "tool"
destination = "/opt/bin/tool"
optional = true
mode = "0750"
owner = "alice"
group = "27"
[[file]]
name = "second"
destination = "/opt/bin/2"
[restart]
units = ["b@1.service", "a.socket", "c.timer"]
timeout = "1500ms"
keep_processes = ["firecracker"]
[doctor]
command = ["/opt/bin/tool", "check", ""]
timeout = "5m"
attempts = 100
passes = 1
interval = "0s"
soak = "24h"
baseline = "excuse"
[trust]
require_signature = false
keys = ["/k/a.pub", "/k/b"]
allow_downgrade = true
[recovery]
policy = "replay"
[retention]
generations = 0
)");
  EXPECT_EQ(found.product, "other");
  EXPECT_EQ(found.state.text(), "/s/state");
  EXPECT_EQ(found.staging.text(), "/s/staging");
  EXPECT_EQ(found.backup_suffix, "~");
  ASSERT_EQ(found.files.size(), 2U);
  EXPECT_EQ(found.files[0].name, "tool");
  EXPECT_EQ(found.files[0].destination.text(), "/opt/bin/tool");
  EXPECT_TRUE(found.files[0].optional);
  EXPECT_EQ(found.files[0].mode, 0750U);
  EXPECT_EQ(found.files[0].owner, "alice");
  EXPECT_EQ(found.files[0].group, "27");
  EXPECT_EQ(found.files[1].name, "second");
  EXPECT_EQ(found.restart.units, (Words{"b@1.service", "a.socket", "c.timer"}));
  EXPECT_EQ(found.restart.timeout_ms, 1'500);
  EXPECT_EQ(found.restart.keep_processes, Words{"firecracker"});
  EXPECT_EQ(found.doctor.command, (Words{"/opt/bin/tool", "check", ""}));
  EXPECT_EQ(found.doctor.timeout_ms, 300'000);
  EXPECT_EQ(found.doctor.attempts, 100);
  EXPECT_EQ(found.doctor.passes, 1);
  EXPECT_EQ(found.doctor.interval_ms, 0);
  EXPECT_EQ(found.doctor.soak_ms, 86'400'000);
  EXPECT_EQ(found.doctor.baseline, Baseline::excuse);
  EXPECT_FALSE(found.trust.require_signature);
  ASSERT_EQ(found.trust.keys.size(), 2U);
  EXPECT_EQ(found.trust.keys[1].text(), "/k/b");
  EXPECT_TRUE(found.trust.allow_downgrade);
  EXPECT_EQ(found.recovery_policy, RecoveryPolicy::replay);
  EXPECT_EQ(found.generations, 0);
}

TEST(Configuration, OneFileReplacesTheThreeOfBanger) {
  const Configuration found = parse("[[file]]\nname = 'a'\ndestination = '/opt/a'\n");
  ASSERT_EQ(found.files.size(), 1U);
  EXPECT_EQ(found.files[0].name, "a");
}

TEST(Configuration, WhatTheDefaultFilesWouldForbidIsAllowedWithoutThem) {
  const std::string file = "[[file]]\nname = 'a'\ndestination = '/opt/a'\n";
  EXPECT_EQ(parse("paths.backup_suffix = 'd'\n" + file).backup_suffix, "d");
  EXPECT_EQ(parse("paths.staging = '/usr'\n" + file).staging.text(), "/usr");
}

TEST(Configuration, ManyDottedKeysAreNotOneDeepOne) {
  const Configuration found = parse(R"(
paths.state = "/s"
paths.staging = "/t"
paths.backup_suffix = "~"
restart.timeout = "1s"
doctor.timeout = "1s"
doctor.attempts = 1
doctor.passes = 1
doctor.interval = "1s"
recovery.policy = "auto"
retention.generations = 1
)");
  EXPECT_EQ(found.generations, 1);
}

TEST(Configuration, ARestartCommandStandsInsteadOfTheDefaultUnits) {
  const Configuration found = parse("[restart]\ncommand = ['/sbin/rc-service', 'b', 'restart']\n");
  EXPECT_TRUE(found.restart.units.empty());
  EXPECT_EQ(found.restart.command, (Words{"/sbin/rc-service", "b", "restart"}));
  EXPECT_TRUE(found.restart.given);
}

TEST(Configuration, WithoutUnitsTheDoctorNeedsOnePassAndNoSoak) {
  for (const std::string_view text :
       {"[restart]\nunits = []\n", "[restart]\ncommand = ['/bin/true']\n"}) {
    const Configuration found = parse(text);
    EXPECT_TRUE(found.restart.units.empty());
    EXPECT_EQ(found.doctor.passes, 1);
    EXPECT_EQ(found.doctor.soak_ms, 0);
  }
  const Configuration given = parse("restart.units = []\ndoctor = {passes = 3, soak = '1s'}\n");
  EXPECT_EQ(given.doctor.passes, 3);
  EXPECT_EQ(given.doctor.soak_ms, 1'000);
}

TEST(Configuration, AnEmptyDoctorCommandMeansNoDoctor) {
  const Configuration found = parse("[doctor]\ncommand = []\n");
  EXPECT_TRUE(found.doctor.command.empty());
  EXPECT_TRUE(found.doctor.given);
}

TEST(Configuration, AModeIsOctalText) {
  for (const auto& [text, mode] : {std::pair("0000", 0U), {"0777", 0777U}, {"644", 0644U}}) {
    const Configuration found =
        parse("[[file]]\nname = 'a'\ndestination = '/opt/a'\nmode = '" + std::string(text) + "'\n");
    EXPECT_EQ(found.files[0].mode, mode);
  }
}

TEST(RecoveryPolicy, IsNamedAsTheConfigurationNamesIt) {
  EXPECT_EQ(recovery_policy_of("auto"), RecoveryPolicy::automatic);
  EXPECT_EQ(recovery_policy_of("rollback"), RecoveryPolicy::rollback);
  EXPECT_EQ(recovery_policy_of("replay"), RecoveryPolicy::replay);
  EXPECT_EQ(recovery_policy_of("automatic"), std::nullopt);
  EXPECT_EQ(name_of(Baseline::require), "require");
}

}  // namespace
}  // namespace update
