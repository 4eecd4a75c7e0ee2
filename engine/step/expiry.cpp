// Whatever becomes of this process from its first restart on, the host is brought to one version:
// by a timer that knows which process has to do so and until when (transaction.md, "The lock").
#include "engine/base/layout.hpp"
#include "engine/step/step.hpp"

namespace update::step {
namespace {

bool has_expiry(const Context& context) {
  return context.plan.deadline_ms > 0 && !context.env().offline() &&
         context.env().system.services.present();
}

Result<os::TransientUnit> expiry_unit(const Context& context, std::uint32_t timer) {
  const Environment& env = context.env();
  auto program = os::own_program(env.system);
  if (!program) return fail(std::move(program).error().as(ErrorCode::undone));
  os::TransientUnit unit;
  unit.name = expiry_unit_name(context.plan.tag.id, timer);
  unit.description = "End of update " + std::to_string(context.plan.tag.id.value) +
                     ", which was not over in its time";
  unit.argv = {*program};
  if (env.configuration) {
    unit.argv.emplace_back("--config");
    unit.argv.push_back(*env.configuration);
  }
  unit.argv.insert(unit.argv.end(),
                   {"recover", "--expired", std::to_string(context.plan.tag.id.value)});
  return unit;
}

}  // namespace

Status arm_expiry(Context& context, Phase phase) {
  if (!has_expiry(context)) return {};
  const Environment& env = context.env();
  os::Host& host = env.system.host;
  const std::int64_t pid = host.pid();
  const ArmedProcess self{{pid, host.process_start(pid).value_or(0)},
                          host.boot_id(),
                          env.system.clock.monotonic_ms(),
                          host.random_u32()};
  UPDATE_TRY_ASSIGN(const os::TransientUnit unit, expiry_unit(context, self.timer));
  UPDATE_TRY(
      context.session.note(context.plan.tag.id, phase, armed_detail(self), Durability::visible));
  disarm_expiry(context);
  context.timer = self.timer;
  Status armed = env.system.services.arm(unit, context.plan.deadline_ms);
  if (armed) return {};
  UPDATE_TRY(check_stop(env));
  return fail(std::move(armed).error().as(ErrorCode::undone));
}

void disarm_expiry(const Context& context) {
  if (!context.timer || !has_expiry(context)) return;
  const std::string name = expiry_unit_name(context.plan.tag.id, *context.timer);
  Status disarmed = context.env().system.services.disarm(name);
  if (!disarmed) context.env().observer.warning(disarmed.error().message());
}

}  // namespace update::step
