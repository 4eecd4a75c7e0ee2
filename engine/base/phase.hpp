#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace update {

/// Where a transaction stands. Stored as text in the journal, so a name is never changed or reused.
enum class Phase : std::uint8_t {
  stage,
  backup,
  swap,
  restart,
  doctor,
  committed,
  rollback,
  rolled_back,
  needs_operator,
  abandoned,
};

inline constexpr std::array kAllPhases = {
    Phase::stage,     Phase::backup,   Phase::swap,        Phase::restart,        Phase::doctor,
    Phase::committed, Phase::rollback, Phase::rolled_back, Phase::needs_operator, Phase::abandoned};

constexpr std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::stage: return "stage";
    case Phase::backup: return "backup";
    case Phase::swap: return "swap";
    case Phase::restart: return "restart";
    case Phase::doctor: return "doctor";
    case Phase::committed: return "committed";
    case Phase::rollback: return "rollback";
    case Phase::rolled_back: return "rolled_back";
    case Phase::needs_operator: return "needs_operator";
    case Phase::abandoned: return "abandoned";
  }
  return "";
}

constexpr std::optional<Phase> phase_of(std::string_view name) {
  for (const Phase phase : kAllPhases) {
    if (name_of(phase) == name) return phase;
  }
  return std::nullopt;
}

/// Final phases are never left again.
constexpr bool is_final(Phase phase) {
  return phase == Phase::committed || phase == Phase::rolled_back || phase == Phase::abandoned;
}

}  // namespace update
