#include "engine/os/clock_linux.hpp"

#include <poll.h>

#include <algorithm>
#include <ctime>

namespace update::os {

namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;
constexpr std::int64_t kLongestWaitMs = std::int64_t{1} << 40;  // 34 years; keeps sums below 2^63

std::int64_t now_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * kNsPerSecond + now.tv_nsec;
}

}  // namespace

std::int64_t LinuxClock::wall_us() {
  return now_ns(CLOCK_REALTIME) / 1000;
}

std::int64_t LinuxClock::monotonic_ms() {
  return now_ns(CLOCK_BOOTTIME) / kNsPerMs;
}

bool LinuxClock::wait_ms(std::int64_t duration_ms) {
  const std::int64_t end =
      now_ns(CLOCK_BOOTTIME) + std::clamp<std::int64_t>(duration_ms, 0, kLongestWaitMs) * kNsPerMs;
  for (;;) {
    if (stop_ != nullptr && stop_->pending() != StopRequest::Signal::none) return false;
    const std::int64_t left = end - now_ns(CLOCK_BOOTTIME);
    if (left <= 0) return true;
    const timespec timeout{.tv_sec = left / kNsPerSecond, .tv_nsec = left % kNsPerSecond};
    pollfd waiting{.fd = stop_ == nullptr ? -1 : stop_->poll_fd(), .events = POLLIN, .revents = 0};
    ::ppoll(&waiting, 1, &timeout, nullptr);
  }
}

}  // namespace update::os
