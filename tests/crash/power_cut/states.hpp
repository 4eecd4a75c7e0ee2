#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "tests/crash/power_cut/disk_model.hpp"
#include "tests/crash/power_cut/recording.hpp"

namespace update::crash {

/// How far the program had come when the power was cut, as far as promises depend on it.
enum class Reached : std::uint8_t {
  begin,
  swap,     ///< a destination was renamed: the intent is written
  restart,  ///< new code was started, and nobody has judged it yet
  doctor,
  report,  ///< the program has said how it ended
};

/// What is gone on top of what a power cut may take: each of the two records of an intent has to be
/// enough by itself.
enum class AlsoLost : std::uint8_t { nothing, journal, intent };

/// One state that a disk may be in after a power cut.
struct CutState {
  std::vector<Fate> fates;  ///< one for each operation that was issued
  Reached reached = Reached::begin;
  std::uint64_t print = 0;  ///< alike: the same disk, of which the same was promised
};

struct Enumeration {
  Model model = Model::posix;
  bool pairs = false;  ///< each two operations lost as well
  /// Two logs of SQLite's are one where the part is that it reads. Else they are compared by byte.
  bool by_committed_log = true;
  AlsoLost also_lost = AlsoLost::nothing;
};

/// The states that differ, each once, in the order of the moments; none whose print is among
/// `known`.
std::vector<CutState> distinct_states(const Recording& recording, const Enumeration& enumeration,
                                      const std::unordered_set<std::uint64_t>& known = {});

std::unordered_set<std::uint64_t> prints(const std::vector<CutState>& states);

/// Does it give a destination its new bytes?
bool is_swap(const Operation& operation);

/// The moment, and what of the operations was lost, torn or zeroed.
std::string describe(const Recording& recording, const CutState& state);

}  // namespace update::crash
