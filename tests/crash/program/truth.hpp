#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/program/cases.hpp"

namespace update::crash {

/// What each destination holds, by its path; a missing one is not in it.
std::map<std::string, std::string> destinations_now(const scenario::Host& host);

/// Whether the exit code of the command says what is true of the host (cli.md, "Exit codes").
/// `before` is what the destinations held when the command began.
Findings exit_code_is_true(const scenario::Host& host, const Case& one,
                           const scenario::Ended& ended,
                           const std::map<std::string, std::string>& before);

/// Limits on a resource, in bytes, from the least one up.
struct Limits {
  std::size_t least = 0;
  std::size_t step = 0;
  std::size_t count = 0;
};

/// Tries some `sample` of the limits, all in the full mode. `try_limit` says what was wrong within
/// a limit, and whether it was met.
void sweep_limits(const std::string& name, const Limits& limits, std::size_t sample,
                  const std::function<Findings(std::size_t limit, bool& met)>& try_limit);

}  // namespace update::crash
