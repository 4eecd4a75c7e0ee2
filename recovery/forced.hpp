#pragma once

#include "engine/base/result.hpp"
#include "engine/transaction/session.hpp"
#include "recovery/recover.hpp"
#include "recovery/situation.hpp"

namespace update {

/// Carries out what a person decided on a transaction in needs_operator, and records who and why.
/// Foreign bytes are first kept as a generation that only `prune` drops. not_found, before anything
/// is touched, if bytes that it needs are gone. Can be repeated after a crash: the transaction
/// stays in needs_operator until the outcome is durable.
Status carry_out_force(Session& session, Case& found, const RecoverRequest& request);

}  // namespace update
