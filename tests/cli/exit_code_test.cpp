// The codes of cli.md: scripts rely on each number.

#include <gtest/gtest.h>

#include <utility>

#include "engine/base/error.hpp"

namespace update::cli {
namespace {

TEST(ExitCode, OfEachKindOfErrorIsThatOfTheContract) {
  const std::pair<ErrorCode, int> kContract[] = {{ErrorCode::failed, 1},
                                                 {ErrorCode::usage, 2},
                                                 {ErrorCode::undone, 3},
                                                 {ErrorCode::needs_operator, 4},
                                                 {ErrorCode::busy, 5},
                                                 {ErrorCode::refused, 6},
                                                 {ErrorCode::not_trusted, 7},
                                                 {ErrorCode::no_space, 8},
                                                 {ErrorCode::not_found, 9},
                                                 {ErrorCode::unfinished, 10},
                                                 {ErrorCode::interrupted, 130},
                                                 {ErrorCode::terminated, 143},
                                                 {ErrorCode::journal_damaged, 1},
                                                 {ErrorCode::commit_unknown, 10},
                                                 {ErrorCode::newer_journal, 1}};
  for (const auto& [error, code] : kContract) EXPECT_EQ(exit_code(error), code) << name_of(error);
}

}  // namespace
}  // namespace update::cli
