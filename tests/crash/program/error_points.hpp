#pragma once

#include <string>
#include <vector>

#include "tests/scenario/trace.hpp"

namespace update::crash {

/// How long the fault lasts.
enum class Lasting {
  once,          ///< this one call
  for_its_name,  ///< this call and all later ones of its name
  for_all,       ///< from this call on, every call that can end so
};

/// One call of a recording, and the error that it ends with instead.
struct ErrorPoint {
  std::size_t call = 0;  // its index among the recorded ones
  std::string error;
  Lasting lasting = Lasting::once;
};

/// The errors that the call can end with, out of those that are swept (the ERRORS of its manual
/// page, and what Linux's file systems add to them). None for a call that is left out, see the
/// definition.
std::vector<std::string> errors_of(const scenario::Call& call);

/// Each call with each of its errors, however long it lasts.
std::vector<ErrorPoint> error_points(const std::vector<scenario::Call>& calls);

std::vector<scenario::Fault> faults_of(const ErrorPoint& point,
                                       const scenario::Recording& recording);

/// "renameat 3 ends with EIO, and so do all later calls".
std::string to_text(const ErrorPoint& point, const scenario::Recording& recording);

}  // namespace update::crash
