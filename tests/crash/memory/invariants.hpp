#pragma once

#include <string>
#include <vector>

#include "tests/crash/memory/story.hpp"

namespace update::crash {

using Findings = std::vector<std::string>;

/// At which moment a host is looked at.
enum class Look : std::uint8_t {
  stopped,    ///< at work or stopped anywhere
  recovered,  ///< `recover` has returned 0
};

/// The invariants of transaction.md on this host at this moment, each that is broken in one
/// sentence. The one place that knows them:
///
/// 1. at every moment each destination that existed holds exactly the old or the new bytes;
/// 3. at every moment the disk holds what the journal's phase allows: no file is new before the
///    intent to swap, all are new and durable once new code may run, and an outcome says what is
///    there;
/// 2, 4, 5, 7, 8. after `recover`: one version, the journal says the same as the disk, `.previous`
/// and
///    generations keep what they kept, nothing is left behind, the audit chain is whole.
///
/// `told`: what a command had said before, which must still be true.
Findings broken_invariants(World& world, const Story& story, Look look, Told told);

/// What must be true of a host that recovered without its journal: one version, or a person is
/// asked by naming files.
Findings broken_without_journal(World& world, const Story& story,
                                const Result<RecoverReport>& report, Told told);

/// Of a host that recovered: a second `recover` changes nothing, and the next update succeeds.
Findings of_no_use(World& world);

}  // namespace update::crash
