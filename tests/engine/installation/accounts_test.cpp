#include "engine/installation/accounts.hpp"

#include "tests/fake/fake_filesystem.hpp"

#include <gtest/gtest.h>

namespace update {
namespace {

class Accounts : public testing::Test {
 protected:
  Accounts() {
    disk_.put_file("/image/etc/passwd",
                   "# local users\n"
                   "#off:x:3:3::/:\n"
                   "\n"
                   "short\n"
                   "short:x\n"
                   ":x:7:7::/:\n"
                   "bad:x:seven:7::/:\n"
                   "minus:x:4294967295:7::/:\n"
                   "+::::::\n"
                   "root:x:0:0:root:/root:/bin/bash\n"
                   "alice:x:1001:1002:Alice:/home/alice:/bin/sh\n"
                   "alice:x:5:5::/:\n"
                   "007:x:8:8::/:\n"
                   "last:x:9");
    disk_.put_file("/image/etc/group", "root:x:0:\nstaff:x:50:alice,root\n");
  }

  FakeFileSystem disk_;
  InstallationRoot root_{disk_, "/image", 0};
};

TEST_F(Accounts, ANumberIsTakenAsItIs) {
  EXPECT_EQ(user_id(root_, "0").value(), 0U);
  EXPECT_EQ(group_id(root_, "4294967294").value(), 4294967294U);
  EXPECT_EQ(user_id(root_, "007").value(), 7U);
}

TEST_F(Accounts, ANameIsLookedUpInTheInstallationsOwnFiles) {
  EXPECT_EQ(user_id(root_, "root").value(), 0U);
  EXPECT_EQ(user_id(root_, "alice").value(), 1001U);
  EXPECT_EQ(user_id(root_, "last").value(), 9U);
  EXPECT_EQ(group_id(root_, "staff").value(), 50U);
}

TEST_F(Accounts, AnUnknownNameSaysWhereItWasLookedFor) {
  for (const std::string_view name :
       {"bob", "", "short", "bad", "minus", "+", "#off", "-1", "4294967295", "alice:x"}) {
    const auto id = user_id(root_, name);
    ASSERT_FALSE(id) << name;
    EXPECT_EQ(id.error().code(), ErrorCode::usage) << name;
    EXPECT_NE(id.error().message().find(" in /etc/passwd"), std::string::npos) << name;
  }
  const auto group = group_id(root_, "alice");
  ASSERT_FALSE(group);
  EXPECT_NE(group.error().message().find(" in /etc/group"), std::string::npos);
}

TEST_F(Accounts, ARootWithoutTheFileKnowsNoNames) {
  root_.folder = "/";
  const auto id = user_id(root_, "root");
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code(), ErrorCode::usage);
  EXPECT_EQ(user_id(root_, "12").value(), 12U);
  EXPECT_EQ(user_name(root_, 0), "");
}

TEST_F(Accounts, AFileThatOthersCanWriteIsNotBelieved) {
  disk_.put_file("/image/etc/passwd", "eve:x:0:0::/:\n", 0666);
  const auto id = user_id(root_, "eve");
  ASSERT_FALSE(id);
  EXPECT_EQ(id.error().code(), ErrorCode::not_trusted);
}

TEST_F(Accounts, AFileOfMoreThanAMebibyteIsRefused) {
  disk_.put_file("/image/etc/passwd", "a:x:1:1::/:\n" + std::string(1U << 20, '#'));
  EXPECT_FALSE(user_id(root_, "a"));
}

TEST_F(Accounts, ANumberIsNamed) {
  EXPECT_EQ(user_name(root_, 1001), "alice");
  EXPECT_EQ(user_name(root_, 0), "root");
  EXPECT_EQ(user_name(root_, 77), "");
}

}  // namespace
}  // namespace update
