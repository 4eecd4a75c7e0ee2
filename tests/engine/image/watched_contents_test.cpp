#include "engine/image/watched_contents.hpp"

#include <gtest/gtest.h>

#include "tests/fake/fake_filesystem.hpp"

namespace update::image {
namespace {

// The progress of a work disk once hid that its bytes lie in one file: each file was then copied by
// itself, half as fast, and the last block of each was shared with nobody.
TEST(WatchedContents, AnImageIsStillOneFile) {
  FakeFileSystem files;
  files.put_file("/images/seed", "x", 0644);
  const auto folder = files.open_folder("/images").value();
  const auto image = folder->open_file("seed").value();
  ImageContents inner(*image);
  const CopyObserver observer;
  WatchedContents watched(inner, observer, 10);
  EXPECT_EQ(watched.whole(), image.get());
}

TEST(WatchedContents, TellsWhatWasCopiedAndNeverMoreThanAll) {
  FakeFileSystem files;
  files.put_file("/images/seed", "x", 0644);
  const auto folder = files.open_folder("/images").value();
  const auto image = folder->open_file("seed").value();
  ImageContents inner(*image);
  std::vector<std::uint64_t> told;
  const CopyObserver observer = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 10U);
    told.push_back(done);
  };
  WatchedContents watched(inner, observer, 10);
  watched.copied(7);
  watched.copied(7);
  EXPECT_EQ(told, (std::vector<std::uint64_t>{7, 10}));
}

}  // namespace
}  // namespace update::image
