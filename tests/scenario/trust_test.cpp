// The signed default: release.json is believed only with a minisign signature of a known key.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

class Trust : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS_TOOL("minisign");
    make_key("demo");
    fs::copy(host.path("demo.pub"), host.path("keys/demo.pub"));
    host.configure([](Settings& s) { s.require_signature = true; });
  }

  void make_key(const std::string& name) {
    const Ended made = run_process(
        {"minisign", "-G", "-W", "-p", host.path(name + ".pub"), "-s", host.path(name + ".key")});
    ASSERT_EQ(made.code, 0) << made.err;
  }

  void sign(const std::string& release, const std::string& key = "demo",
            const Arguments& more = {}) {
    Arguments words = {
        "minisign", "-S", "-s", host.path(key + ".key"), "-m", release + "/release.json"};
    words.insert(words.end(), more.begin(), more.end());
    const Ended made = run_process(words);
    ASSERT_EQ(made.code, 0) << made.err;
  }

  void expect_refused(const std::string& release) {
    const Ended ended = host.run({"apply", release});
    EXPECT_EQ(ended.code, 7) << ended.out << ended.err;
    EXPECT_EQ(host.installed(), "0.9.0");
  }

  Host host;
};

TEST_F(Trust, SignedReleaseIsInstalled) {
  const std::string release = host.release("1.0.0");
  sign(release);
  EXPECT_EQ(host.run({"apply", release}).code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST_F(Trust, IsTheDefault) {
  std::string text = to_toml(host.settings());
  const std::string line = "require_signature = true\n";
  text.erase(text.find(line), line.size());
  write_file(host.path("update.toml"), text);
  expect_refused(host.release("1.0.0"));
}

TEST_F(Trust, UnsignedReleaseIsRefused) {
  expect_refused(host.release("1.0.0"));
}

TEST_F(Trust, ManifestChangedAfterSigningIsRefused) {
  const std::string release = host.release("1.0.0");
  sign(release);
  Json manifest = Host::manifest(release);
  manifest["notes"] = "other notes";
  Host::write_manifest(release, manifest);
  expect_refused(release);
}

TEST_F(Trust, FileChangedAfterSigningIsRefused) {
  const std::string release = host.release("1.0.0");
  sign(release);
  write_file(release + "/beta", "x", 0755);
  expect_refused(release);
}

TEST_F(Trust, SignatureOfAnUnknownKeyIsRefused) {
  make_key("other");
  const std::string release = host.release("1.0.0");
  sign(release, "other");
  expect_refused(release);
}

TEST_F(Trust, SignatureOfAnotherReleaseIsRefused) {
  const std::string other = host.release("2.0.0");
  sign(other);
  const std::string release = host.release("1.0.0");
  fs::copy(other + "/release.json.minisig", release + "/release.json.minisig");
  expect_refused(release);
}

TEST_F(Trust, ChangedTrustedCommentIsRefused) {
  const std::string release = host.release("1.0.0");
  sign(release, "demo", {"-t", "release of monday"});
  const std::string path = release + "/release.json.minisig";
  std::string text = read_file(path);
  text.replace(text.find("monday"), 6, "friday");
  write_file(path, text);
  expect_refused(release);
}

TEST_F(Trust, DamagedSignatureFileIsRefused) {
  const std::string release = host.release("1.0.0");
  sign(release);
  const std::string path = release + "/release.json.minisig";
  const std::string sound = read_file(path);
  for (const std::string& text :
       {std::string(), sound.substr(0, sound.size() / 2), sound.substr(sound.find('\n') + 1),
        sound + "more\n", std::string(1U << 20U, 'A'), std::string(300, '\0'),
        "untrusted comment: x\nAAAA\ntrusted comment: y\nAAAA\n" + std::string()}) {
    SCOPED_TRACE(text.substr(0, 40));
    write_file(path, text);
    expect_refused(release);
  }
}

TEST_F(Trust, OneOfSeveralKeysIsEnough) {
  make_key("other");
  fs::copy(host.path("other.pub"), host.path("keys/other.pub"));
  const std::string release = host.release("1.0.0");
  sign(release, "other");
  EXPECT_EQ(host.run({"apply", release}).code, 0);
}

TEST_F(Trust, KeyMayBeNamedAsAFile) {
  host.configure([&](Settings& s) { s.keys = {host.path("demo.pub")}; });
  const std::string release = host.release("1.0.0");
  sign(release);
  EXPECT_EQ(host.run({"apply", release}).code, 0);
}

TEST_F(Trust, WithoutAnyKeyNothingIsTrusted) {
  const std::string release = host.release("1.0.0");
  sign(release);
  fs::remove(host.path("keys/demo.pub"));
  expect_refused(release);
  fs::remove(host.path("keys"));
  expect_refused(release);
  host.configure([](Settings& s) { s.keys = {}; });
  const Ended ended = host.run({"apply", release});
  EXPECT_TRUE(ended.code == 7 || ended.code == 2) << ended.code << ended.err;
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST_F(Trust, KeyThatCannotBeReadIsNotSkippedInSilence) {
  const std::string release = host.release("1.0.0");
  sign(release);
  write_file(host.path("keys/demo.pub"), "not a key\n");
  expect_refused(release);
}

TEST_F(Trust, KeysInAFolderThatOthersCanWriteAreRefused) {
  const std::string release = host.release("1.0.0");
  sign(release);
  ASSERT_EQ(chmod(host.path("keys").c_str(), 0777), 0);
  expect_refused(release);
}

TEST_F(Trust, InspectSaysWhetherAReleaseIsTrusted) {
  const std::string release = host.release("1.0.0");
  const Ended untrusted = host.run({"release", "inspect", release});
  EXPECT_TRUE(contains(untrusted.out + untrusted.err, "trusted") ||
              contains(untrusted.out + untrusted.err, "sign"))
      << untrusted.out << untrusted.err;
  sign(release);
  const Ended trusted = host.run({"release", "inspect", release});
  EXPECT_EQ(trusted.code, 0) << trusted.err;
  EXPECT_NE(trusted.out, untrusted.out);
  EXPECT_TRUE(contains(trusted.out, "1.0.0"));
}

}  // namespace
}  // namespace update::scenario
