#pragma once

#include "engine/os/clock.hpp"
#include "engine/os/stop_linux.hpp"

namespace update::os {

class LinuxClock final : public Clock {
 public:
  /// `stop` cuts waits short; without one they last as long as they should.
  explicit LinuxClock(SignalStop* stop = nullptr) : stop_(stop) {}

  std::int64_t wall_us() override;
  /// Goes on while the machine sleeps (CLOCK_BOOTTIME).
  std::int64_t monotonic_ms() override;
  bool wait_ms(std::int64_t duration_ms) override;

 private:
  SignalStop* stop_;
};

}  // namespace update::os
