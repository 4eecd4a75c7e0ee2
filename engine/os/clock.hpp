#pragma once

#include <cstdint>

namespace update::os {

inline constexpr std::int64_t kNsPerSecond = 1'000'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  /// The wall clock, microseconds since the epoch: for showing only, it may step (F16).
  virtual std::int64_t wall_us() = 0;
  /// Milliseconds since some moment of this boot, never backwards: for every duration.
  virtual std::int64_t monotonic_ms() = 0;
  /// Waits; returns early, with false, when a signal asks this process to stop.
  virtual bool wait_ms(std::int64_t duration_ms) = 0;
};

}  // namespace update::os
