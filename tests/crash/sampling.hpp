#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace update::crash {

/// UPDATE_SWEEP=full: every point is tried, not a sample.
bool full_sweep();

/// What a sample depends on: UPDATE_SWEEP_SEED, else the clock. Printed once a process, so that a
/// run can be repeated.
std::uint64_t sweep_seed();

/// Which of `count` points a sweep tries: all in the full mode, else every `stride`-th from an
/// offset that the seed gives. Never none of some.
std::vector<std::size_t> chosen_points(std::size_t count, std::size_t stride);

/// What a sweep tried, for its last line and its verdict: a sweep that tries nothing proves
/// nothing.
struct Tally {
  std::string sweep;
  std::size_t recorded = 0;  ///< points that there are
  std::size_t tried = 0;
  std::size_t reached = 0;  ///< where the fault really happened
  std::size_t held = 0;     ///< within the invariants

  /// Prints one line, and fails the test if nothing was tried or not all that was tried held.
  void report() const;
};

}  // namespace update::crash
