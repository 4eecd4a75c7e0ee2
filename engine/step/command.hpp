#pragma once

#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/process.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/plan.hpp"

namespace update::step {

/// Runs a configured command with the clean environment of cli.md. An error only if this process
/// was asked to stop; a command that could not be started is in the inner result.
Result<Result<os::ProcessResult>> run_configured(const Environment& env, const Plan& plan,
                                                 Phase phase, const std::vector<std::string>& argv,
                                                 std::int64_t timeout_ms);

/// "exited with status 3", with the last line that it printed, escaped.
std::string describe_failure(const Result<os::ProcessResult>& result);

}  // namespace update::step
