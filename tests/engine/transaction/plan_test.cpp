#include "engine/transaction/plan.hpp"

#include <gtest/gtest.h>

#include "engine/base/json.hpp"

namespace update {
namespace {

Configuration configuration() {
  return *parse_configuration(
      "product = \"demo\"\n[[file]]\nname = \"alpha\"\ndestination = \"/opt/demo/alpha\"\n"
      "[[file]]\nname = \"beta\"\ndestination = \"/opt/demo/beta\"\n",
      "test");
}

FileState state(const std::string& bytes) {
  FileState made;
  made.sha256 = sha256_of(bytes);
  made.size = bytes.size();
  made.mode = 04755;
  made.uid = 3;
  made.gid = 4;
  made.attributes = {{"user.note", std::string("\0binary\xff", 8)}};
  made.identity = os::FileIdentity{1, 2, bytes.size(), -5};
  return made;
}

Plan plan() {
  Plan made;
  made.tag = {TransactionId{7}, 0xabcdef01};
  made.kind = TransactionKind::rollback;
  made.from_version = "1.1.0";
  made.target = TransactionId{3};
  made.doctor = false;
  made.backup_suffix = ".previous";
  made.notes = "two\nlines";
  made.baseline = BaselineResult{false, "exited with status 1"};
  made.units = {{"demo.service", true}, {"other.service", false}};
  const Configuration config = configuration();
  made.files = {{"alpha", config.files[0].destination, state("old"), state("newer"), false},
                {"beta", config.files[1].destination, std::nullopt, state("first"), false}};
  return made;
}

TEST(Plan, IsReadBackAsItWasWritten) {
  const std::string text = plan_to_text(plan());
  const auto read = plan_from_text(text, configuration());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(plan_to_text(*read), text);
  EXPECT_EQ(read->tag, plan().tag);
  EXPECT_EQ(read->files[0].old_state->attributes, plan().files[0].old_state->attributes);
  EXPECT_EQ(read->files[0].old_state->identity, plan().files[0].old_state->identity);
  EXPECT_EQ(read->files[1].change(), Change::install);
}

TEST(Plan, KeepsEveryByteOfAnAttributesName) {
  Plan written = plan();
  os::Attributes& attributes = written.files[0].old_state->attributes;
  attributes = {{"user.\xff", "one"},
                {"user.\xfe", "two"},
                {"user.\xef\xbf\xbd", "three"},
                {"user.g\xc3\xa4nse", "four"}};
  const auto read = plan_from_text(plan_to_text(written), configuration());
  ASSERT_TRUE(read) << read.error().message();
  EXPECT_EQ(read->files[0].old_state->attributes, attributes);
}

/// The plan's text with one change to its JSON.
template <class Edit>
Result<Plan> edited(Edit edit) {
  Json json = *parse_json(plan_to_text(plan()));
  edit(json);
  return plan_from_text(to_text(json), configuration());
}

TEST(Plan, IsBelievedOnlyAsThisProgramCouldHaveWrittenIt) {
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["staged"] = "../../etc/passwd"; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["backup"] = "alpha"; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["new"]["sha256"] = nullptr; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["new"]["sha256"] = "00"; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["old"]["mode"] = 0100000; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["old"]["size"] = -1; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0]["old"]["attributes"]["note"] = "00"; }));
  EXPECT_FALSE(edited([](Json& json) { json["files"][0].erase("name"); }));
  EXPECT_FALSE(edited([](Json& json) { json["kind"] = "sideways"; }));
  EXPECT_FALSE(edited([](Json& json) { json["id"] = 0; }));
  EXPECT_FALSE(edited([](Json& json) { json["random"] = 1LL << 40; }));
  EXPECT_FALSE(edited([](Json& json) { json["backup_suffix"] = "/../x"; }));
  EXPECT_FALSE(edited([](Json& json) { json["units"][0]["was_active"] = "yes"; }));
  EXPECT_FALSE(plan_from_text("", configuration()));
  EXPECT_FALSE(plan_from_text("[]", configuration()));
}

TEST(Plan, ChangesOnlyWhatIsConfigured) {
  const auto elsewhere = [](Json& json) { json["files"][1]["destination"] = "/etc/shadow"; };
  const auto refused = edited(elsewhere);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::needs_operator);
  // Looking back, it is left out instead.
  Json json = *parse_json(plan_to_text(plan()));
  elsewhere(json);
  const auto past = past_plan_from_text(to_text(json), configuration());
  ASSERT_TRUE(past);
  EXPECT_EQ(past->files.size(), 1U);
}

TEST(Plan, IdentitiesAreReadBack) {
  const os::FileIdentity identity{65024, 18446744073709551615U, 0, -1};
  EXPECT_EQ(identity_from_text(identity_to_text(identity)), identity);
  for (const char* bad : {"", "1:2:3", "1:2:3:4:5", "a:b:c:d", "1:2:3:4 ", ":::"}) {
    EXPECT_FALSE(identity_from_text(bad)) << bad;
  }
}

}  // namespace
}  // namespace update
