#include "engine/image/watched_contents.hpp"

#include <gtest/gtest.h>

#include "tests/fake/fake_filesystem.hpp"

namespace update::image {
namespace {

class WatchedContentsTest : public testing::Test {
 protected:
  std::unique_ptr<os::File> seed() {
    files_.put_file("/images/seed", "x", 0644);
    return files_.open_folder("/images").value()->open_file("seed").value();
  }

  FakeFileSystem files_;
  std::unique_ptr<os::File> image_ = seed();
  ImageContents inner_{*image_};
};

// The progress of a work disk once hid that its bytes lie in one file: each file was then copied by
// itself, half as fast, and the last block of each was shared with nobody.
TEST_F(WatchedContentsTest, AnImageIsStillOneFile) {
  const CopyObserver observer;
  WatchedContents watched(inner_, observer, 10);
  EXPECT_EQ(watched.whole(), image_.get());
}

TEST_F(WatchedContentsTest, AnImageThatIsChangedMeanwhileIsNoted) {
  ImageContents seen(*image_, image_->info().value());
  const CopyObserver observer;
  WatchedContents watched(seen, observer, 10);
  EXPECT_TRUE(watched.close({}, 0));
  files_.overwrite("/images/seed", "y");
  const Status closed = watched.close({}, 0);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), ErrorCode::failed);
}

TEST_F(WatchedContentsTest, TellsWhatWasCopiedAndNeverMoreThanAll) {
  std::vector<std::uint64_t> told;
  const CopyObserver observer = [&](std::uint64_t done, std::uint64_t total) {
    EXPECT_EQ(total, 10U);
    told.push_back(done);
  };
  WatchedContents watched(inner_, observer, 10);
  watched.copied(7);
  watched.copied(7);
  EXPECT_EQ(told, (std::vector<std::uint64_t>{7, 10}));
}

}  // namespace
}  // namespace update::image
