// ext4 ls, cat, stat, extract and check: an image is shown as it is, and its names are anybody's.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/scenario/image_tools.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

class Ext4Reading : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS_TOOL("debugfs");
    const std::string tree = host.path("tree");
    fs::create_directories(tree + "/d/sub");
    write_file(tree + "/d/file", "hello\n", 0640);
    write_file(tree + "/d/" + kOdd, "odd", 0600);
    fs::create_symlink("file", tree + "/d/link");
    fs::create_hard_link(tree + "/d/file", tree + "/d/twin");
    write_file(tree + "/sparse", "begin");
    ASSERT_EQ(truncate((tree + "/sparse").c_str(), 3'000'000), 0);
    ASSERT_EQ(chmod((tree + "/sparse").c_str(), 04755), 0);
    mke2fs(image, "64M", tree);
  }

  static constexpr const char* kOdd = "a\xFF\x1B[31m\nb";
  Host host;
  std::string image = host.path("image.ext4");
};

TEST_F(Ext4Reading, ListsNamesInOrderAndEscaped) {
  const Ended ended = host.run({"ext4", "ls", image, "/d"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.out, "a\\xff\\x1b[31m\\x0ab\nfile\nlink\nsub\ntwin\n");
  EXPECT_TRUE(contains(host.run({"ext4", "ls", image}).out, "lost+found\n"));
}

TEST_F(Ext4Reading, ListsModesOwnersSizesAndTargets) {
  const std::string text = host.run({"ext4", "ls", image, "/d", "-l"}).out;
  EXPECT_TRUE(contains(text, "-rw-r-----")) << text;
  EXPECT_TRUE(contains(text, "link -> file")) << text;
  EXPECT_TRUE(contains(text, "drwxr-xr-x")) << text;
}

TEST_F(Ext4Reading, ListsAsJson) {
  Json answer = host.json({"ext4", "ls", image, "/d"});
  ASSERT_EQ(answer["entries"].size(), 5U);
  EXPECT_EQ(answer["entries"][0]["name_hex"], "61ff1b5b33316d0a62");
  Json file = answer["entries"][1];
  EXPECT_EQ(file["name"], "file");
  EXPECT_EQ(file["path"], "/d/file");
  EXPECT_EQ(file["type"], "regular");
  EXPECT_EQ(file["mode"], "0640");
  EXPECT_EQ(file["size"], 6);
  EXPECT_EQ(file["uid"], getuid());
  EXPECT_EQ(answer["entries"][2]["target"], "file");
  EXPECT_EQ(answer["entries"][3]["type"], "folder");
  EXPECT_EQ(answer["entries"][4]["size"], 6) << "a further name of a file tells the file";
}

TEST_F(Ext4Reading, CatGivesTheBytesAndTheZerosOfHoles) {
  EXPECT_EQ(host.run({"ext4", "cat", image, "d/file"}).out, "hello\n");
  const std::string sparse = host.run({"ext4", "cat", image, "/sparse"}).out;
  EXPECT_EQ(sparse, read_file(host.path("tree/sparse")));
  Json answer = host.json({"ext4", "cat", image, "/d/file"});
  EXPECT_EQ(answer["encoding"], "base64");
  EXPECT_EQ(answer["content"], "aGVsbG8K");
}

TEST_F(Ext4Reading, CatToAnOutputThatIsClosedIsAnError) {
  Launch launch;
  launch.prefix = {"sh", "-c", "exec \"$@\" >&-", "sh"};
  const Ended ended = host.run({"ext4", "cat", image, "/d/file"}, launch);
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(contains(ended.err, "standard output cannot be written")) << ended.err;
}

TEST_F(Ext4Reading, CatOfWhatIsNoFileIsAUsageErrorAndOfNothingIsNotFound) {
  EXPECT_EQ(host.run({"ext4", "cat", image, "/d"}).code, 2);
  EXPECT_EQ(host.run({"ext4", "cat", image, "/d/link"}).code, 2);
  EXPECT_EQ(host.run({"ext4", "cat", image, "/none"}).code, 9);
  EXPECT_EQ(host.run({"ext4", "cat", image, "/d/file/below"}).code, 9);
}

TEST_F(Ext4Reading, StatTellsAnEntryOrTheFileSystem) {
  Json entry = host.json({"ext4", "stat", image, "/sparse"});
  EXPECT_EQ(entry["mode"], "4755");
  EXPECT_EQ(entry["size"], 3'000'000);
  EXPECT_LE(entry["data_bytes"], 8192);
  EXPECT_GT(entry["inode"], 10);
  EXPECT_EQ(entry["links"], 1);
  Json twin = host.json({"ext4", "stat", image, "/d/twin"});
  EXPECT_EQ(twin["links"], 2);
  Json info = host.json({"ext4", "stat", image});
  EXPECT_EQ(info["bytes"], std::uint64_t{64} << 20U);
  EXPECT_EQ(info["block_size"], 4096);
  const std::string told = tool({"dumpe2fs", "-h", image}).out;
  EXPECT_TRUE(contains(told, info["uuid"].get<std::string>())) << told;
}

TEST_F(Ext4Reading, ExtractWritesTheSameTree) {
  const Ended ended = host.run({"ext4", "extract", image, "/", host.path("out")});
  EXPECT_EQ(ended.code, 0) << ended.err;
  auto expected = describe(host.path("tree"), {true, false});
  auto found = describe(host.path("out"), {true, false});
  for (auto* tree : {&expected, &found}) tree->erase("sparse");
  // mke2fs keeps whole seconds only.
  for (auto* tree : {&expected, &found}) {
    for (auto& [path, text] : *tree) text = text.substr(0, text.find(' '));
  }
  EXPECT_EQ(found, expected);
  EXPECT_EQ(read_file(host.path("out/sparse")), read_file(host.path("tree/sparse")));
  EXPECT_LT(allocated(host.path("out/sparse")), 100'000U);
}

TEST_F(Ext4Reading, ExtractDropsSetIdBitsUnlessTheyAreAskedFor) {
  Json answer = host.json({"ext4", "extract", image, "/", host.path("out")});
  EXPECT_EQ(answer["skipped"]["set_id_bits"], 1);
  struct stat info {};
  ASSERT_EQ(stat(host.path("out/sparse").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0755U);
  ASSERT_EQ(host.run({"ext4", "extract", image, "/", host.path("kept"), "--keep-setid"}).code, 0);
  ASSERT_EQ(stat(host.path("kept/sparse").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 04755U);
}

TEST_F(Ext4Reading, ExtractWritesIntoNoFolderThatHoldsSomething) {
  fs::create_directories(host.path("out"));
  write_file(host.path("out/mine"), "mine");
  EXPECT_NE(host.run({"ext4", "extract", image, "/", host.path("out")}).code, 0);
  EXPECT_EQ(read_file(host.path("out/mine")), "mine");
  EXPECT_FALSE(present(host.path("out/d")));
}

TEST_F(Ext4Reading, ExtractFollowsNoLinkOfTheImage) {
  // A folder that the image makes a link to the outside, and a file below the same name.
  const std::string outside = host.path("outside");
  fs::create_directories(outside);
  fs::create_symlink(outside, host.path("tree/escape"));
  fs::remove(image);
  mke2fs(image, "64M", host.path("tree"));
  ASSERT_EQ(host.run({"ext4", "extract", image, "/", host.path("out")}).code, 0);
  EXPECT_TRUE(fs::is_symlink(host.path("out/escape")));
  EXPECT_TRUE(fs::is_empty(outside));
  EXPECT_EQ(host.run({"ext4", "ls", image, "/escape/x"}).code, 9);
}

TEST_F(Ext4Reading, CheckIsQuietAboutASoundImage) {
  const Ended ended = host.run({"ext4", "check", image});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  Json answer = host.json({"ext4", "check", image});
  EXPECT_EQ(answer["consistent"], true);
  EXPECT_TRUE(answer["findings"].empty());
}

TEST_F(Ext4Reading, CheckFindsADamagedImageAndChangesNothing) {
  debugfs(image, "sif /d/file links_count 7", true);
  const std::string before = sha256_of(data_of(image));
  Json answer = host.json({"ext4", "check", image}, 7);
  EXPECT_EQ(answer["consistent"], false);
  EXPECT_FALSE(answer["findings"].empty());
  EXPECT_EQ(answer["error"]["code"], 7);
  EXPECT_EQ(sha256_of(data_of(image)), before);
}

TEST_F(Ext4Reading, CheckOfAnImageInUseSaysSoAndNotThatItIsDamaged) {
  debugfs(image, "feature needs_recovery", true);
  const Ended ended = host.run({"ext4", "check", image});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(contains(ended.err, image)) << ended.err;
  EXPECT_FALSE(contains(ended.err, "damaged")) << ended.err;
}

TEST_F(Ext4Reading, WhatIsNoImageIsNotTrusted) {
  write_file(host.path("text"), std::string(100'000, 't'));
  for (const char* verb : {"ls", "stat", "check"}) {
    EXPECT_EQ(host.run({"ext4", verb, host.path("text")}).code, 7) << verb;
  }
  EXPECT_EQ(host.run({"ext4", "ls", host.path("none")}).code, 1);
}

}  // namespace
}  // namespace update::scenario
