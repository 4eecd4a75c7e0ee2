#pragma once

#include "engine/base/result.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/session.hpp"

namespace update {

/// After a durable commit: the present `.previous` becomes a generation, the backup becomes
/// `.previous`, staged names and generations above the retention go. Each part can be repeated,
/// none belongs to the outcome: a failure is a warning, and the backup that is then left beside its
/// destination tells the next command to go on here.
enum class Retirement : std::uint8_t {
  first,      ///< right after the commit
  again,      ///< an earlier try was cut short, nobody knows where
  overtaken,  ///< the same, and a later update was committed since: `.previous` is that one's
};
void retire(Session& session, const Plan& plan, const TargetFolders& folders,
            Retirement retirement);

}  // namespace update
