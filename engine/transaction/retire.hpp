#pragma once

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/session.hpp"

namespace update {

/// After a durable commit: the present `.previous` becomes a generation, the backup becomes
/// `.previous`, staged names and generations above the retention go. Each part can be repeated,
/// none belongs to the outcome: a failure is a warning, and the backup that is then left beside its
/// destination tells the next command to go on here.
void retire(Session& session, const Plan& plan, const TargetFolders& folders);

}  // namespace update
