#include "cli/apart.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/trust.hpp"
#include "cli/update_result.hpp"
#include "recovery/update.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kApplyOptions[] = {{"dry-run"},    {"allow-downgrade"}, {"reinstall"},
                                        {"no-restart"}, {"no-doctor"},       {"progress", "STYLE"}};

Result<int> run_apply(Context& context) {
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, progress));
  const bool dry_run = context.options.has("dry-run");
  if (!dry_run) {
    UPDATE_TRY_ASSIGN(const auto code, run_apart(context, env, Work::update));
    if (code) return *code;
  }
  UPDATE_TRY_ASSIGN(Release release,
                    open_trusted_release(env, context.options.arguments().front()));
  const ApplyOptions options{.allow_downgrade = context.options.has("allow-downgrade"),
                             .reinstall = context.options.has("reinstall"),
                             .restart = !context.options.has("no-restart"),
                             .doctor = !context.options.has("no-doctor")};
  if (dry_run) {
    UPDATE_TRY_ASSIGN(const PlannedUpdate planned, plan_apply_only(env, release, options));
    // The real one finds it while it stages.
    if (!planned.nothing_to_do) UPDATE_TRY(check_bytes(release));
    tell_plan(context, env, planned);
    return 0;
  }
  const UpdateReport report = apply_release(env, release, options);
  progress.clear();
  return tell_result(context, env, report);
}

}  // namespace

const Command kApply = {"apply", "RELEASE", kApplyOptions, 1, 1, run_apply};

}  // namespace update::cli
