#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/phase.hpp"
#include "engine/installation/configuration.hpp"
#include "engine/transaction/disk.hpp"
#include "engine/transaction/plan.hpp"

// What recovery decides, as a pure function of what the journal and the disk say (transaction.md,
// "What recovery decides"). It reads nothing and changes nothing, so each row of the table is one
// line of a test.
namespace update {

struct Situation {
  Phase phase = Phase::stage;
  TransactionKind kind = TransactionKind::apply;
  std::vector<Observation> files;
  RecoveryPolicy policy = RecoveryPolicy::automatic;
  bool policy_from_command_line = false;
  bool at_boot = false;             ///< recover --boot: no service is up yet
  bool waits_in_this_boot = false;  ///< a recover --boot of this very boot left it for the doctor
  bool found_well = false;          ///< a verdict (passed or skipped) is recorded already
  bool discarding = false;          ///< rolling back without having changed a destination
  bool reconstructed = false;       ///< the journal was lost: nobody knows whether new code has run
  std::int64_t resumptions = 0;     ///< counted before this one
  std::int64_t resumptions_after_new_code = 0;
  std::int64_t without_progress =
      0;  ///< of the last resumptions, how many found phase and files as they are now
};

enum class Action : std::uint8_t {
  wait,            ///< nothing now: the services are not up
  discard,         ///< nothing was changed: our own names go
  replay_swap,     ///< finish the swap, then go on as `apply` does
  put_back,        ///< the old bytes, then the services
  stay_old,        ///< no file is moved, whatever it is that runs: the services, then rolled_back
  replay_restart,  ///< go on with restart and doctor, once
  verify,          ///< run the doctor on what waits
  finish_rollback,
  finish_discard,
  conclude_old,  ///< needs_operator, but all destinations are old: rolled_back
  conclude_new,  ///< needs_operator, but all are new and were found well: committed
  ask_operator,
};

/// What `status` calls it: nothing, discard, replay, rollback, verify, needs_operator.
std::string_view name_of(Action action);

struct Decision {
  Action action = Action::wait;
  std::string reason;  ///< why, for the history and the operator
};

Decision decide(const Situation& situation);

}  // namespace update
