#include "engine/base/error.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <set>
#include <utility>

#include "engine/base/result.hpp"

namespace update {
namespace {

TEST(Error, NamesOutermostContextFirst) {
  const Error error =
      Error(ErrorCode::failed, "no such file").with("writing b").with("staging /usr/local/bin/b");
  EXPECT_EQ(error.message(), "staging /usr/local/bin/b: writing b: no such file");
}

TEST(Error, KeepsTheInnermostHint) {
  const Error error = Error(ErrorCode::failed, "x").hint("the near one").hint("the far one");
  EXPECT_EQ(error.hint(), "the near one");
}

TEST(Error, ChangesItsKindAndNothingElse) {
  const Error error =
      Error::from_errno(EIO, "reading b").with("staging").hint("help").as(ErrorCode::undone);
  EXPECT_EQ(error.code(), ErrorCode::undone);
  EXPECT_EQ(error.message(), "staging: reading b: Input/output error");
  EXPECT_EQ(error.hint(), "help");
  EXPECT_EQ(error.system_errno(), EIO);
}

TEST(Error, TellsExhaustedResourcesFromOtherFailures) {
  for (const int number : {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM}) {
    EXPECT_EQ(Error::from_errno(number, "x").code(), ErrorCode::no_space) << number;
  }
  for (const int number : {EIO, EROFS, EACCES, ENOENT, EFBIG}) {
    EXPECT_EQ(Error::from_errno(number, "x").code(), ErrorCode::failed) << number;
  }
}

TEST(Error, HasNoErrnoUnlessTheSystemGaveOne) {
  EXPECT_EQ(Error(ErrorCode::failed, "x").system_errno(), 0);
  EXPECT_EQ(Error::from_errno(ENOSPC, "x").system_errno(), ENOSPC);
}

// The names and numbers are a contract (cli.md): scripts read the first, the second is never
// reused.
TEST(Error, CodesAreFrozen) {
  constexpr auto kContract = std::to_array<std::pair<int, std::string_view>>({
      {1, "failed"},
      {2, "usage"},
      {3, "rolled_back"},
      {4, "needs_operator"},
      {5, "busy"},
      {6, "refused"},
      {7, "not_trusted"},
      {8, "no_space"},
      {9, "not_found"},
      {10, "unfinished"},
      {11, "interrupted"},
      {12, "terminated"},
      {13, "journal_damaged"},
      {14, "commit_unknown"},
      {15, "newer_journal"},
  });
  std::set<std::string_view> names;
  for (const auto& [number, name] : kContract) {
    EXPECT_EQ(name_of(static_cast<ErrorCode>(number)), name);
    names.insert(name);
  }
  EXPECT_EQ(names.size(), kContract.size());
}

Result<int> half(int number) {
  if (number % 2 != 0) return fail(ErrorCode::usage, "odd");
  return number / 2;
}

Result<int> quarter(int number) {
  UPDATE_TRY_ASSIGN(const int first, half(number));
  UPDATE_TRY_ASSIGN(const int second, half(first));
  return second;
}

Status even(int number) {
  UPDATE_TRY(half(number));
  return {};
}

TEST(Result, TryLeavesWithTheErrorAndGoesOnWithTheValue) {
  EXPECT_EQ(quarter(12).value(), 3);
  ASSERT_FALSE(quarter(6));
  EXPECT_EQ(quarter(6).error().message(), "odd");
  EXPECT_EQ(quarter(6).error().code(), ErrorCode::usage);
  EXPECT_TRUE(even(2));
  EXPECT_FALSE(even(3));
}

}  // namespace
}  // namespace update
