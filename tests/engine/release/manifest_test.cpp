#include "engine/release/manifest.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/base/json.hpp"
#include "engine/base/text.hpp"

namespace update {
namespace {

using namespace std::string_literals;

const std::string kDigest(64, 'a');

Json good() {
  Json manifest = Json::parse(
      R"({"format": 1, "product": "banger", "version": "1.4.0", "created": "2026-11-24T09:00:00Z",
          "expires": null, "minimum_version": null, "notes": "text", "files": []})");
  manifest["files"].push_back(
      {{"name", "banger"}, {"sha256", kDigest}, {"size", 31457280}, {"mode", "0755"}});
  return manifest;
}

void expect_refused(const std::string& text, std::string_view names) {
  const auto manifest = parse_manifest(text);
  ASSERT_FALSE(manifest) << text.substr(0, 300);
  EXPECT_EQ(manifest.error().code(), ErrorCode::not_trusted);
  EXPECT_NE(manifest.error().message().find(names), std::string::npos)
      << "wanted " << names << ": " << manifest.error().message();
}

void expect_refused(const std::function<void(Json&)>& change, std::string_view names) {
  Json manifest = good();
  change(manifest);
  expect_refused(to_text(manifest), names);
}

/// Each value in place of `key`, of the manifest or (with `in_file`) of its first file.
void expect_values_refused(const std::string& key, bool in_file, const std::vector<Json>& values) {
  const std::string path = in_file ? "files[0]." + key : key;
  for (const Json& value : values) {
    SCOPED_TRACE(path + " = " + to_text(value).substr(0, 100));
    expect_refused([&](Json& m) { (in_file ? m["files"][0] : m)[key] = value; }, path);
  }
}

TEST(Manifest, ReadsTheExampleOfTheContract) {
  const auto manifest = parse_manifest(to_text(good()));
  ASSERT_TRUE(manifest) << manifest.error().message();
  EXPECT_EQ(manifest->product, "banger");
  EXPECT_EQ(manifest->version.text(), "1.4.0");
  EXPECT_EQ(manifest->created_us, parse_time("2026-11-24T09:00:00Z").value());
  EXPECT_EQ(manifest->expires_us, std::nullopt);
  EXPECT_FALSE(manifest->minimum_version);
  EXPECT_EQ(manifest->notes, "text");
  ASSERT_EQ(manifest->files.size(), 1U);
  EXPECT_EQ(manifest->files[0].name, "banger");
  EXPECT_EQ(manifest->files[0].sha256.hex(), kDigest);
  EXPECT_EQ(manifest->files[0].size, 31457280U);
  EXPECT_EQ(manifest->files[0].mode, 0755U);
}

TEST(Manifest, ReadsWhatMayBeNull) {
  Json manifest = good();
  manifest["expires"] = "2027-01-01T00:00:00+01:00";
  manifest["minimum_version"] = "1.2.0-rc.1";
  const auto parsed = parse_manifest(to_text(manifest));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->expires_us, parse_time("2026-12-31T23:00:00Z").value());
  EXPECT_EQ(parsed->minimum_version->text(), "1.2.0-rc.1");
}

TEST(Manifest, TheOrderOfKeysDoesNotMatter) {
  Json reversed = Json::object();
  const Json manifest = good();
  std::vector<std::string> keys;
  for (const auto& [key, value] : manifest.items()) keys.insert(keys.begin(), key);
  for (const std::string& key : keys) reversed[key] = manifest[key];
  EXPECT_TRUE(parse_manifest(to_text(reversed)));
}

TEST(Manifest, RefusesEachMissingKey) {
  for (const std::string key : {"format", "product", "version", "created", "expires",
                                "minimum_version", "notes", "files"}) {
    expect_refused([&](Json& m) { m.erase(key); }, key + ": this key is missing");
  }
  for (const std::string key : {"name", "sha256", "size", "mode"}) {
    expect_refused([&](Json& m) { m["files"][0].erase(key); },
                   "files[0]." + key + ": this key is missing");
  }
}

TEST(Manifest, RefusesAnUnknownKeyAndSaysWhere) {
  expect_refused([](Json& m) { m["extra"] = 1; }, "unknown key 'extra'");
  expect_refused([](Json& m) { m["Format"] = 1; }, "unknown key 'Format'");
  expect_refused([](Json& m) { m[""] = nullptr; }, "unknown key ''");
  expect_refused([](Json& m) { m["\x1b[1m"] = Json::array(); }, "unknown key '\\x1b[1m'");
  expect_refused([](Json& m) { m["files"][0]["extra"] = 1; }, "files[0]: unknown key 'extra'");
}

TEST(Manifest, RefusesDuplicateJsonKey) {
  for (const std::string key : {"format", "product", "files"}) {
    std::string text = to_text(good());
    text.insert(1, "\"" + key + "\":1,");
    expect_refused(text, "repeated key '" + key + "'");
  }
  std::string text = to_text(good());
  const auto at = text.find("\"sha256\"");
  text.insert(at, "\"sh\\u0061256\":\"" + std::string(64, 'b') + "\",");
  expect_refused(text, "repeated key 'sha256'");
}

TEST(Manifest, RefusesEveryWrongType) {
  const std::vector<Json> values = {nullptr, true, 1, -1, 1.5, "?", Json::array(), Json::object()};
  const auto wrong = [&](const std::vector<std::size_t>& right) {
    std::vector<Json> bad;
    for (std::size_t at = 0; at < values.size(); ++at) {
      if (std::find(right.begin(), right.end(), at) == right.end()) bad.push_back(values[at]);
    }
    return bad;
  };
  expect_values_refused("format", false, wrong({2}));
  expect_values_refused("product", false, wrong({5}));
  expect_values_refused("version", false, wrong({}));
  expect_values_refused("created", false, wrong({}));
  expect_values_refused("expires", false, wrong({0}));
  expect_values_refused("minimum_version", false, wrong({0}));
  expect_values_refused("notes", false, wrong({5}));
  expect_values_refused("files", false, values);
  expect_values_refused("name", true, wrong({5}));
  expect_values_refused("sha256", true, values);
  expect_values_refused("size", true, wrong({2}));
  expect_values_refused("mode", true, values);
  for (const Json& value : wrong({7})) {
    expect_refused([&](Json& m) { m["files"][0] = value; }, "files[0]");
  }
  expect_refused([](Json& m) { m["files"][0] = Json::object(); }, "files[0].name");
}

TEST(Manifest, RefusesADocumentThatIsNoObject) {
  for (const std::string text :
       {"", "null", "1", "\"a\"", "[]", "[{}]", "{}", "{} {}", "{", "NaN"}) {
    expect_refused(text, "");
  }
  expect_refused(to_text(good()) + "x", "");
  expect_refused(to_text(good()) + "\0"s, "NUL");
  expect_refused(to_text(good()) + to_text(good()), "");
}

TEST(Manifest, RefusesANewerFormatBeforeItLooksAtItsKeys) {
  const auto manifest = parse_manifest(R"({"format": 2, "something": "new"})");
  ASSERT_FALSE(manifest);
  EXPECT_EQ(manifest.error().code(), ErrorCode::not_trusted);
  EXPECT_NE(manifest.error().message().find("newer"), std::string::npos);
  EXPECT_NE(manifest.error().hint(), "");
}

TEST(Manifest, RefusesEveryOtherFormat) {
  expect_values_refused("format", false, {0, 2, 10, "1", 1.0, -1, 18446744073709551615ULL});
}

TEST(Manifest, NumbersAreWholeJsonNumbers) {
  for (const std::string number :
       {"1.0", "1e0", "-0", "-1", "18446744073709551616", "\"1\"", "1E400"}) {
    std::string text = to_text(good());
    text.replace(text.find("31457280"), 8, number);
    expect_refused(text, number == "1E400" ? "" : "files[0].size");
    text = to_text(good());
    text.replace(text.find("\"format\":1") + 9, 1, number);
    expect_refused(text, number == "1E400" ? "" : "format");
  }
}

TEST(Manifest, RefusesOversize) {
  Json manifest = good();
  for (const std::uint64_t size : {0ULL, 1ULL, (1ULL << 31) + 1, (1ULL << 32) + 1, 1ULL << 53}) {
    manifest["files"][0]["size"] = size;
    EXPECT_EQ(parse_manifest(to_text(manifest)).value().files[0].size, size);
  }
  expect_values_refused("size", true, {(1ULL << 53) + 1, 1ULL << 63, 18446744073709551615ULL});
}

TEST(Manifest, RefusesNamesThatAreNotPlain) {
  expect_values_refused("name", true,
                        {"",         ".",           "..",       "/",
                         "a/b",      "/etc/passwd", "../a",     "a/",
                         "a\0b"s,    "\0"s,         "a\nb",     "a\tb",
                         "a\rb",     "\x7f",        "\x1b[2J",  "a\u0085b",
                         "a\u202eb", "a\u2066b",    "a\u200fb", std::string(256, 'a')});
}

TEST(Manifest, KeepsUnusualNamesThatArePlain) {
  for (const std::string& name : {"..."s, ".hidden"s, "a b"s, "-rf"s, "ü"s, "a\\b"s,
                                  "RELEASE.JSON"s, std::string(255, 'a')}) {
    Json manifest = good();
    manifest["files"][0]["name"] = name;
    EXPECT_EQ(parse_manifest(to_text(manifest)).value().files[0].name, name);
  }
}

TEST(Manifest, RefusesItsOwnNamesAsFiles) {
  expect_values_refused("name", true, {"release.json", "release.json.minisig"});
}

TEST(Manifest, RefusesOneNameTwice) {
  expect_refused([](Json& m) { m["files"].push_back(m["files"][0]); }, "files[1].name");
  expect_refused(
      [](Json& m) {
        m["files"].push_back(m["files"][0]);
        m["files"].push_back(m["files"][0]);
        m["files"][1]["name"] = "bangerd";
      },
      "files[2].name");
}

TEST(Manifest, NamesTheFileThatIsWrong) {
  expect_refused(
      [](Json& m) {
        for (int more = 0; more < 2; ++more) m["files"].push_back(m["files"][0]);
        m["files"][1]["name"] = "b";
        m["files"][2]["name"] = "c";
        m["files"][2]["sha256"] = "A" + std::string(63, 'a');
      },
      "files[2].sha256");
}

TEST(Manifest, DigestsAreExactlySixtyFourLowerCaseDigits) {
  expect_values_refused(
      "sha256", true,
      {"", kDigest.substr(1), kDigest + "a", "A" + kDigest.substr(1), "g" + kDigest.substr(1),
       " " + kDigest.substr(1), "0x" + kDigest.substr(2)});
}

TEST(Manifest, ManifestCannotAddSetuid) {
  expect_values_refused("mode", true, {"4755", "2755", "1777", "6755", "7777", "1000", "4000"});
}

TEST(Manifest, ModesAreFourOctalDigits) {
  expect_values_refused("mode", true,
                        {"", "0", "755", "00755", "0o755", "0x1f", "0758", "0795", "-755", "+755",
                         " 755", "755 ", "rwxr", "0٧55"});
  const std::vector<std::pair<std::string, std::uint32_t>> table = {
      {"0000", 0}, {"0644", 0644}, {"0755", 0755}, {"0777", 0777}, {"0001", 1}};
  for (const auto& [text, mode] : table) {
    Json manifest = good();
    manifest["files"][0]["mode"] = text;
    EXPECT_EQ(parse_manifest(to_text(manifest)).value().files[0].mode, mode);
  }
}

TEST(Manifest, RefusesVersionsThatAreNotSemantic) {
  expect_values_refused("version", false, {"", "1.4", "v1.4.0", "1.4.0 ", "01.4.0", "1.4.0\n"});
  expect_values_refused("minimum_version", false, {"", "1.4", "v1.4.0", "null"});
}

TEST(Manifest, RefusesTimesThatAreNotComplete) {
  const std::vector<Json> bad = {
      "",    "2026-11-24",          "2026-11-24T09:00:00", "2026-02-30T00:00:00Z",
      "now", "2026-11-24 09:00:00Z"};
  expect_values_refused("created", false, bad);
  expect_values_refused("expires", false, bad);
}

TEST(Manifest, RefusesProductsThatDeceive) {
  expect_values_refused("product", false,
                        {"", "a\nb", "a\0b"s, "\x1b[1m", "a\u202eb", std::string(65, 'a')});
}

TEST(Manifest, HoldsTheLimitOfTheNotes) {
  Json manifest = good();
  manifest["notes"] = std::string(64U << 10, 'n');
  EXPECT_TRUE(parse_manifest(to_text(manifest)));
  manifest["notes"] = "";
  EXPECT_TRUE(parse_manifest(to_text(manifest)));
  expect_values_refused("notes", false, {std::string((64U << 10) + 1, 'n')});
}

TEST(Manifest, HoldsTheLimitOfFiles) {
  Json manifest = good();
  manifest["files"] = Json::array();
  for (std::size_t at = 0; at < kManifestFilesLimit; ++at) {
    manifest["files"].push_back(good()["files"][0]);
    manifest["files"].back()["name"] = "file" + std::to_string(at);
  }
  EXPECT_EQ(parse_manifest(to_text(manifest)).value().files.size(), kManifestFilesLimit);
  manifest["files"].push_back(good()["files"][0]);
  expect_refused(to_text(manifest), "files");
}

TEST(Manifest, HoldsTheByteLimit) {
  std::string text = to_text(good());
  text.resize(kManifestLimit, ' ');
  EXPECT_TRUE(parse_manifest(text));
  expect_refused(text + " ", "bytes");
}

TEST(Manifest, SurvivesHostileNesting) {
  const std::string deep = std::string(10'000, '[') + std::string(10'000, ']');
  expect_refused(deep, "deep");
  std::string text = to_text(good());
  text.replace(text.find("\"text\""), 6, deep);
  expect_refused(text, "deep");
}

TEST(Manifest, RefusesTextThatIsNotUtf8) {
  std::string text = to_text(good());
  text.replace(text.find("text"), 4, "te\xfft");
  expect_refused(text, "");
}

TEST(FormatManifest, IsReadBackAsItWas) {
  Json json = good();
  json["expires"] = "2027-01-01T00:00:00.000001Z";
  json["minimum_version"] = "1.0.0+build";
  json["notes"] = "line\n\"quoted\" \\ é 😀\x1b";
  json["files"].push_back(json["files"][0]);
  json["files"][1]["name"] = "a \"b\"\\";
  json["files"][1]["size"] = 1ULL << 53;
  json["files"][1]["mode"] = "0640";
  const Manifest manifest = parse_manifest(to_text(json)).value();
  const std::string text = format_manifest(manifest);
  const auto again = parse_manifest(text);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(format_manifest(*again), text);
  EXPECT_EQ(again->product, manifest.product);
  EXPECT_EQ(again->version.text(), "1.4.0");
  EXPECT_EQ(again->created_us, manifest.created_us);
  EXPECT_EQ(again->expires_us, parse_time("2027-01-01T00:00:00.000001Z").value());
  EXPECT_EQ(again->minimum_version->text(), "1.0.0+build");
  EXPECT_EQ(again->notes, manifest.notes);
  ASSERT_EQ(again->files.size(), 2U);
  EXPECT_EQ(again->files[1].name, "a \"b\"\\");
  EXPECT_EQ(again->files[1].size, 1ULL << 53);
  EXPECT_EQ(again->files[1].mode, 0640U);
  EXPECT_EQ(again->files[1].sha256, manifest.files[1].sha256);
}

TEST(FormatManifest, IsForPeopleToo) {
  const std::string text = format_manifest(parse_manifest(to_text(good())).value());
  EXPECT_EQ(text,
            "{\n"
            "  \"format\": 1,\n"
            "  \"product\": \"banger\",\n"
            "  \"version\": \"1.4.0\",\n"
            "  \"created\": \"2026-11-24T09:00:00.000000Z\",\n"
            "  \"expires\": null,\n"
            "  \"minimum_version\": null,\n"
            "  \"notes\": \"text\",\n"
            "  \"files\": [\n"
            "    {\n"
            "      \"name\": \"banger\",\n"
            "      \"sha256\": \"" +
                kDigest +
                "\",\n"
                "      \"size\": 31457280,\n"
                "      \"mode\": \"0755\"\n"
                "    }\n"
                "  ]\n"
                "}\n");
}

}  // namespace
}  // namespace update
