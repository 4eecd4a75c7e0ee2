#include "engine/release/release.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <concepts>
#include <filesystem>
#include <string>
#include <type_traits>
#include <vector>

#include "engine/base/text.hpp"
#include "tests/engine/release/observed_folder.hpp"
#include "tests/engine/release/temporary_folder.hpp"
#include "tests/engine/release/test_signer.hpp"

namespace update {
namespace {

using namespace std::string_literals;
namespace fs = std::filesystem;

// Only open_release makes a release.
static_assert(!std::is_default_constructible_v<Release>);
static_assert(!std::constructible_from<Release, std::unique_ptr<os::Folder>, Manifest,
                                       std::optional<Signature>>);

class ReleaseTest : public ::testing::Test {
 protected:
  ReleaseTest() {
    folder_.write("banger", "the program");
    folder_.write("bangerd", "the daemon");
    describe();
  }

  void describe() {
    const ReleaseDescription description{"banger", Version::parse("1.4.0").value(), 0, {}, {},
                                         "notes"};
    publish(format_manifest(describe_release(*folder_.open(), description).value()));
  }
  void publish(const std::string& manifest) {
    folder_.write("release.json", manifest);
    folder_.write("release.json.minisig", signer_.sign(manifest));
  }

  TrustPolicy trust() const { return {true, {signer_.public_key()}}; }
  Result<Release> open() const { return open_release(folder_.open(), trust()); }

  void expect_refused(std::string_view because) const { expect_refused(open(), because); }
  static void expect_refused(const Result<Release>& release, std::string_view because) {
    ASSERT_FALSE(release) << "wanted: " << because;
    EXPECT_EQ(release.error().code(), ErrorCode::not_trusted) << release.error().message();
    EXPECT_NE(release.error().message().find(because), std::string::npos)
        << "wanted " << because << ": " << release.error().message();
  }

  TestSigner signer_{'r'};
  TemporaryFolder folder_;
};

TEST_F(ReleaseTest, OpensWhatIsSignedAndComplete) {
  auto release = open();
  ASSERT_TRUE(release) << release.error().message();
  EXPECT_EQ(release->manifest().version.text(), "1.4.0");
  EXPECT_EQ(release->manifest().files.size(), 2U);
  ASSERT_TRUE(release->signature());
  EXPECT_EQ(release->signature()->key_id, signer_.public_key().id_text());
  EXPECT_EQ(release->signature()->trusted_comment, "made by a test");
  EXPECT_EQ(release->folder().path(), folder_.path().string());
}

TEST_F(ReleaseTest, ReadsOnlyTheManifestAndItsSignatureEachOnce) {
  Observer observer;
  auto folder = std::make_unique<ObservedFolder>(folder_.open(), observer);
  ASSERT_TRUE(open_release(std::move(folder), trust()));
  std::sort(observer.opened.begin(), observer.opened.end());
  EXPECT_EQ(observer.opened, (std::vector{"release.json"s, "release.json.minisig"s}));
}

// What is verified is what is parsed: one that is replaced in between is never looked at again.
TEST_F(ReleaseTest, ManifestReplacedAfterItWasReadIsNotUsed) {
  Observer observer;
  observer.after_read = [&](const std::string& name) {
    if (name == "release.json") folder_.write("release.json.new", "{}");
    if (name == "release.json" && fs::exists(folder_.path() / "release.json.new")) {
      fs::rename(folder_.path() / "release.json.new", folder_.path() / "release.json");
    }
  };
  auto folder = std::make_unique<ObservedFolder>(folder_.open(), observer);
  const auto release = open_release(std::move(folder), trust());
  ASSERT_TRUE(release) << release.error().message();
  EXPECT_EQ(release->manifest().version.text(), "1.4.0");
}

TEST_F(ReleaseTest, ChecksTheBytesOfEveryFile) {
  auto release = open();
  ASSERT_TRUE(release);
  EXPECT_TRUE(check_bytes(*release));
  for (const auto& [name, bytes] :
       {std::pair("banger", "the pr0gram"), std::pair("bangerd", "the d@emon")}) {
    describe();
    release = open();
    ASSERT_TRUE(release);
    const std::string before = folder_.read(name);
    folder_.write(name, bytes);
    const Status checked = check_bytes(*release);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code(), ErrorCode::not_trusted);
    EXPECT_EQ(checked.error().message(), "'"s + name + "' has SHA-256 " + sha256_of(bytes).hex() +
                                             ", not " + sha256_of(before).hex() + " as promised");
    folder_.write(name, before);
  }
}

TEST_F(ReleaseTest, FileThatGoesOrChangesAfterTheReleaseWasOpenedIsNotTrusted) {
  auto release = open();
  ASSERT_TRUE(release);
  fs::remove(folder_.path() / "bangerd");
  Status checked = check_bytes(*release);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::not_trusted);
  EXPECT_NE(checked.error().message().find("missing"), std::string::npos);

  folder_.write("bangerd", "the daemon");
  Observer observer;
  release = open_release(std::make_unique<ObservedFolder>(folder_.open(), observer), trust());
  ASSERT_TRUE(release);
  observer.after_read = [&](const std::string& name) {
    if (name == "banger") folder_.write("banger", "the pr0gram");
  };
  checked = check_bytes(*release);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::not_trusted);
  EXPECT_EQ(checked.error().message(), "'banger' of the release changed while it was read");
}

TEST_F(ReleaseTest, RefusesWhenNoKeyConfigured) {
  const auto release = open_release(folder_.open(), {true, {}});
  expect_refused(release, "no key");
  EXPECT_NE(release.error().hint().find("[trust] keys"), std::string::npos);
}

TEST_F(ReleaseTest, TrustsNothingByDefault) {
  expect_refused(open_release(folder_.open(), TrustPolicy{}), "no key");
}

TEST_F(ReleaseTest, RefusesWithoutSignature) {
  fs::remove(folder_.path() / "release.json.minisig");
  const auto release = open();
  expect_refused(release, "release.json.minisig is missing");
  EXPECT_NE(release.error().hint().find("minisign -Sm release.json"), std::string::npos);
  EXPECT_NE(release.error().hint().find("banger-update release make --sign"), std::string::npos);
}

TEST_F(ReleaseTest, RefusesZeroSignatures) {
  folder_.write("release.json.minisig", "");
  expect_refused("release.json.minisig");
}

TEST_F(ReleaseTest, RefusesAnotherKeysSignature) {
  folder_.write("release.json.minisig",
                TestSigner('x', "stranger").sign(folder_.read("release.json")));
  expect_refused("no trusted key");
}

TEST_F(ReleaseTest, RefusesAChangedManifest) {
  std::string manifest = folder_.read("release.json");
  manifest.replace(manifest.find("1.4.0"), 5, "1.4.1");
  folder_.write("release.json", manifest);
  expect_refused("does not fit");
  folder_.write("release.json", folder_.read("release.json") + "\n");
  expect_refused("does not fit");
}

TEST_F(ReleaseTest, VerifiesTheSignatureBeforeItParses) {
  folder_.write("release.json", "this is no JSON");
  expect_refused("does not fit");
  publish("this is no JSON");
  expect_refused("no valid JSON");
}

TEST_F(ReleaseTest, NamesTheManifestInItsErrors) {
  std::string manifest = folder_.read("release.json");
  manifest.replace(manifest.find("\"0"), 5, "\"4755");
  publish(manifest);
  expect_refused("release.json: files[0].mode");
}

TEST_F(ReleaseTest, WithoutRequirementAnUnsignedReleaseIsAccepted) {
  fs::remove(folder_.path() / "release.json.minisig");
  for (const TrustPolicy& policy :
       {TrustPolicy{false, {}}, TrustPolicy{false, {signer_.public_key()}}}) {
    const auto release = open_release(folder_.open(), policy);
    ASSERT_TRUE(release) << release.error().message();
    EXPECT_FALSE(release->signature());
  }
}

TEST_F(ReleaseTest, WithoutRequirementASignatureThatIsThereMustStillVerify) {
  const TrustPolicy policy{false, {signer_.public_key()}};
  EXPECT_TRUE(open_release(folder_.open(), policy).value().signature());
  folder_.write("release.json.minisig",
                TestSigner('x', "stranger").sign(folder_.read("release.json")));
  expect_refused(open_release(folder_.open(), policy), "no trusted key");
  folder_.write("release.json.minisig", "");
  expect_refused(open_release(folder_.open(), policy), "four lines");
}

TEST_F(ReleaseTest, WithoutRequirementAndKeysASignatureProvesNothing) {
  const auto release = open_release(folder_.open(), {false, {}});
  ASSERT_TRUE(release);
  EXPECT_FALSE(release->signature());
}

TEST_F(ReleaseTest, RefusesAFolderThatIsNoRelease) {
  fs::remove(folder_.path() / "release.json");
  const auto release = open();
  expect_refused(release, "release.json is missing");
  EXPECT_NE(release.error().hint().find("release make"), std::string::npos);
}

TEST_F(ReleaseTest, RefusesArtifactNotInManifest) {
  folder_.write("extra", "");
  expect_refused("'extra'");
}

TEST_F(ReleaseTest, RefusesAnExtraFileWhateverItIs) {
  for (const std::string name : {".hidden", "release.json.minisig.bak", "Banger", "a\nb"}) {
    folder_.write(name, "x");
    expect_refused(quote(name));
    fs::remove(folder_.path() / name);
  }
  fs::create_directory(folder_.path() / "folder");
  expect_refused("'folder'");
  fs::remove(folder_.path() / "folder");
  fs::create_symlink("banger", folder_.path() / "link");
  expect_refused("'link'");
}

TEST_F(ReleaseTest, RefusesManifestEntryWithoutFile) {
  fs::remove(folder_.path() / "bangerd");
  expect_refused("'bangerd'");
}

TEST_F(ReleaseTest, RefusesAnotherSize) {
  folder_.write("banger", "the program!");
  expect_refused("'banger' has 12 bytes, the manifest says 11");
  folder_.write("banger", "");
  expect_refused("'banger' has 0 bytes");
}

// 11 and 4 GiB + 11 are one number for whoever counts in 32 bits (CVE-2026-34155).
TEST_F(ReleaseTest, RefusesOversize) {
  for (const std::uintmax_t size : {(1ULL << 31) + 1, (1ULL << 32) + 11}) {
    folder_.write_sparse("banger", size);
    expect_refused("'banger' has " + std::to_string(size));
  }
}

TEST_F(ReleaseTest, RefusesSymbolicLinks) {
  TemporaryFolder elsewhere;
  for (const std::string name : {"banger", "release.json", "release.json.minisig"}) {
    elsewhere.write(name, folder_.read(name));
    const fs::path path = folder_.path() / name;
    fs::rename(path, path.string() + ".kept");
    fs::rename(path.string() + ".kept", elsewhere.path() / (name + ".kept"));
    fs::create_symlink(elsewhere.path() / name, path);
    expect_refused("not a regular file");
    fs::remove(path);
    fs::rename(elsewhere.path() / (name + ".kept"), path);
  }
  EXPECT_TRUE(open());
}

TEST_F(ReleaseTest, RefusesWhatIsNoRegularFileWithoutWaitingForIt) {
  for (const std::string name : {"banger", "release.json", "release.json.minisig"}) {
    const fs::path path = folder_.path() / name;
    const std::string bytes = folder_.read(name);
    fs::remove(path);
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    expect_refused("not a regular file");
    fs::remove(path);
    fs::create_directory(path);
    expect_refused("not a regular file");
    fs::remove(path);
    folder_.write(name, bytes);
  }
  EXPECT_TRUE(open());
}

TEST_F(ReleaseTest, StopsReadingAManifestOf100Megabytes) {
  folder_.write_sparse("release.json", 100U << 20);
  Observer observer;
  expect_refused(open_release(std::make_unique<ObservedFolder>(folder_.open(), observer), trust()),
                 "release.json has more than 1048576 bytes");
  EXPECT_LE(observer.bytes_read, kManifestLimit + 1);
}

TEST_F(ReleaseTest, StopsReadingAnEndlessSignature) {
  folder_.write_sparse("release.json.minisig", 100U << 20);
  Observer observer;
  expect_refused(open_release(std::make_unique<ObservedFolder>(folder_.open(), observer), trust()),
                 "release.json.minisig has more than 16384 bytes");
  EXPECT_LE(observer.bytes_read, folder_.read("release.json").size() + (16U << 10) + 1);
}

TEST_F(ReleaseTest, AcceptsAManifestOfExactlyTheLimit) {
  std::string manifest = folder_.read("release.json");
  manifest.resize(kManifestLimit, ' ');
  publish(manifest);
  EXPECT_TRUE(open());
  publish(manifest + " ");
  expect_refused("more than 1048576 bytes");
}

// The clock is the planner's: what has expired can still be inspected.
TEST_F(ReleaseTest, DoesNotJudgeTheExpiry) {
  std::string manifest = folder_.read("release.json");
  manifest.replace(manifest.find("\"expires\": null"), 15, "\"expires\": \"1970-01-02T00:00:00Z\"");
  publish(manifest);
  EXPECT_EQ(open().value().manifest().expires_us, 86'400'000'000);
}

}  // namespace
}  // namespace update
