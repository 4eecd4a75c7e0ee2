#pragma once

#include <array>
#include <optional>
#include <span>

#include "engine/base/phase.hpp"

namespace update {

/// Why a transaction goes from one phase to the next.
enum class Cause : std::uint8_t {
  success,  ///< the phase did its work
  failure,  ///< it could not, or the release was found bad
  resume,   ///< recovery found it unfinished
  person,   ///< an operator decided
};

struct Transition {
  std::optional<Phase> from;  ///< none: the transaction begins
  Phase to;
  Cause cause;
};

/// All legal moves. A pair that is not here does not happen: the schema refuses it as well.
std::span<const Transition> transitions();

bool is_legal(std::optional<Phase> from, Phase to);

}  // namespace update
