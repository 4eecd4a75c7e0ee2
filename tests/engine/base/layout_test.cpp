#include "engine/base/layout.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

constexpr TransactionTag kTag{TransactionId{42}, 0x00c0ffee};

TEST(Layout, MakesTheNamesOfTheDesign) {
  EXPECT_EQ(staged_name("banger", kTag), ".banger.42-00c0ffee.staged");
  EXPECT_EQ(backup_name("banger", kTag), ".banger.42-00c0ffee.backup");
  EXPECT_EQ(helper_temporary_name("banger", 1), ".banger.0-00000001.tmp");
  EXPECT_EQ(previous_name("banger", ".previous"), "banger.previous");
}

TEST(Layout, KnowsItsOwnUnits) {
  for (const std::string& name : {expiry_unit_name(TransactionId{3}, 7), apart_unit_name(812, 99),
                                  std::string("banger-update-recover.service"),
                                  std::string("banger-update-verify.service")}) {
    EXPECT_TRUE(is_own_unit(name)) << name;
  }
  for (const char* name : {"", "bangerd.service", "banger-update.service", "banger-update-3.timer",
                           "x-banger-update-3.service"}) {
    EXPECT_FALSE(is_own_unit(name)) << name;
  }
}

TEST(Layout, RecognisesWhatItMakes) {
  for (const std::string name : {"banger", ".hidden", "a.b-c", "with space", "x.1-00000001"}) {
    const auto staged = parse_own_name(staged_name(name, kTag));
    ASSERT_TRUE(staged) << name;
    EXPECT_EQ(staged->kind, OwnNameKind::staged);
    EXPECT_EQ(staged->destination_name, name);
    EXPECT_EQ(staged->tag, kTag);
    const auto helper = parse_own_name(helper_temporary_name(name, 7));
    ASSERT_TRUE(helper) << name;
    EXPECT_EQ(helper->kind, OwnNameKind::helper);
  }
}

TEST(Layout, RecognisesNothingThatMerelyLooksAlike) {
  for (const char* name :
       {"", ".", "banger", "banger.42-00c0ffee.staged", ".banger.42-00c0ffe.staged",
        ".banger.42-00c0ffeee.staged", ".banger.42-00C0FFEE.staged", ".banger.042-00c0ffee.staged",
        ".banger.+42-00c0ffee.staged", ".banger.-42-00c0ffee.staged", ".banger.42-00c0ffee.stage",
        ".banger.42-00c0ffee.staged ", ".banger.42_00c0ffee.staged", ".42-00c0ffee.staged",
        ".banger.0-00c0ffee.staged", ".banger.42-00c0ffee.tmp",
        ".banger.99999999999999999999-0.tmp", ".banger.42-00c0ffee.backup~",
        "..42-00c0ffee.staged"}) {
    EXPECT_FALSE(parse_own_name(name)) << name;
  }
}

TEST(Layout, GenerationsAreNamedByDigest) {
  const Sha256Digest digest = sha256_of("bytes");
  EXPECT_EQ(generation_name(digest), digest.hex());
  EXPECT_EQ(parse_generation_name(digest.hex()), digest);
  EXPECT_FALSE(parse_generation_name(digest.hex() + ".tmp"));
  EXPECT_FALSE(parse_generation_name("lost+found"));
}

TEST(Layout, RefusesNamesThatWouldGrowTooLong) {
  EXPECT_TRUE(check_name_lengths(std::string(200, 'n'), ".previous"));
  const Status refused = check_name_lengths(std::string(230, 'n'), ".previous");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::usage);
  EXPECT_FALSE(check_name_lengths("n", std::string(255, 's')));
}

}  // namespace
}  // namespace update
