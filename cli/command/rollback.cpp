#include <limits>

#include "cli/apart.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/update_result.hpp"
#include "recovery/update.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kRollbackOptions[] = {
    {"to", "ID"}, {"dry-run"}, {"no-restart"}, {"no-doctor"}, {"progress", "STYLE"}};

Result<int> run_rollback(Context& context) {
  UPDATE_TRY_ASSIGN(const auto target,
                    context.options.integer("to", 0, std::numeric_limits<std::int64_t>::max()));
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, progress));
  RollbackOptions options;
  if (target) options.target = TransactionId{*target};
  options.restart = !context.options.has("no-restart");
  options.doctor = !context.options.has("no-doctor");
  if (context.options.has("dry-run")) {
    UPDATE_TRY_ASSIGN(const PlannedUpdate planned, plan_rollback_only(env, options));
    tell_plan(context, env, planned);
    return 0;
  }
  UPDATE_TRY_ASSIGN(const auto code, run_apart(context, env, Work::update));
  if (code) return *code;
  const UpdateReport report = roll_back(env, options);
  progress.clear();
  return tell_result(context, env, report);
}

}  // namespace

const Command kRollback = {"rollback", "", kRollbackOptions, 0, 0, run_rollback};

}  // namespace update::cli
