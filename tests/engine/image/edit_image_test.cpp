// Paths in an image, and trees that are put into folders that have to be made first.

#include "engine/image/edit_image.hpp"

#include <gtest/gtest.h>

namespace update::image {
namespace {

using Names = std::vector<std::string>;

TEST(ImagePath, IsSplitIntoItsNames) {
  EXPECT_EQ(split_image_path("/a/b").value(), (Names{"a", "b"}));
  EXPECT_EQ(split_image_path("a//./b/").value(), (Names{"a", "b"}));
  EXPECT_EQ(split_image_path("/").value(), Names{});
  EXPECT_EQ(split_image_path("").value(), Names{});
  EXPECT_EQ(split_image_path("/\xFF\n").value(), Names{"\xFF\n"});
  EXPECT_EQ(join_image_path({"a", "b"}), "/a/b");
  EXPECT_EQ(join_image_path({}), "/");
}

TEST(ImagePath, WithWhatNoNameCanBeIsAUsageError) {
  const std::string paths[] = {"/a/../b", "..", std::string(256, 'x'), std::string("a\0b", 3)};
  for (const std::string& path : paths) {
    const auto names = split_image_path(path);
    ASSERT_FALSE(names) << path;
    EXPECT_EQ(names.error().code(), ErrorCode::usage);
  }
  EXPECT_TRUE(split_image_path(std::string(255, 'x')));
}

// Remembers which entries it was asked for.
class CountingContents final : public Contents {
 public:
  explicit CountingContents(std::vector<EntryIndex>& asked) : asked_(asked) {}
  Result<os::File*> open(const Tree& tree, EntryIndex entry) override {
    EXPECT_EQ(tree.name(entry), "b");
    asked_.push_back(entry);
    return nullptr;
  }
  Status close(const Tree& tree, EntryIndex entry) override {
    EXPECT_EQ(tree.name(entry), "b");
    return {};
  }

 private:
  std::vector<EntryIndex>& asked_;
};

TEST(Nest, PutsATreeIntoFoldersAndStillFindsItsBytes) {
  std::vector<EntryIndex> asked;
  HostTree source{Tree{}, std::make_unique<CountingContents>(asked)};
  source.tree.entries.resize(4);
  source.tree.entries[0].type = EntryType::folder;
  source.tree.entries[0].mode = 0700;
  const char* const names[] = {"", "a", "b", "c"};
  for (EntryIndex index = 1; index < 4; ++index) {
    source.tree.entries[index].parent = index == 2 ? 1 : 0;
    source.tree.entries[index].name = source.tree.keep(names[index]);
  }
  source.tree.entries[1].type = EntryType::folder;
  source.tree.entries[3].link_to = 2;
  Entry folder;
  folder.type = EntryType::folder;
  folder.mode = 0755;
  folder.uid = 7;

  const HostTree nested = nest(std::move(source), {"x", "y"}, folder);
  const Tree& tree = nested.tree;
  EXPECT_TRUE(check_tree(tree, {}));
  ASSERT_EQ(tree.entries.size(), 6U);
  EXPECT_EQ(tree.path(2), "/x/y");
  EXPECT_EQ(tree.path(4), "/x/y/a/b");
  EXPECT_EQ(tree.path(5), "/x/y/c");
  EXPECT_EQ(tree.entries[5].link_to, 4U);
  EXPECT_EQ(tree.entries[1].mode, 0755);
  EXPECT_EQ(tree.entries[1].uid, 7U);
  EXPECT_EQ(tree.entries[2].mode, 0700) << "the top of what is put in keeps its own";
  EXPECT_TRUE(nested.contents->open(tree, 4));
  EXPECT_TRUE(nested.contents->close(tree, 4));
  EXPECT_EQ(asked, std::vector<EntryIndex>{2});
}

TEST(Nest, InNoFolderChangesNothing) {
  std::vector<EntryIndex> asked;
  HostTree source{Tree{}, std::make_unique<CountingContents>(asked)};
  source.tree.entries.resize(1);
  EXPECT_EQ(nest(std::move(source), {}, Entry{}).tree.entries.size(), 1U);
}

}  // namespace
}  // namespace update::image
