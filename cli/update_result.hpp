#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.hpp"
#include "engine/transaction/planner.hpp"
#include "recovery/update.hpp"

// What apply and rollback say at their end.
namespace update::cli {

/// Says what became of the host, in text or as JSON, and gives the exit code.
int tell_result(const Context& context, const Environment& env, const UpdateReport& report);

/// Says what would be done.
void tell_plan(const Context& context, const Environment& env, const PlannedUpdate& planned);

/// The plan for people.
std::string plan_text(const PlannedUpdate& planned, const Environment& env,
                      const std::vector<std::string>& packages, bool colours);

/// The bytes that are going to be written beside the destinations.
std::uint64_t bytes_to_stage(const Plan& plan);

}  // namespace update::cli
