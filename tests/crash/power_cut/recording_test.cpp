// What the power cuts rest on: that a recording is read right, and that it is refused where it
// cannot be. record_operations fails by itself where its own replay is not what is on the disk.

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "tests/crash/power_cut/recording.hpp"
#include "tests/crash/wal.hpp"
#include "tests/engine/os/temporary_folder.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {
namespace {

using scenario::write_file;

class Recorded : public testing::Test {
 protected:
  Recorded() {
    write_file(root() + "/files/old", "as it was");
    write_file(root() + "/outside", "a source");
  }
  std::string root() const { return std::filesystem::canonical(folder_.path()); }

  Recording of(const std::string& script) {
    return record_operations(
        root(), {"files"},
        {{{"python3", "-S", "-c",
           "import os\nos.chdir('" + root() + "/files')\nrw = os.O_RDWR\n" + script}}});
  }

  static std::size_t count(const Recording& recording, Kind kind) {
    return static_cast<std::size_t>(
        std::count_if(recording.operations.begin(), recording.operations.end(),
                      [kind](const Operation& each) { return each.kind == kind; }));
  }

  os::TemporaryFolder folder_;
};

TEST_F(Recorded, NamesAreFollowedThroughRenamesLinksAndFolders) {
  NEEDS_TOOL("strace");
  const Recording recording =
      of("os.mkdir('made')\nos.link('old', 'made/second')\nos.rename('old', 'made/third')\n"
         "file = os.open('made/third', rw)\nos.pwrite(file, b'IS', 3)\nos.fsync(file)\n"
         "os.unlink('made/second')\nos.pwrite(file, b'!', 9)\n"
         "os.mkdir('empty')\nos.rmdir('empty')\n");
  EXPECT_EQ(count(recording, Kind::names), 6U);
  EXPECT_EQ(count(recording, Kind::sync), 1U);
}

TEST_F(Recorded, EveryWayToWriteBytesIsUnderstood) {
  NEEDS_TOOL("strace");
  const Recording recording = of(
      "file = os.open('new', rw | os.O_CREAT, 0o640)\nsource = os.open('../outside', os.O_RDONLY)\n"
      "os.write(file, b'one')\nos.writev(file, [b'two', b'three'])\nos.lseek(file, 1, 0)\n"
      "os.sendfile(file, source, 2, 4)\nos.pwritev(file, [b'a', b'b'], 20)\n"
      "os.copy_file_range(source, file, 5, 0, 30)\nos.posix_fallocate(file, 0, 50)\n"
      "os.ftruncate(file, 45)\nos.fchmod(file, 0o600)\nos.open('new', rw | os.O_TRUNC)\n");
  EXPECT_EQ(count(recording, Kind::data), 5U);
  EXPECT_EQ(count(recording, Kind::size), 3U);
  EXPECT_EQ(count(recording, Kind::mode), 1U);
}

TEST_F(Recorded, AFileWithoutANameMayGetOne) {
  NEEDS_TOOL("strace");
  const Recording recording =
      of("file = os.open('.', rw | os.O_TMPFILE, 0o600)\nos.pwrite(file, b'late', 0)\n"
         "os.link('/proc/self/fd/%d' % file, 'named', src_dir_fd=file, follow_symlinks=True)\n");
  EXPECT_EQ(count(recording, Kind::names), 1U);
}

TEST_F(Recorded, AFileThatWasUnlinkedIsWrittenToAndNotMissed) {
  NEEDS_TOOL("strace");
  of("file = os.open('old', rw)\nos.unlink('old')\nos.pwrite(file, b'gone', 0)\n"
     "os.close(os.open('old', rw | os.O_CREAT))\nos.pwrite(file, b'gone', 0)\n");
}

TEST_F(Recorded, WhatIsNotUnderstoodIsRefused) {
  NEEDS_TOOL("strace");
  EXPECT_NONFATAL_FAILURE(of("os.close(os.open('a', rw | os.O_CREAT))\n"
                             "os.setxattr('a', 'user.b', b'c')\n"),
                          "setxattr");
}

TEST_F(Recorded, MemoryThatHasANameIsLeftOut) {
  NEEDS_TOOL("strace");
  const Recording recording =
      of("import mmap\nos.close(os.open('a', rw | os.O_CREAT))\n"
         "file = os.open('db-shm', rw | os.O_CREAT)\nos.ftruncate(file, 4096)\n"
         "mmap.mmap(file, 4096)[0:1] = b'x'\n");
  EXPECT_EQ(count(recording, Kind::names), 1U);
  EXPECT_EQ(count(recording, Kind::size), 0U);
}

TEST(CommittedPart, OfWhatIsNoLogIsEmpty) {
  EXPECT_EQ(LogReader().committed_part("").size, 0U);
  EXPECT_EQ(LogReader().committed_part(std::string(100, '\0')).size, 0U);
}

TEST(CommittedPart, EndsWithTheLastWholeTransaction) {
  NEEDS_TOOL("sqlite3");
  const os::TemporaryFolder folder;
  const std::string database = folder.path("db");
  const std::string log = database + "-wal";
  const std::string insert = "insert into t values (randomblob(5000))";
  const auto keep = [&](const std::string& ending) {
    return ".shell cp " + log + " " + log + ending;
  };
  const auto ended =
      scenario::run_process({"sqlite3", database, "pragma journal_mode=wal", "create table t(a)",
                             insert, keep(".1"), insert, keep(".2")});
  ASSERT_EQ(ended.code, 0) << ended.err;
  const std::string one = scenario::read_file(log + ".1");
  const std::string two = scenario::read_file(log + ".2");
  ASSERT_LT(one.size(), two.size());
  std::string torn = two;
  torn[one.size() + 100] ^= 1;
  std::string damaged = two;
  damaged[5] ^= 1;
  // One reader for all of them and a new one for each say the same, in any order.
  LogReader reader;
  const auto print_of_one = LogReader().committed_part(one).print;
  for (const std::string& each : {two, torn, one, damaged, torn, two, one + std::string(9, 'x')}) {
    const CommittedPart part = reader.committed_part(each);
    const std::size_t expected = each == two ? two.size() : each == damaged ? 0 : one.size();
    EXPECT_EQ(part.size, expected);
    EXPECT_EQ(part.print == print_of_one, expected == one.size());
    EXPECT_EQ(part.print, LogReader().committed_part(each).print);
  }
}

}  // namespace
}  // namespace update::crash
