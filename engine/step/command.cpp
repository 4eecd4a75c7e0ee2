#include "engine/step/command.hpp"

#include "engine/base/text.hpp"
#include "engine/step/step.hpp"

namespace update::step {
namespace {

constexpr std::size_t kShownBytes = 200;

/// The last line that says anything.
std::string last_line(std::string_view output) {
  const auto end = output.find_last_not_of("\r\n\t ");
  if (end == std::string_view::npos) return {};
  output = output.substr(0, end + 1);
  const auto begin = output.rfind('\n');
  std::string_view line = begin == std::string_view::npos ? output : output.substr(begin + 1);
  return escape(line.substr(0, kShownBytes));
}

}  // namespace

Result<Result<os::ProcessResult>> run_configured(const Environment& env, const Plan& plan,
                                                 Phase phase, const std::vector<std::string>& argv,
                                                 std::int64_t timeout_ms) {
  os::Command command;
  command.argv = argv;
  command.timeout_ms = timeout_ms;
  command.output_limit = kKeptOutputBytes;
  command.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
                         {"LANG", "C.UTF-8"},
                         {"BANGER_UPDATE_TRANSACTION", std::to_string(plan.tag.id.value)},
                         {"BANGER_UPDATE_PHASE", std::string(name_of(phase))},
                         {"BANGER_UPDATE_FROM", plan.from_version.value_or("")},
                         {"BANGER_UPDATE_TO", plan.to_version.value_or("")}};
  if (env.offline()) command.environment.emplace_back("BANGER_UPDATE_ROOT", env.root.folder);
  auto result = env.system.processes.run(command);
  // What kills a child may have been sent to this process as well.
  const bool ended = result && (result->end == os::ProcessEnd::stopped || result->killed());
  if (ended) UPDATE_TRY(check_stop(env));
  return result;
}

std::string describe_failure(const Result<os::ProcessResult>& result) {
  if (!result) return "could not be started: " + result.error().message();
  const std::string line = last_line(result->output);
  return os::describe(*result) + (line.empty() ? "" : ": " + line);
}

}  // namespace update::step
