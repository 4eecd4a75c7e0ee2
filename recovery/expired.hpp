#pragma once

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"
#include "engine/transaction/environment.hpp"

namespace update {

/// Ends the process that had to end update `id`, if its time is over and it is that very one (pid,
/// start time, boot): the one exception to invariant 6. Nothing is changed but that. False: the
/// update is finished, or was never begun. refused: its time is not over. Where the journal is
/// damaged nobody is ended. No lock is taken or needed.
Result<bool> end_expired(const Environment& env, TransactionId id);

}  // namespace update
