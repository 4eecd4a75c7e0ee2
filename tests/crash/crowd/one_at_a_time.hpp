#pragma once

#include "tests/crash/host_invariants.hpp"

namespace update::crash {

/// Makes both hooks of the host look for another updater that works at the same moment. A hook of
/// an updater that was killed lives on, which is allowed: so what counts is two hooks at once whose
/// updaters both live, and a lock that names somebody else while the hook's own updater lives.
/// The doctor refuses `sick`.
void look_for_two_at_once(const scenario::Host& host, const std::string& sick);

/// What the hooks have seen.
Findings two_at_once(const scenario::Host& host);

/// The chain, too, would show it: once a later transaction has begun, no earlier one moves.
Findings out_of_turn(const scenario::Host& host);

}  // namespace update::crash
