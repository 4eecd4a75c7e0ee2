#pragma once

#include <utility>

#include <tl/expected.hpp>

#include "engine/base/error.hpp"

namespace update {

/// What every function that can fail returns. No exception of ours crosses a folder.
template <class T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> fail(ErrorCode code, std::string message) {
  return tl::unexpected<Error>(Error(code, std::move(message)));
}

}  // namespace update

/// Leaves the calling function with the error of `expression`, if it has one.
#define UPDATE_TRY(expression)                                               \
  do {                                                                       \
    if (auto try_status = (expression); !try_status)                         \
      return tl::unexpected<::update::Error>(std::move(try_status).error()); \
  } while (false)

#define UPDATE_CONCAT_(a, b) a##b
#define UPDATE_CONCAT(a, b) UPDATE_CONCAT_(a, b)
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot stand in parentheses.
#define UPDATE_TRY_ASSIGN_(holder, declaration, expression)                       \
  auto holder = (expression);                                                     \
  if (!holder) return tl::unexpected<::update::Error>(std::move(holder).error()); \
  declaration = std::move(*holder)

/// Declares `declaration` with the value of `expression`, or leaves with its error.
#define UPDATE_TRY_ASSIGN(declaration, expression) \
  UPDATE_TRY_ASSIGN_(UPDATE_CONCAT(try_result_, __LINE__), declaration, expression)
// NOLINTEND(bugprone-macro-parentheses)
