#pragma once

#include <gtest/gtest.h>

#include "engine/base/result.hpp"

namespace update::os {

/// The error of what was expected to fail; a test failure where it did not.
template <class T>
Error error_of(const Result<T>& result) {
  if (!result) return result.error();
  ADD_FAILURE() << "there was no error";
  return {ErrorCode::failed, ""};
}

}  // namespace update::os
