#pragma once

#include <string>

#include "schema/journal.hpp"

namespace update::cli {

/// What an event's detail says to a person, escaped, a line each, without indentation: a note, a
/// command with its output, an error, a person's decision. Empty where it says nothing of interest.
std::string event_text(const Event& event);

/// What the plan in a transaction's first event says: notes, signature, baseline.
struct PlanSummary {
  std::string notes;
  std::string signed_by;
  std::string baseline;
};
PlanSummary plan_summary(const Event& event);

/// The message of a stored error object, escaped; its hint on a second line.
std::string stored_error_text(const std::string& error);

/// "alice (uid 0): banger-update apply …", escaped.
std::string actor_text(const std::string& actor);

}  // namespace update::cli
