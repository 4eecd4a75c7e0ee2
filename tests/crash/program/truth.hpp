#pragma once

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

}  // namespace update::crash
