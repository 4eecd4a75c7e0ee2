// The two small files beside the journal, and what a torn write leaves of them.
#include <gtest/gtest.h>

#include "engine/base/layout.hpp"
#include "engine/transaction/head.hpp"
#include "engine/transaction/intent.hpp"
#include "tests/fake/fake_filesystem.hpp"

namespace update {
namespace {

class SmallFiles : public testing::Test {
 protected:
  SmallFiles() {
    files.make_folder("/state", 0700);
    files.put_file("/state/intent", "", 0600);
    files.put_file("/state/head", "", 0600);
    folder = std::move(*files.open_folder("/state"));
  }

  FakeFileSystem files;
  std::unique_ptr<os::Folder> folder;
};

Head head_at(std::int64_t seq) {
  return {seq, sha256_of(std::to_string(seq)), TransactionId{seq / 10}, Phase::committed};
}

TEST_F(SmallFiles, AnIntentIsReadBackAndDurable) {
  ASSERT_TRUE(write_intent(*folder, "{\"the\":\"plan\"}"));
  EXPECT_EQ(*read_intent(*folder), "{\"the\":\"plan\"}");
  files.lose(LossPattern::keep_nothing());
  folder = std::move(*files.open_folder("/state"));
  EXPECT_EQ(*read_intent(*folder), "{\"the\":\"plan\"}");
}

TEST_F(SmallFiles, AShorterIntentOverALongerOneIsTheShorterOne) {
  ASSERT_TRUE(write_intent(*folder, std::string(5000, 'l')));
  ASSERT_TRUE(write_intent(*folder, "short"));
  EXPECT_EQ(*read_intent(*folder), "short");
}

TEST_F(SmallFiles, AnIntentThatIsNotWholeIsNone) {
  ASSERT_TRUE(write_intent(*folder, "a plan of some length"));
  const std::string whole = *files.read("/state/intent");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    files.overwrite("/state/intent", whole.substr(0, length));
    EXPECT_FALSE(*read_intent(*folder)) << length;
  }
  for (std::size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    files.overwrite("/state/intent", changed);
    EXPECT_FALSE(*read_intent(*folder)) << at;
  }
}

TEST_F(SmallFiles, AnEmptiedIntentIsNone) {
  ASSERT_TRUE(write_intent(*folder, "plan"));
  ASSERT_TRUE(clear_intent(*folder));
  EXPECT_FALSE(*read_intent(*folder));
  EXPECT_EQ(files.info("/state/intent")->identity.size, 0U);
}

TEST_F(SmallFiles, TheNewestHeadIsReadBack) {
  EXPECT_FALSE(*read_head(*folder));
  for (std::int64_t seq = 10; seq <= 60; seq += 10) {
    ASSERT_TRUE(write_head(*folder, head_at(seq)));
    const auto read = *read_head(*folder);
    ASSERT_TRUE(read);
    EXPECT_EQ(read->seq, seq);
    EXPECT_EQ(read->hash, head_at(seq).hash);
    EXPECT_EQ(read->last_final.value, seq / 10);
  }
}

TEST_F(SmallFiles, ATornHeadLeavesTheOneBefore) {
  ASSERT_TRUE(write_head(*folder, head_at(10)));
  const std::string before = *files.read("/state/head");
  ASSERT_TRUE(write_head(*folder, head_at(20)));
  const std::string after = *files.read("/state/head");
  for (std::size_t at = 0; at < after.size(); ++at) {
    if (at < before.size() && before[at] == after[at]) continue;
    // The write stopped here: what follows is as it was, or zeros where the file was shorter.
    std::string torn = after;
    for (std::size_t rest = at; rest < torn.size(); ++rest) {
      torn[rest] = rest < before.size() ? before[rest] : '\0';
    }
    files.overwrite("/state/head", torn);
    const auto read = *read_head(*folder);
    ASSERT_TRUE(read) << at;
    EXPECT_TRUE(read->seq == 10 || read->seq == 20) << at;
  }
}

TEST_F(SmallFiles, AHeadOfGarbageIsNone) {
  files.overwrite("/state/head", std::string(1024, 'x'));
  EXPECT_FALSE(*read_head(*folder));
  files.overwrite("/state/head", std::string(4096, 'x'));
  EXPECT_FALSE(*read_head(*folder));
}

}  // namespace
}  // namespace update
