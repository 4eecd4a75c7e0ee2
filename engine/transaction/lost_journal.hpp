#pragma once

#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/plan.hpp"
#include "schema/journal.hpp"

namespace update {

/// Sets a journal that is lost aside (never deletes it) and makes a new one that goes on from
/// head's sequence number. Its first event says what was lost. Where a valid intent speaks of a
/// transaction that head does not know as final, that transaction is made again under its id, up to
/// the intent to swap; without a valid intent, a backup that is neither its destination's inode nor
/// its bytes makes a transaction that needs a person. All of it is in the new journal before that
/// gets its name.
Status begin_after_lost_journal(const Environment& env, os::Folder& state);

/// The events that make the transaction of an intent again, marked `reconstructed`.
std::vector<NewEvent> reconstructed_events(const Environment& env, const Plan& plan);

}  // namespace update
