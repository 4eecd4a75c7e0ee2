#include "tests/crash/sampling.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>

namespace update::crash {

bool full_sweep() {
  const char* mode = std::getenv("UPDATE_SWEEP");
  return mode != nullptr && std::string(mode) == "full";
}

std::uint64_t sweep_seed() {
  static const std::uint64_t seed = [] {
    const char* given = std::getenv("UPDATE_SWEEP_SEED");
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    const std::uint64_t chosen = given != nullptr ? std::strtoull(given, nullptr, 10)
                                                  : static_cast<std::uint64_t>(now) % 1'000'000;
    std::cout << "repeat with UPDATE_SWEEP_SEED=" << chosen << "\n";
    return chosen;
  }();
  return seed;
}

std::vector<std::size_t> chosen_points(std::size_t count, std::size_t stride) {
  std::vector<std::size_t> points;
  if (count == 0) return points;
  const std::size_t step = full_sweep() || stride == 0 ? 1 : stride;
  const std::size_t begin = step == 1 ? 0 : static_cast<std::size_t>(sweep_seed() % step) % count;
  for (std::size_t point = begin; point < count; point += step) points.push_back(point);
  return points;
}

void Tally::report() const {
  std::cout << sweep << ": " << recorded << " points, " << tried << " tried, " << reached
            << " reached, " << held << " within the invariants\n";
  EXPECT_GT(tried, 0U) << sweep << " tried nothing";
  EXPECT_GT(reached, 0U) << sweep << " reached nothing";
  EXPECT_EQ(held, tried) << sweep;
}

}  // namespace update::crash
