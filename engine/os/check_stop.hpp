#pragma once

#include "engine/base/result.hpp"
#include "engine/os/host.hpp"

namespace update::os {

/// SIGINT or SIGTERM has arrived: interrupted or terminated.
inline Status check_stop(StopRequest& stop) {
  switch (stop.pending()) {
    case StopRequest::Signal::none: return {};
    case StopRequest::Signal::interrupt: return fail(ErrorCode::interrupted, "interrupted");
    case StopRequest::Signal::terminate: return fail(ErrorCode::terminated, "terminated");
  }
  return {};
}

}  // namespace update::os
