// One lucky sample proves nothing (F8): the doctor has to pass several times in a row and go on
// passing while the soak lasts.
#include <algorithm>

#include "engine/step/command.hpp"
#include "engine/step/step.hpp"
#include "engine/step/unit_watch.hpp"

namespace update::step {
namespace {

/// Between two attempts of a soak, whatever the configured interval: each is an event in the
/// journal.
constexpr std::int64_t kLeastSoakIntervalMs = 100;

struct Attempt {
  bool passed = false;
  bool started = false;
  std::string failure;
};

Result<Attempt> attempt(Context& context) {
  const DoctorConfiguration& config = context.env().config.doctor;
  UPDATE_TRY_ASSIGN(const auto result, run_configured(context.env(), context.plan, Phase::doctor,
                                                      config.command, config.timeout_ms));
  UPDATE_TRY(context.session.note(context.plan.tag.id, Phase::doctor,
                                  run_detail("attempt", config.command.front(), result),
                                  Durability::visible));
  Attempt made;
  made.passed = result && result->passed();
  made.started = result.has_value();
  if (!made.passed) made.failure = config.command.front() + " " + describe_failure(result);
  return made;
}

Error unhealthy(const std::string& what) {
  return Error(ErrorCode::undone, "the doctor says no: " + what);
}

Status pause(const Environment& env, std::int64_t least_ms) {
  if (env.system.clock.wait_ms(std::max(env.config.doctor.interval_ms, least_ms))) return {};
  return check_stop(env);
}

/// Up to `attempts` tries until the first pass: a service may need a moment to come up.
Status wait_for_first_pass(Context& context, const UnitWatch& watch) {
  const DoctorConfiguration& config = context.env().config.doctor;
  for (std::int64_t tried = 1;; ++tried) {
    UPDATE_TRY_ASSIGN(const Attempt made, attempt(context));
    UPDATE_TRY(watch.check());
    if (made.passed) return {};
    if (!made.started || tried >= config.attempts) return fail(unhealthy(made.failure));
    UPDATE_TRY(pause(context.env(), 0));
  }
}

bool excused(const Context& context) {
  return context.env().config.doctor.baseline == Baseline::excuse && context.plan.baseline &&
         !context.plan.baseline->passed;
}

Status judge(Context& context, const UnitWatch& watch) {
  const DoctorConfiguration& config = context.env().config.doctor;
  os::Clock& clock = context.env().system.clock;
  UPDATE_TRY(wait_for_first_pass(context, watch));
  const std::int64_t soaked_at_ms = clock.monotonic_ms() + config.soak_ms;
  for (std::int64_t passed = 1; passed < config.passes || clock.monotonic_ms() < soaked_at_ms;
       ++passed) {
    UPDATE_TRY(pause(context.env(), passed < config.passes ? 0 : kLeastSoakIntervalMs));
    UPDATE_TRY_ASSIGN(const Attempt made, attempt(context));
    UPDATE_TRY(watch.check());
    if (!made.passed) return fail(unhealthy("passed, then failed: " + made.failure));
  }
  return {};
}

}  // namespace

Result<Verdict> doctor(Context& context) {
  UPDATE_TRY_ASSIGN(const UnitWatch watch, UnitWatch::begin(context));
  Status judged = judge(context, watch);
  if (judged) return Verdict::passed;
  if (judged.error().code() != ErrorCode::undone || !excused(context)) {
    return fail(std::move(judged).error());
  }
  UPDATE_TRY(watch.check());  // of a unit nothing is excused
  context.env().observer.warning("the doctor fails as it did before the update: " +
                                 judged.error().message());
  UPDATE_TRY(context.session.note(context.plan.tag.id, Phase::doctor, note_detail("excused"),
                                  Durability::visible));
  return Verdict::skipped;
}

Status watch_units(Context& context) {
  const DoctorConfiguration& config = context.env().config.doctor;
  os::Clock& clock = context.env().system.clock;
  UPDATE_TRY_ASSIGN(const UnitWatch watch, UnitWatch::begin(context));
  const std::int64_t soaked_at_ms = clock.monotonic_ms() + config.soak_ms;
  while (clock.monotonic_ms() < soaked_at_ms) {
    const std::int64_t left_ms = soaked_at_ms - clock.monotonic_ms();
    if (!clock.wait_ms(std::clamp<std::int64_t>(config.interval_ms, 1, left_ms))) {
      UPDATE_TRY(check_stop(context.env()));
    }
    UPDATE_TRY(watch.check());
  }
  return {};
}

Result<BaselineResult> baseline(const Environment& env, const Plan& plan) {
  UPDATE_TRY_ASSIGN(const auto result,
                    run_configured(env, plan, Phase::stage, env.config.doctor.command,
                                   env.config.doctor.timeout_ms));
  if (result && result->passed()) return BaselineResult{true, "passed"};
  return BaselineResult{false, describe_failure(result)};
}

}  // namespace update::step
