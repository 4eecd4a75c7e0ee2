#include "engine/image/file/entry_list.hpp"

#include "tests/fake/fake_filesystem.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace update {
namespace {

using namespace std::string_view_literals;
using Entries = std::vector<std::string>;

Result<Entries> read(std::string_view text) {
  FakeFileSystem disk;
  disk.put_file("/lists/files", text);
  return read_entry_list(disk, "/lists/files");
}

TEST(EntryList, OneEntryALine) {
  EXPECT_EQ(read("a\nb c\n/d/e\n").value(), (Entries{"a", "b c", "/d/e"}));
  EXPECT_EQ(read("last without newline").value(), Entries{"last without newline"});
}

TEST(EntryList, CarriageReturnsCommentsBlanksAndEmptyLinesGo) {
  EXPECT_EQ(read("# head\r\n"
                 "one\r\n"
                 "\t two \t\r\n"
                 "three # why\r\n"
                 "four#glued\n"
                 "   \n"
                 "\r\n"
                 "  # all comment\n"
                 "f\rive\n")
                .value(),
            (Entries{"one", "two", "three", "four", "f\rive"}));
}

TEST(EntryList, AFileWithoutAnyEntryIsAnErrorThatNamesIt) {
  for (const std::string_view text : {"", "\n\n", "# only\n", " \t\r\n"}) {
    const auto entries = read(text);
    ASSERT_FALSE(entries) << text;
    EXPECT_EQ(entries.error().code(), ErrorCode::usage);
    EXPECT_NE(entries.error().message().find("/lists/files"), std::string::npos);
  }
}

TEST(EntryList, AnEntryLongerThanAPathIsToldByItsLine) {
  EXPECT_TRUE(read("# head\n" + std::string(4095, 'a')));
  const auto entries = read("# head\n\n" + std::string(4096, 'a') + "\nb\n");
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code(), ErrorCode::usage);
  EXPECT_NE(entries.error().message().find("line 3"), std::string::npos);
  EXPECT_LT(entries.error().message().size(), 200U);
}

TEST(EntryList, ANulIsRefused) {
  const auto entries = read("a\0b\n"sv);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code(), ErrorCode::usage);
}

TEST(EntryList, MoreThan64MebibytesAreRefused) {
  constexpr std::size_t kLimit = 64U << 20;
  EXPECT_EQ(read(std::string(kLimit - 2, '#') + "\na").value(), Entries{"a"});
  const auto entries = read(std::string(kLimit - 1, '#') + "\na");
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().code(), ErrorCode::usage);
  EXPECT_NE(entries.error().message().find("/lists/files"), std::string::npos);
}

TEST(EntryList, AMissingFileKeepsItsErrno) {
  FakeFileSystem disk;
  disk.make_folder("/lists");
  const auto entries = read_entry_list(disk, "/lists/files");
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().system_errno(), ENOENT);
  EXPECT_NE(entries.error().message().find("/lists/files"), std::string::npos);
}

TEST(EntryList, ALinkIsFollowed) {
  FakeFileSystem disk;
  disk.put_file("/lists/real", "a\n");
  disk.symlink("/lists/files", "real");
  EXPECT_EQ(read_entry_list(disk, "/lists/files").value(), Entries{"a"});
}

}  // namespace
}  // namespace update
