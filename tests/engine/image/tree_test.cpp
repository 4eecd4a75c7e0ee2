#include "engine/image/tree.hpp"

#include <gtest/gtest.h>

namespace update::image {
namespace {

// /, /a (folder), /a/file with two extents and an attribute, /a/again (its second name), /link
Tree small_tree() {
  Tree tree;
  tree.entries.resize(5);
  const auto entry = [&](EntryIndex index, EntryIndex parent, std::string_view name,
                         EntryType type) -> Entry& {
    Entry& made = tree.entries[index];
    made.parent = parent;
    made.name = tree.keep(name);
    made.type = type;
    made.inode = 100 + index;
    return made;
  };
  tree.entries[0].type = EntryType::folder;
  tree.entries[0].mode = 0755;
  entry(1, 0, "a", EntryType::folder).modified = {-5, 999'999'999};
  entry(2, 0, "link", EntryType::symbolic_link).content = tree.keep("target");
  Entry& file = entry(3, 1, "file", EntryType::regular);
  file.mode = 06755;
  file.uid = UINT32_MAX;
  file.size = 9000;
  file.extents = 2;
  file.attributes = 1;
  tree.extents = {{0, 40960, 4096}, {8192, 8192, 808}};
  tree.attributes = {{tree.keep("user.x/y"), tree.keep("value")}};
  entry(4, 1, "again", EntryType::regular).link_to = 3;
  tree.skip(Skipped::device, 7);
  return tree;
}

bool same(const Tree& left, const Tree& right) {
  return encode_tree(left) == encode_tree(right);
}

TEST(ImageTree, PathsNamesAndSizes) {
  const Tree tree = small_tree();
  EXPECT_EQ(tree.path(0), "/");
  EXPECT_EQ(tree.path(3), "/a/file");
  EXPECT_EQ(tree.name(4), "again");
  EXPECT_EQ(tree.total_size(), 9000U);
  EXPECT_TRUE(check_tree(tree, {}));
  EXPECT_TRUE(check_tree(Tree(), {}));
}

TEST(ImageTree, SizesThatPassANumberStayAtItsEnd) {
  Tree tree = small_tree();
  for (const EntryIndex index : {3U, 4U}) {
    tree.entries[index].link_to = kNoEntry;
    tree.entries[index].size = UINT64_MAX - 1;
  }
  EXPECT_EQ(tree.total_size(), UINT64_MAX);
}

TEST(ImageTree, ComesBackAsItWas) {
  const Tree tree = small_tree();
  const auto back = decode_tree(encode_tree(tree));
  ASSERT_TRUE(back);
  EXPECT_TRUE(same(*back, tree));
  EXPECT_EQ(back->path(4), "/a/again");
  EXPECT_EQ(back->entries[3].uid, UINT32_MAX);
  EXPECT_EQ(back->entries[1].modified, (Time{-5, 999'999'999}));
  EXPECT_EQ(back->entries[4].link_to, 3U);
  EXPECT_EQ(back->extents[1].source, 8192U);
  EXPECT_EQ(back->at(back->attributes[0].value), "value");
  EXPECT_EQ(back->skipped[static_cast<std::size_t>(Skipped::device)], 7U);
}

TEST(ImageTree, ACutOrChangedAnswerIsAnErrorOrATreeToCheck) {
  const std::string bytes = encode_tree(small_tree());
  const std::size_t framing = bytes.size() - small_tree().text.size();
  for (std::size_t length = 0; length < framing; ++length) {
    const auto cut = decode_tree(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(cut) << length;
    EXPECT_EQ(cut.error().code(), ErrorCode::not_trusted);
  }
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    for (const int change : {0x01, 0x7F, 0x80, 0xFF}) {
      std::string changed = bytes;
      changed[at] = static_cast<char>(changed[at] ^ change);
      const auto tree = decode_tree(changed);
      if (tree) static_cast<void>(check_tree(*tree, {}));
    }
  }
  // A count without the bytes for it takes no memory.
  EXPECT_FALSE(decode_tree("\xFF\xFF\xFF\xFF\x0F"));
}

TEST(ImageTree, ManyEntriesTakeFewBytes) {
  Tree tree;
  tree.entries.resize(1);
  tree.entries[0].type = EntryType::folder;
  for (std::uint32_t at = 1; at < 10'000; ++at) {
    Entry entry;
    entry.parent = 0;
    entry.name = tree.keep("name-" + std::to_string(at));
    entry.inode = 12 + at;
    entry.modified = entry.accessed = entry.changed = {1'700'000'000, 123'456'789};
    tree.entries.push_back(entry);
  }
  EXPECT_LT(encode_tree(tree).size(), 45U * 10'000);
  EXPECT_LE(sizeof(Entry), 144U);
}

// What somebody who has taken over the child could say.
struct Lie {
  const char* name;
  void (*tell)(Tree&);
};

class ImageTreeLie : public testing::TestWithParam<Lie> {};

TEST_P(ImageTreeLie, IsNotBelieved) {
  Tree tree = small_tree();
  ASSERT_TRUE(check_tree(tree, {}));
  GetParam().tell(tree);
  const Status checked = check_tree(tree, {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::not_trusted);
}

void rename(Tree& tree, std::string_view name) {
  tree.entries[3].name = tree.keep(name);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ImageTreeLie,
    testing::Values(
        Lie{"ParentLater", [](Tree& tree) { tree.entries[1].parent = 3; }},
        Lie{"ParentItself", [](Tree& tree) { tree.entries[1].parent = 1; }},
        Lie{"ParentNowhere", [](Tree& tree) { tree.entries[3].parent = kNoEntry; }},
        Lie{"ParentNoFolder", [](Tree& tree) { tree.entries[3].parent = 2; }},
        Lie{"TopWithParent", [](Tree& tree) { tree.entries[0].parent = 0; }},
        Lie{"TopWithName",
            [](Tree& tree) {
              tree.entries[0].name = {0, 1};
            }},
        Lie{"NameEmpty", [](Tree& tree) { rename(tree, ""); }},
        Lie{"NameDot", [](Tree& tree) { rename(tree, "."); }},
        Lie{"NameDots", [](Tree& tree) { rename(tree, ".."); }},
        Lie{"NameSlash", [](Tree& tree) { rename(tree, "../x"); }},
        Lie{"NameNul",
            [](Tree& tree) {
              rename(tree, {"a\0b", 3});
            }},
        Lie{"NameLong", [](Tree& tree) { rename(tree, std::string(256, 'x')); }},
        Lie{"NameTwice", [](Tree& tree) { rename(tree, "again"); }},
        Lie{"NameOutside",
            [](Tree& tree) {
              tree.entries[3].name = {100'000, 4};
            }},
        Lie{"NamePastEnd",
            [](Tree& tree) {
              tree.entries[3].name = {2, UINT32_MAX};
            }},
        Lie{"Type", [](Tree& tree) { tree.entries[3].type = EntryType{9}; }},
        Lie{"Mode", [](Tree& tree) { tree.entries[3].mode = 0100644; }},
        Lie{"Time", [](Tree& tree) { tree.entries[3].changed.nanoseconds = 1'000'000'000; }},
        Lie{"LinkLater", [](Tree& tree) { tree.entries[2].link_to = 3; }},
        Lie{"LinkItself", [](Tree& tree) { tree.entries[4].link_to = 4; }},
        Lie{"LinkToFolder", [](Tree& tree) { tree.entries[4].link_to = 1; }},
        Lie{"LinkToLink", [](Tree& tree) { tree.entries[3].link_to = 2; }},
        Lie{"LinkWithExtents", [](Tree& tree) { tree.entries[4].extents = 1; }},
        Lie{"TargetEmpty", [](Tree& tree) { tree.entries[2].content = {}; }},
        Lie{"TargetNul",
            [](Tree& tree) {
              tree.entries[2].content = tree.keep({"a\0", 2});
            }},
        Lie{"TargetLong",
            [](Tree& tree) { tree.entries[2].content = tree.keep(std::string(4096, 'x')); }},
        Lie{"ContentOutside", [](Tree& tree) { tree.entries[2].content.begin = 100'000; }},
        Lie{"TwoContents",
            [](Tree& tree) {
              tree.entries[3].content = {0, 1};
            }},
        Lie{"FolderWithSize", [](Tree& tree) { tree.entries[1].size = 1; }},
        Lie{"Size", [](Tree& tree) { tree.entries[3].size = UINT64_MAX; }},
        Lie{"ExtentsNotThere", [](Tree& tree) { tree.entries[3].first_extent = 1; }},
        Lie{"ExtentsOfAnother",
            [](Tree& tree) {
              tree.entries[4].link_to = kNoEntry;
              tree.entries[4].size = 9000;
              tree.entries[4].extents = 2;
            }},
        Lie{"ExtentsOfFolder", [](Tree& tree) { tree.entries[1].extents = 1; }},
        Lie{"ExtentEmpty", [](Tree& tree) { tree.extents[0].length = 0; }},
        Lie{"ExtentsOverlap", [](Tree& tree) { tree.extents[0].length = 8193; }},
        Lie{"ExtentPastEnd", [](Tree& tree) { tree.extents[1].length = 809; }},
        Lie{"ExtentBehindEnd", [](Tree& tree) { tree.extents[1].offset = 12'288; }},
        Lie{"ExtentNowhere", [](Tree& tree) { tree.extents[1].source = UINT64_MAX - 5; }},
        Lie{"AttributesNotThere", [](Tree& tree) { tree.entries[3].attributes = 2; }},
        Lie{"AttributeNameEmpty", [](Tree& tree) { tree.attributes[0].name = {}; }},
        Lie{"AttributeOutside", [](Tree& tree) { tree.attributes[0].value.length = 1'000'000; }},
        Lie{"AttributeLarge",
            [](Tree& tree) { tree.attributes[0].value = tree.keep(std::string(65'537, 'x')); }}),
    [](const auto& made) { return std::string(made.param.name); });

TEST(ImageTree, LimitsAreThoseOfTheCaller) {
  const Tree tree = small_tree();
  EXPECT_TRUE(check_tree(tree, {.entries = 5, .extents = 2, .text_bytes = 64, .depth = 2}));
  EXPECT_FALSE(check_tree(tree, {.entries = 4}));
  EXPECT_FALSE(check_tree(tree, {.extents = 1}));
  EXPECT_FALSE(check_tree(tree, {.text_bytes = 10}));
  EXPECT_FALSE(check_tree(tree, {.depth = 1}));
}

TEST(ImageTree, AnErrorNamesTheEntryMadeSafe) {
  Tree tree = small_tree();
  rename(tree, "\x1B[2J");
  tree.entries[3].mode = 010000;
  const Status checked = check_tree(tree, {});
  ASSERT_FALSE(checked);
  EXPECT_NE(checked.error().message().find("/a/\\x1b[2J"), std::string::npos)
      << checked.error().message();
}

}  // namespace
}  // namespace update::image
