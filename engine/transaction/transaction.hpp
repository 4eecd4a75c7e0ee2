#pragma once

#include <optional>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/step/step.hpp"

// Drives one update through its steps and records each phase before its effect. What is returned
// tells what became of the host:
//   success         committed
//   undone          it failed and was put back
//   interrupted, terminated   a signal ended it; nothing changed, or put back
//   needs_operator  recorded as such; a person has to decide
//   unfinished      an error stopped it midway; `recover` goes on
//   anything else   it ended before a destination was changed, and is recorded as rolled back
namespace update {

/// A new transaction, from its first event to its end.
Status run_transaction(step::Context& context,
                       const std::vector<std::optional<step::Source>>& sources);

// Where recovery takes a transaction up again; the phase is the one that the journal holds.
Status continue_from_swap(step::Context& context);
/// recover --boot: the swap is finished, and what needs services waits in `doctor` for a recover
/// after them.
Status continue_swap_at_boot(step::Context& context);
/// recover --boot, where new code had run: the files are new, and the rest waits in the same way.
Status wait_for_services(step::Context& context, Phase from);
Status continue_from_restart(step::Context& context);
Status continue_from_doctor(step::Context& context);
/// What recover --boot left waiting in `doctor`, once the services are up.
Status continue_after_boot(step::Context& context);

/// Gives the transaction up: the files go back, or a person is needed.
Status give_back(step::Context& context, Phase from, const Error& reason, step::Services services);
/// Records that a person is needed, and says so.
Status ask_operator(step::Context& context, Phase from, Error error,
                    std::optional<Verdict> verdict = {});
/// The commit, and the tidying after it.
Status finish(step::Context& context, Phase from, Verdict verdict);

}  // namespace update
