#pragma once

#include <string>
#include <vector>

#include "tests/scenario/host.hpp"

namespace update::crash {

/// What is wrong, one sentence each; empty: nothing.
using Findings = std::vector<std::string>;

/// Invariant 1, at any moment: each destination is there and holds exactly the bytes of one of
/// `versions`. "absent" among them allows a destination that is not there (a first install).
Findings each_file_whole(const scenario::Host& host, const std::vector<std::string>& versions);

/// Runs `recover` and looks at everything that transaction.md promises once it has returned 0: one
/// version of `versions` everywhere, the journal says the same, nothing is left behind, the audit
/// chain is whole, a second `recover` has nothing to do.
Findings recover_and_check(scenario::Host& host, const std::vector<std::string>& versions);

/// recover_and_check without the `recover`: for a host that was recovered by other means.
Findings check_recovered(scenario::Host& host, const std::vector<std::string>& versions);

/// An update that is applied now succeeds: the host is of use again.
Findings check_usable(scenario::Host& host, const std::string& version);

/// Findings as the message of a test.
std::string to_message(const Findings& findings);

}  // namespace update::crash
