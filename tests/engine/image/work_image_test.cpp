// The rules by which work seeds are named and measured, and where an image's identity comes from.

#include "engine/image/work_image.hpp"

#include <gtest/gtest.h>

#include "tests/fake/fake_system.hpp"

namespace update::image {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;

TEST(WorkSeedPath, FollowsTheNameOfTheRootfs) {
  EXPECT_EQ(work_seed_path("/var/x.ext4"), "/var/x.work-seed.ext4");
  EXPECT_EQ(work_seed_path("rootfs"), "rootfs.work-seed");
  EXPECT_EQ(work_seed_path("rootfs.img"), "rootfs.img.work-seed");
  EXPECT_EQ(work_seed_path(" \t/a b.ext4\n"), "/a b.work-seed.ext4");
  EXPECT_EQ(work_seed_path(".ext4"), ".work-seed.ext4");
  EXPECT_EQ(work_seed_path(""), "");
  EXPECT_EQ(work_seed_path(" \r\n"), "");
}

TEST(WorkSeedSize, IsTwiceWhatIsUsedAndMoreInStepsOf64MiB) {
  EXPECT_EQ(work_seed_size(0).value(), 512 * kMiB);
  EXPECT_EQ(work_seed_size(128 * kMiB).value(), 512 * kMiB);
  EXPECT_EQ(work_seed_size(128 * kMiB + 1).value(), 576 * kMiB);
  EXPECT_EQ(work_seed_size(160 * kMiB).value(), 576 * kMiB);
  EXPECT_EQ(work_seed_size(1024 * kMiB).value(), 2304 * kMiB);
}

TEST(WorkSeedSize, BeyondWhatAFileCanHaveIsAnErrorAndDoesNotWrapAround) {
  for (const std::uint64_t used : {std::uint64_t{1} << 62, std::uint64_t{1} << 63, UINT64_MAX}) {
    const auto size = work_seed_size(used);
    ASSERT_FALSE(size) << used;
    EXPECT_EQ(size.error().code(), ErrorCode::no_space);
  }
}

Tree one_file() {
  Tree tree;
  tree.entries.resize(2);
  tree.entries[0].type = EntryType::folder;
  tree.entries[1].parent = 0;
  tree.entries[1].name = tree.keep("a");
  tree.entries[1].size = 4096;
  tree.entries[1].extents = 1;
  tree.extents.push_back({0, 8192, 4096});
  return tree;
}

bool is_random_uuid(const IdentityBytes& bytes) {
  return (bytes[6] & 0xF0) == 0x40 && (bytes[8] & 0xC0) == 0x80;
}

TEST(ImageIdentity, IsRandomAndOfNow) {
  FakeSystem fake;
  const Identity first = make_identity(fake.system, {}, one_file(), kMiB);
  const Identity second = make_identity(fake.system, {}, one_file(), kMiB);
  EXPECT_EQ(first.now_s, fake.clock.wall_us() / 1'000'000);
  EXPECT_NE(first.uuid, second.uuid);
  EXPECT_NE(first.hash_seed, second.hash_seed);
  EXPECT_NE(first.uuid, first.hash_seed);
  EXPECT_TRUE(is_random_uuid(first.uuid));
  EXPECT_TRUE(is_random_uuid(first.hash_seed));
}

TEST(ImageIdentity, OfAGivenTimeFollowsFromTheContents) {
  FakeSystem fake;
  IdentityRule rule;
  rule.epoch_s = 1'600'000'000;
  const Identity first = make_identity(fake.system, rule, one_file(), kMiB);
  Tree elsewhere = one_file();
  elsewhere.entries[1].inode = 77;
  elsewhere.extents[0].source = 0;
  const Identity again = make_identity(fake.system, rule, elsewhere, kMiB);
  EXPECT_EQ(first.now_s, 1'600'000'000);
  EXPECT_EQ(first.uuid, again.uuid);
  EXPECT_EQ(first.hash_seed, again.hash_seed);
  EXPECT_TRUE(is_random_uuid(first.uuid));
  EXPECT_NE(first.uuid, first.hash_seed);

  Tree other = one_file();
  other.entries[1].mode = 0600;
  EXPECT_NE(make_identity(fake.system, rule, other, kMiB).uuid, first.uuid);
  EXPECT_NE(make_identity(fake.system, rule, one_file(), 2 * kMiB).uuid, first.uuid);
  rule.epoch_s = 1'600'000'001;
  EXPECT_NE(make_identity(fake.system, rule, one_file(), kMiB).uuid, first.uuid);
}

TEST(ImageIdentity, ThatIsGivenIsTakenAsItIs) {
  FakeSystem fake;
  IdentityRule rule;
  rule.uuid = IdentityBytes{1, 2, 3};
  const Identity half = make_identity(fake.system, rule, one_file(), kMiB);
  EXPECT_EQ(half.uuid, *rule.uuid);
  EXPECT_TRUE(is_random_uuid(half.hash_seed));
  rule.hash_seed = IdentityBytes{4};
  EXPECT_EQ(make_identity(fake.system, rule, one_file(), kMiB).hash_seed, *rule.hash_seed);
}

TEST(MadeOf, CountsEntriesWithoutTheTopAndWhatWasSkipped) {
  Tree tree = one_file();
  tree.skip(Skipped::device, 3);
  const Made made = made_of(tree, kMiB);
  EXPECT_EQ(made.bytes, kMiB);
  EXPECT_EQ(made.entries, 1U);
  EXPECT_EQ(made.content_bytes, 4096U);
  EXPECT_EQ(made.skipped.skipped[static_cast<std::size_t>(Skipped::device)], 3U);
  EXPECT_EQ(made_of({}, kMiB).entries, 0U);
}

TEST(MadeInImage, CountsTheAttributesThatNoImageHolds) {
  Tree tree = one_file();
  for (const std::string name : {"user.kept", "strange.one", "strange.other"}) {
    tree.attributes.push_back({tree.keep(name), tree.keep("value")});
  }
  tree.entries.back().attributes = 3;
  const Made made = made_in_image(tree, kMiB);
  EXPECT_EQ(made.skipped.skipped[static_cast<std::size_t>(Skipped::attribute)], 2U);
}

}  // namespace
}  // namespace update::image
