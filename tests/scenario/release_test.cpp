// A release is a stranger's until it is checked: whatever is wrong with it, nothing changes.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

// What apply is going to refuse, inspect says beforehand.
void expect_foretold(const Host& host, const std::string& release, int code) {
  const bool distrusted = code == 7;
  Json answer = host.json({"release", "inspect", release}, distrusted ? 7 : 0);
  EXPECT_EQ(answer["trusted"], !distrusted);
  EXPECT_EQ(answer["apply_would_fail"]["code"], code) << answer.dump();
  EXPECT_EQ(answer.contains("error"), distrusted);
}

void expect_refused(const Host& host, const std::string& release, int code = 7) {
  const auto before = host.snapshot("bin");
  expect_foretold(host, release, code);
  const Ended ended = host.run({"apply", release});
  EXPECT_EQ(ended.code, code) << ended.out << ended.err;
  EXPECT_FALSE(ended.err.empty());
  EXPECT_LT(ended.err.size(), 20000U) << "a hostile text is not echoed in full";
  EXPECT_EQ(host.snapshot("bin"), before);
}

struct Spoiled {
  std::string name;
  std::function<void(Json&)> change;
};

class SpoiledManifest : public testing::TestWithParam<Spoiled> {};

TEST_P(SpoiledManifest, IsRefused) {
  Host host;
  expect_refused(host, host.release_with("1.0.0", GetParam().change));
}

Spoiled set(const std::string& name, const std::string& key, const Json& value) {
  return {name, [key, value](Json& manifest) { manifest[key] = value; }};
}

Spoiled set_file(const std::string& name, const std::string& key, const Json& value) {
  return {name, [key, value](Json& manifest) { manifest["files"][1][key] = value; }};
}

Spoiled drop(const std::string& key) {
  return {"Without_" + key, [key](Json& manifest) { manifest.erase(key); }};
}

INSTANTIATE_TEST_SUITE_P(
    Release, SpoiledManifest,
    testing::Values(
        set("OtherProduct", "product", "banger"), set("ProductNotText", "product", 1),
        set("NewerFormat", "format", 2), set("FormatZero", "format", 0),
        set("FormatText", "format", "1"), set("FormatFraction", "format", 1.5),
        set("UnknownKey", "colour", "red"), set("VersionTooShort", "version", "1.0"),
        set("VersionWithLeadingZero", "version", "1.02.3"), set("VersionEmpty", "version", ""),
        set("VersionWithAV", "version", "v1.2.3"), set("VersionWithNewline", "version", "1.2.3\n"),
        set("VersionHugeText", "version", "1.2.3-" + std::string(100000, 'a')),
        set("VersionNull", "version", nullptr), set("Expired", "expires", "2020-01-01T00:00:00Z"),
        set("ExpiresGarbage", "expires", "soon"), set("CreatedGarbage", "created", "today"),
        set("MinimumGarbage", "minimum_version", "x"), set("FilesNull", "files", nullptr),
        set("FilesEmpty", "files", Json::array()), set("FilesObject", "files", Json::object()),
        drop("format"), drop("product"), drop("version"), drop("files"), drop("created"),
        drop("expires"), drop("minimum_version"), drop("notes"),
        set_file("WrongDigest", "sha256", std::string(64, '0')),
        set_file("DigestTooShort", "sha256", std::string(63, '0')),
        set_file("DigestNotHex", "sha256", std::string(64, 'z')),
        set_file("DigestEmpty", "sha256", ""), set_file("DigestNull", "sha256", nullptr),
        set_file("SizeTooSmall", "size", 3), set_file("SizeTooLarge", "size", 1000),
        set_file("SizeNegative", "size", -1), set_file("SizeFraction", "size", 26.5),
        set_file("SizeText", "size", "26"), set_file("NameWithSlash", "name", "sub/beta"),
        set_file("NameAbsolute", "name", "/etc/passwd"), set_file("NameParent", "name", ".."),
        set_file("NameSelf", "name", "."), set_file("NameEmpty", "name", ""),
        set_file("NameWithNewline", "name", "be\nta"),
        set_file("NameWithNul", "name", std::string("beta\0x", 6)),
        set_file("NameWithEscape", "name", "\033[2Jbeta"),
        set_file("NameVeryLong", "name", std::string(5000, 'b')),
        set_file("NameTwice", "name", "alpha"), set_file("UnknownFileKey", "owner", "root"),
        set_file("ModeGarbage", "mode", "rwx"), set_file("ModeNumber", "mode", 755),
        Spoiled{"FileThatIsNotConfigured",
                [](Json& m) {
                  m["files"].push_back(m["files"][0]);
                  m["files"][3]["name"] = "delta";
                }},
        Spoiled{"ConfiguredFileLeftOut", [](Json& m) { m["files"].erase(2); }},
        Spoiled{"FileWithoutSize", [](Json& m) { m["files"][1].erase("size"); }},
        Spoiled{"FileWithoutDigest", [](Json& m) { m["files"][1].erase("sha256"); }},
        Spoiled{"FileWithoutMode", [](Json& m) { m["files"][1].erase("mode"); }}),
    [](const auto& each) { return each.param.name; });

TEST(Release, WhoseManifestIsNoSoundDocumentIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  const std::string sound = read_file(release + "/release.json");
  std::string repeated = sound;
  repeated.insert(1, "\"version\":\"0.0.1\",");
  std::string repeated_deeper = sound;
  repeated_deeper.insert(sound.find("\"name\""), "\"name\":\"alpha\",");
  const std::string nested =
      sound.substr(0, sound.size() - 1) + ",\"x\":" + std::string(10000, '[') + "}";
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("null"), std::string("[]"), sound + "x",
        sound + sound, sound.substr(0, sound.size() / 2), repeated, repeated_deeper, nested,
        std::string(10000, '['), std::string("\xef\xbb\xbf") + "\xff", std::string(100, '\0')}) {
    SCOPED_TRACE(text.substr(0, 60));
    write_file(release + "/release.json", text);
    expect_refused(host, release);
  }
}

TEST(Release, WithAHugeManifestIsRefusedWithoutReadingIt) {
  Host host;
  const std::string release = host.release("1.0.0");
  const std::string sound = read_file(release + "/release.json");
  write_file(release + "/release.json", sound + std::string(std::size_t{100} << 20U, ' '));
  Arguments limited = {"sh", "-c", "ulimit -v 400000; exec \"$@\"", "sh"};
  const char* sanitizer = std::getenv("ASAN_OPTIONS");
  const Ended ended =
      host.run({"apply", release}, {{}, sanitizer == nullptr ? limited : Arguments{}});
  EXPECT_EQ(ended.code, 7) << ended.err;
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(Release, ThatLacksAFileIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  fs::remove(release + "/gamma");
  expect_refused(host, release);
}

TEST(Release, ThatLacksItsManifestIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  fs::remove(release + "/release.json");
  expect_refused(host, release);
}

TEST(Release, WithOneFileTooManyIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  write_file(release + "/delta", "extra");
  expect_refused(host, release);
}

TEST(Release, WithATruncatedFileIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  fs::resize_file(release + "/gamma", 5);
  expect_refused(host, release);
  fs::resize_file(release + "/gamma", 0);
  expect_refused(host, release);
}

TEST(Release, WithOneChangedByteIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  std::string bytes = read_file(release + "/gamma");
  bytes.back() = ' ';
  write_file(release + "/gamma", bytes, 0755);
  expect_refused(host, release);
}

TEST(Release, WhoseFileIsALinkAFolderOrAPipeIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  const std::string gamma = release + "/gamma";
  fs::rename(gamma, host.path("gamma-elsewhere"));
  fs::create_symlink(host.path("gamma-elsewhere"), gamma);
  expect_refused(host, release);
  fs::remove(gamma);
  fs::create_directory(gamma);
  expect_refused(host, release);
  fs::remove(gamma);
  ASSERT_EQ(mkfifo(gamma.c_str(), 0644), 0);
  expect_refused(host, release);
}

TEST(Release, WhoseManifestIsALinkOrAPipeIsRefused) {
  Host host;
  const std::string release = host.release("1.0.0");
  const std::string manifest = release + "/release.json";
  fs::remove(manifest);
  ASSERT_EQ(mkfifo(manifest.c_str(), 0644), 0);
  expect_refused(host, release);
  fs::remove(manifest);
  fs::create_symlink(manifest, manifest);
  expect_refused(host, release);
}

TEST(Release, ThatIsNotThereIsAnErrorThatNamesIt) {
  Host host;
  const Ended ended = host.run({"apply", host.path("releases/none")});
  EXPECT_NE(ended.code, 0);
  EXPECT_TRUE(contains(ended.err, "releases/none")) << ended.err;
  EXPECT_EQ(host.installed(), "0.9.0");
}

TEST(Release, AboveWhatIsInstalledIsRefusedByItsMinimumVersion) {
  Host host;
  const std::string release =
      host.release_with("3.0.0", [](Json& manifest) { manifest["minimum_version"] = "2.0.0"; });
  expect_refused(host, release, 6);
  host.install("1.0.0");
  expect_refused(host, release, 6);
  host.install("2.0.0");
  EXPECT_EQ(host.run({"apply", release}).code, 0);
}

TEST(Release, VersionsCompareAsSemanticVersions) {
  Host host;
  for (const std::string version : {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-beta.2", "1.0.0-beta.11",
                                    "1.0.0-rc.1", "1.0.0", "1.2.0", "1.10.0"}) {
    host.install(version);
  }
  expect_refused(host, host.release("1.9.0"), 6);
  expect_refused(host, host.release("1.10.0-rc.1"), 6);
}

TEST(Release, OptionalFileThatIsLackingLeavesTheInstalledOneAlone) {
  Host host;
  host.configure([](Settings& s) { s.files[2].more = "optional = true"; });
  const std::string release =
      host.release_with("1.0.0", [](Json& manifest) { manifest["files"].erase(2); });
  fs::remove(release + "/gamma");
  EXPECT_EQ(host.run({"apply", release}).code, 0);
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "1.0.0"));
  EXPECT_EQ(read_file(host.bin("gamma")), program("gamma", "0.9.0"));
}

TEST(Release, OptionalFileThatIsLackingNeedsNoFolder) {
  Host host;
  host.configure([&](Settings& s) {
    s.files[2].more = "optional = true";
    s.files[2].destination = host.path("nowhere/gamma");
  });
  const std::string whole = host.release("2.0.0");
  const std::string lacking =
      host.release_with("1.0.0", [](Json& manifest) { manifest["files"].erase(2); });
  fs::remove(lacking + "/gamma");
  EXPECT_EQ(host.run({"apply", lacking}).code, 0);
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "0.9.0"));
  // One that is brought has to have one.
  const Ended missing = host.run({"apply", whole});
  EXPECT_EQ(missing.code, 1);
  EXPECT_TRUE(contains(missing.err, host.path("nowhere/gamma"))) << missing.err;
  EXPECT_EQ(read_file(host.bin("alpha")), program("alpha", "0.9.0"));
}

TEST(Release, OfTheSameVersionWithOtherBytesIsARepair) {
  Host host;
  host.install("1.0.0");
  write_file(host.bin("beta"), "spoiled", 0755);
  EXPECT_EQ(host.run({"verify"}).code, 7);
  host.install("1.0.0");
  EXPECT_EQ(host.run({"verify"}).code, 0);
}

TEST(Release, OfTheSameVersionWithAnotherModeIsARepair) {
  Host host;
  host.configure([](Settings& s) { s.files[1].more = "mode = '0755'"; });
  host.install("1.0.0");
  ASSERT_EQ(chmod(host.bin("beta").c_str(), 0644), 0);
  host.install("1.0.0");
  struct stat status {};
  ASSERT_EQ(stat(host.bin("beta").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0755U);
}

TEST(Release, IsSwappedInFullByReinstall) {
  Host host;
  host.install("1.0.0");
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"apply", host.release("1.0.0")}).code, 0);
  EXPECT_EQ(host.snapshot("bin"), before);
  EXPECT_EQ(host.run({"apply", "--reinstall", host.release("1.0.0")}).code, 0);
  const auto after = host.snapshot("bin");
  for (const InstalledFile& file : host.settings().files) {
    EXPECT_NE(after.at(file.destination), before.at(file.destination)) << file.name;
  }
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Release, FilesThatAreEqualAreLeftOutOfTheSwap) {
  Host host;
  host.install("1.0.0");
  const std::string release = host.release_with("2.0.0", [&](Json& manifest) {
    const std::string same = program("beta", "1.0.0");
    write_file(host.path("releases/2.0.0/beta"), same, 0755);
    manifest["files"][1]["sha256"] = sha256_of(same);
    manifest["files"][1]["size"] = same.size();
  });
  const auto before = host.snapshot("bin");
  Json answer = host.json({"apply", release});
  const auto after = host.snapshot("bin");
  EXPECT_EQ(after.at(host.bin("beta")), before.at(host.bin("beta")));
  EXPECT_EQ(after.at(host.bin("beta.previous")), before.at(host.bin("beta.previous")));
  EXPECT_EQ(answer["files"][1]["state"], "unchanged");
  EXPECT_EQ(answer["files"][0]["state"], "new");
}

}  // namespace
}  // namespace update::scenario
