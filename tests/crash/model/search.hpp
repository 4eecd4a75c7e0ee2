#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace update::crash {

/// From one phase to another, by their names; "none" before the first.
using Move = std::pair<std::string, std::string>;

/// What an exhaustive search of the model found.
struct Search {
  std::uint64_t states = 0;
  bool complete = false;  ///< every state, each kept whole, none too deep
  std::string violation;  ///< what was violated, as pan says it; empty: nothing
  std::set<Move> moves;   ///< that were taken
  std::string output;
};

/// `invariants`: assertions, and that nobody is left waiting. `endless`: a run that never ends.
enum class SearchFor : std::uint8_t { invariants, endless };

/// Runs spin, cc and pan on update.pml in a folder of its own. `definitions`: "CRASHES=3", for the
/// preprocessor.
Search search_model(const std::vector<std::string>& definitions,
                    SearchFor what = SearchFor::invariants);

/// One of the model's files.
std::string model_text(const std::string& name);

}  // namespace update::crash
