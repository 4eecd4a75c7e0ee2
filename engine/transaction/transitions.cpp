#include "engine/transaction/transitions.hpp"

#include <algorithm>

namespace update {
namespace {

// THE table. schema/migrations holds the same pairs as rows, engine/README.md the same as a
// picture; tests compare all three.
// clang-format off
constexpr std::array kTransitions = {
    //         from                    to                     cause
    Transition{std::nullopt,           Phase::stage,          Cause::success},

    Transition{Phase::stage,           Phase::backup,         Cause::success},
    Transition{Phase::backup,          Phase::swap,           Cause::success},
    Transition{Phase::swap,            Phase::restart,        Cause::success},
    Transition{Phase::swap,            Phase::doctor,         Cause::success},  // nothing to restart
    Transition{Phase::swap,            Phase::doctor,         Cause::resume},   // recover --boot: the boot is the restart
    Transition{Phase::swap,            Phase::committed,      Cause::success},  // neither restart nor doctor
    Transition{Phase::restart,         Phase::doctor,         Cause::success},
    Transition{Phase::restart,         Phase::committed,      Cause::success},  // no doctor
    Transition{Phase::doctor,          Phase::committed,      Cause::success},

    Transition{Phase::stage,           Phase::rollback,       Cause::failure},
    Transition{Phase::backup,          Phase::rollback,       Cause::failure},
    Transition{Phase::swap,            Phase::rollback,       Cause::failure},
    Transition{Phase::restart,         Phase::rollback,       Cause::failure},
    Transition{Phase::doctor,          Phase::rollback,       Cause::failure},
    Transition{Phase::stage,           Phase::rollback,       Cause::resume},
    Transition{Phase::backup,          Phase::rollback,       Cause::resume},
    Transition{Phase::swap,            Phase::rollback,       Cause::resume},
    Transition{Phase::restart,         Phase::rollback,       Cause::resume},
    Transition{Phase::doctor,          Phase::rollback,       Cause::resume},
    Transition{Phase::rollback,        Phase::rolled_back,    Cause::success},
    Transition{Phase::rollback,        Phase::rolled_back,    Cause::resume},

    // The files cannot be brought to one version without a guess, or the old version does not start.
    Transition{Phase::stage,           Phase::needs_operator, Cause::failure},
    Transition{Phase::backup,          Phase::needs_operator, Cause::failure},
    Transition{Phase::swap,            Phase::needs_operator, Cause::failure},
    Transition{Phase::restart,         Phase::needs_operator, Cause::failure},
    Transition{Phase::doctor,          Phase::needs_operator, Cause::failure},
    Transition{Phase::rollback,        Phase::needs_operator, Cause::failure},

    Transition{Phase::needs_operator,  Phase::committed,      Cause::person},
    Transition{Phase::needs_operator,  Phase::rolled_back,    Cause::person},
    Transition{Phase::needs_operator,  Phase::abandoned,      Cause::person},
    Transition{Phase::needs_operator,  Phase::committed,      Cause::resume},   // somebody mended the files
    Transition{Phase::needs_operator,  Phase::rolled_back,    Cause::resume},
};
// clang-format on

constexpr bool has(Phase from, Cause cause) {
  return std::any_of(kTransitions.begin(), kTransitions.end(),
                     [&](const Transition& row) { return row.from == from && row.cause == cause; });
}

constexpr bool every_unfinished_phase_can_succeed_fail_and_be_resumed() {
  return std::all_of(kAllPhases.begin(), kAllPhases.end(), [](Phase phase) {
    if (is_final(phase)) return true;
    if (phase == Phase::needs_operator) {
      return has(phase, Cause::person) && has(phase, Cause::resume);
    }
    return has(phase, Cause::success) && has(phase, Cause::failure) && has(phase, Cause::resume);
  });
}

// Recovery carries a backup phase on as a discard, so its resume row is the one to rollback; the
// same for stage.
static_assert(every_unfinished_phase_can_succeed_fail_and_be_resumed());

constexpr bool no_final_phase_is_left() {
  return std::none_of(kTransitions.begin(), kTransitions.end(),
                      [](const Transition& row) { return row.from && is_final(*row.from); });
}
static_assert(no_final_phase_is_left());

constexpr bool every_phase_is_reachable() {
  std::array<bool, kAllPhases.size()> reached{};
  for (std::size_t round = 0; round < kAllPhases.size(); ++round) {
    for (const Transition& row : kTransitions) {
      if (!row.from || reached[static_cast<std::size_t>(*row.from)]) {
        reached[static_cast<std::size_t>(row.to)] = true;
      }
    }
  }
  return std::all_of(reached.begin(), reached.end(), [](bool is_reached) { return is_reached; });
}
static_assert(every_phase_is_reachable());

}  // namespace

std::span<const Transition> transitions() {
  return kTransitions;
}

bool is_legal(std::optional<Phase> from, Phase to) {
  return std::any_of(kTransitions.begin(), kTransitions.end(),
                     [&](const Transition& row) { return row.from == from && row.to == to; });
}

}  // namespace update
