#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace update {

/// What a power cut does to one operation that was not synced. Only a write can be torn (its first
/// half arrives) or zeroed (its size arrives, its bytes do not: what it adds to the file is zeros,
/// and what was there stays); any other operation is then lost.
enum class Fate : std::uint8_t { kept, lost, torn, zeroed };
const char* name_of(Fate fate);

/// Which of the pending operations survive a power cut. Each is free of all others: the POSIX
/// model.
class LossPattern {
 public:
  static LossPattern keep_all();
  static LossPattern keep_nothing();
  /// All are kept, but the one at `index` (from 0, oldest first) meets `fate`.
  static LossPattern all_but(std::size_t index, Fate fate = Fate::lost);
  static LossPattern all_but_two(std::size_t first, std::size_t second);
  /// All are lost, but the one at `index` meets `fate`.
  static LossPattern only(std::size_t index, Fate fate = Fate::kept);
  /// Those from `count` on are lost: the cut of a file system that keeps the order.
  static LossPattern first(std::size_t count);
  static LossPattern random(std::uint64_t seed);
  /// One fate an operation; those past the end are lost.
  static LossPattern chosen(std::vector<Fate> fates);
  static LossPattern chosen(std::vector<Fate> fates, std::string name);

  Fate fate(std::size_t index) const { return fate_(index); }
  /// "all but 3 (torn)", for the message of a test that fails.
  const std::string& name() const { return name_; }

 private:
  LossPattern(std::string name, std::function<Fate(std::size_t)> fate)
      : name_(std::move(name)), fate_(std::move(fate)) {}

  std::string name_;
  std::function<Fate(std::size_t)> fate_;
};

/// What state enumeration tries for that many pending operations: nothing lost, all lost, each one
/// lost, torn, zeroed, each one alone kept, torn, zeroed, each prefix, and (quadratic in number)
/// each pair lost.
std::vector<LossPattern> every_pattern(std::size_t pending, bool pairs = false);

}  // namespace update
