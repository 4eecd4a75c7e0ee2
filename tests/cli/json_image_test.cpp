// The documents of the images: names are anybody's bytes, and the documents stay JSON.

#include "cli/json_image.hpp"

#include <gtest/gtest.h>

#include "cli/image_output.hpp"
#include "engine/base/json.hpp"

namespace update::cli {
namespace {

image::Tree folder_with(std::string_view name) {
  image::Tree tree;
  tree.entries.resize(2);
  tree.entries[0].type = image::EntryType::folder;
  image::Entry& entry = tree.entries[1];
  entry.parent = 0;
  entry.name = tree.keep(name);
  entry.mode = 04755;
  entry.uid = 1000;
  entry.size = 5;
  entry.modified = {4'000'000'000, 123'456'789};
  return tree;
}

Json parsed(const std::string& document) {
  auto json = parse_json(document);
  EXPECT_TRUE(json) << document;
  return json ? *json : Json();
}

TEST(ImageJson, ListsAnEntryWithItsPath) {
  const Json entry = parsed(listing_document("/r", folder_with("f"), {1}))["entries"][0];
  EXPECT_EQ(entry["name"], "f");
  EXPECT_EQ(entry["path"], "/r/f");
  EXPECT_EQ(entry["type"], "regular");
  EXPECT_EQ(entry["mode"], "4755");
  EXPECT_EQ(entry["uid"], 1000);
  EXPECT_EQ(entry["size"], 5);
  EXPECT_EQ(entry["modified"], "2096-10-02T07:06:40.123456Z");
  EXPECT_FALSE(entry.contains("name_hex"));
  EXPECT_EQ(parsed(listing_document("/", folder_with("f"), {1}))["entries"][0]["path"], "/f");
}

TEST(ImageJson, OfANameThatIsNotTextIsValidAndTellsItsBytes) {
  const Json entry = parsed(listing_document("/", folder_with("a\xFF\n\""), {1}))["entries"][0];
  EXPECT_EQ(entry["name"], "a\xEF\xBF\xBD\n\"");
  EXPECT_EQ(entry["name_hex"], "61ff0a22");
}

TEST(ImageJson, CountsEachKindThatWasSkipped) {
  image::Made made;
  made.bytes = 8192;
  made.entries = 2;
  made.content_bytes = 5;
  made.skipped.skip(image::Skipped::socket, 3);
  const Json document = parsed(image_document("x.ext4", made));
  EXPECT_EQ(document["image"], "x.ext4");
  EXPECT_EQ(document["bytes"], 8192);
  EXPECT_EQ(document["entries"], 2);
  EXPECT_EQ(document["content_bytes"], 5);
  EXPECT_EQ(document["skipped"]["socket"], 3);
  EXPECT_EQ(document["skipped"]["device"], 0);
  EXPECT_EQ(document["skipped"].size(), image::kSkippedKinds);
}

TEST(ImageJson, TellsWhatACheckFound) {
  EXPECT_EQ(parsed(check_document("x", {}, nullptr))["consistent"], true);
  const Error error(ErrorCode::not_trusted, "damaged");
  const Json found = parsed(check_document("x", {"inode 12: bad"}, &error));
  EXPECT_EQ(found["consistent"], false);
  EXPECT_EQ(found["findings"][0], "inode 12: bad");
  EXPECT_EQ(found["error"]["code"], 7);
}

TEST(ImageJson, FramesBytesInBase64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("\xFF\xFE\x01"), "//4B");
  const ContentFrame frame = content_frame("i\"", "/p", 3);
  const Json document = parsed(frame.before + base64("foo") + frame.after);
  EXPECT_EQ(document["image"], "i\"");
  EXPECT_EQ(document["content"], "Zm9v");
  EXPECT_EQ(document["size"], 3);
}

TEST(ImageText, ShowsModesAsLsDoes) {
  image::Entry entry;
  entry.mode = 0644;
  EXPECT_EQ(mode_text(entry), "-rw-r--r--");
  entry.mode = 04755;
  EXPECT_EQ(mode_text(entry), "-rwsr-xr-x");
  entry.mode = 02644;
  EXPECT_EQ(mode_text(entry), "-rw-r-Sr--");
  entry.type = image::EntryType::folder;
  entry.mode = 01777;
  EXPECT_EQ(mode_text(entry), "drwxrwxrwt");
}

TEST(ImageText, NamesOnlyWhatWasSkipped) {
  image::Tree tree;
  EXPECT_EQ(skipped_text(tree), "");
  tree.skip(image::Skipped::device, 2);
  tree.skip(image::Skipped::socket, 1);
  EXPECT_EQ(skipped_text(tree), "; skipped: 2 devices, 1 socket");
}

}  // namespace
}  // namespace update::cli
