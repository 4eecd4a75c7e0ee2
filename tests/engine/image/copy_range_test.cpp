#include "engine/image/file/copy_range.hpp"

#include "tests/fake/fake_filesystem.hpp"
#include "tests/fake/fake_system.hpp"
#include "tests/fake/fake_test.hpp"

namespace update {
namespace {

using Verb = FakeCall::Verb;

class CopyOfARange : public FakeFileSystemTest {
 protected:
  CopyOfARange() {
    for (std::size_t at = 0; bytes.size() < 3'000'000; ++at) bytes += std::to_string(at);
    bytes.resize(3'000'000);
    fs.put_file("/d/source", bytes);
    source = d->open_file("source").value();
    target = d->create_file("target", 0600).value();
  }
  std::string copied() { return fs.read("/d/target").value(); }

  std::string bytes;
  std::unique_ptr<os::File> source;
  std::unique_ptr<os::File> target;
  RangeCopier copier;
};

TEST_F(CopyOfARange, SharesWholeBlocksAndCopiesWhatIsLeft) {
  fs.device("/d").clones = true;
  ASSERT_TRUE(copier.copy(*source, 4096, *target, 8192, 10'000));
  EXPECT_EQ(copied(), std::string(8192, '\0') + bytes.substr(4096, 10'000));
  EXPECT_EQ(fs.count(Verb::clone), 1U);
  EXPECT_EQ(fs.count(Verb::copy), 1U);
  EXPECT_EQ(fs.calls().back().detail, "1808 bytes at 16384");
}

TEST_F(CopyOfARange, CopiesInTheKernelWhatLiesAcrossBlocks) {
  fs.device("/d").clones = true;
  fs.device("/d").copy_chunk = 4000;
  ASSERT_TRUE(copier.copy(*source, 10, *target, 20, 10'000));
  EXPECT_EQ(copied(), std::string(20, '\0') + bytes.substr(10, 10'000));
  EXPECT_EQ(fs.count(Verb::clone), 0U);
  EXPECT_EQ(fs.count(Verb::copy), 3U);
}

TEST_F(CopyOfARange, CopiesThroughMemoryWhereTheKernelCannot) {
  fs.device("/d").kernel_copies = false;
  ASSERT_TRUE(copier.copy(*source, 0, *target, 0, bytes.size()));
  EXPECT_EQ(copied(), bytes);
  EXPECT_EQ(fs.count(Verb::write), 3U);
}

TEST_F(CopyOfARange, RemembersWhatTheFileSystemsCannot) {
  fs.device("/d").kernel_copies = false;
  ASSERT_TRUE(copier.copy(*source, 0, *target, 0, 4096));
  fs.device("/d").kernel_copies = true;
  fs.device("/d").clones = true;
  ASSERT_TRUE(copier.copy(*source, 4096, *target, 4096, 4096));
  EXPECT_EQ(copied(), bytes.substr(0, 8192));
  EXPECT_EQ(fs.count(Verb::write), 2U);
}

TEST_F(CopyOfARange, AStopIsHeededBetweenTwoSteps) {
  for (const bool kernel_copies : {true, false}) {
    FakeStop stop;
    RangeCopier stopped(&stop);
    fs.device("/d").kernel_copies = kernel_copies;
    fs.device("/d").copy_chunk = 1'000'000;
    const std::uint64_t before = fs.call_count();
    fs.after_call(before + 1, [&] { stop.send(os::StopRequest::Signal::terminate); });
    const Status status = stopped.copy(*source, 0, *target, 0, bytes.size());
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::terminated);
    EXPECT_EQ(fs.call_count(), before + 1);
  }
}

TEST_F(CopyOfARange, NothingIsNothing) {
  fs.device("/d").clones = true;
  ASSERT_TRUE(copier.copy(*source, 0, *target, 0, 0));
  EXPECT_EQ(fs.read("/d/target"), "");
}

TEST_F(CopyOfARange, ASourceThatEndsTooSoonIsAnError) {
  for (const bool kernel_copies : {true, false}) {
    fs.device("/d").kernel_copies = kernel_copies;
    const Status status = RangeCopier().copy(*source, 2'999'000, *target, 0, 1001);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code(), ErrorCode::failed);
    EXPECT_NE(status.error().message().find("became shorter while it was read"), std::string::npos);
  }
}

}  // namespace
}  // namespace update
