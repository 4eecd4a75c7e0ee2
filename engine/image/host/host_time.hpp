#pragma once

#include "engine/image/tree.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

inline Time time_of(const os::FileTime& time) {
  return {.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}
inline os::FileTime file_time_of(const Time& time) {
  return {.seconds = time.seconds, .nanoseconds = time.nanoseconds};
}

}  // namespace update::image
