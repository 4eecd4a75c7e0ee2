#include "cli/apart.hpp"

#include <algorithm>

#include "cli/transaction_view.hpp"
#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

// systemd-logind(8) names the scopes of sessions so, and user@.service holds what a user's own
// systemd runs.
bool belongs_to_a_session(std::string_view part) {
  return (part.starts_with("session-") && part.ends_with(".scope")) ||
         (part.starts_with("user@") && part.ends_with(".service"));
}

/// The parts of a control group's path are the units around a process, from the outermost in.
bool is_inside_others(std::string_view group, const std::vector<std::string>& restarted) {
  while (!group.empty()) {
    const std::string_view part = group.substr(0, group.find('/'));
    group.remove_prefix(std::min(group.size(), part.size() + 1));
    if (belongs_to_a_session(part)) return true;
    if (std::find(restarted.begin(), restarted.end(), part) != restarted.end()) return true;
  }
  return false;
}

os::TransientUnit unit_for(const Context& context, const std::string& program) {
  os::System& system = context.system();
  os::TransientUnit unit;
  unit.name = apart_unit_name(system.host.pid(), system.host.random_u32());
  unit.description = "banger-update, apart from what it restarts";
  unit.argv = {program};
  const auto& words = context.invocation.words;
  unit.argv.insert(unit.argv.end(), words.begin(), words.end());
  if (context.invocation.configuration) {
    unit.environment.emplace_back("BANGER_UPDATE_CONFIG", *context.invocation.configuration);
  }
  if (context.invocation.plain_terminal) unit.environment.emplace_back("NO_COLOR", "1");
  // The unit is nobody's session: the audit is told whose it was.
  if (const auto login = system.host.login_uid()) {
    unit.environment.emplace_back("BANGER_UPDATE_LOGIN_UID", std::to_string(*login));
  }
  return unit;
}

/// 1 is also what systemd-run says of a unit that was killed, and then it may be untrue.
int true_code(const Environment& env, int code) {
  if (code != exit_code(ErrorCode::failed)) return code;
  const auto unfinished = load_unfinished(env);
  return unfinished && *unfinished ? exit_code(ErrorCode::unfinished) : code;
}

}  // namespace

bool ends_with_others(const Context& context, const Environment& env) {
  os::System& system = context.system();
  // Only root may ask systemd for a unit, and only root may restart one.
  if (env.offline() || system.host.uid() != 0 || !system.services.present()) return false;
  return is_inside_others(system.table.own_group(), env.config.restart.units);
}

Result<int> run_apart(Context& context, const Environment& env) {
  os::System& system = context.system();
  UPDATE_TRY_ASSIGN(const std::string program, os::own_program(system));
  const os::TransientUnit unit = unit_for(context, program);
  if (!context.global.quiet) {
    context.console().err("banger-update: moving to the unit " + unit.name +
                          ", which ends neither with this session nor with what is restarted\n");
  }
  auto code = system.services.run(unit);
  if (code) return true_code(env, *code);
  if (code.error().code() != ErrorCode::unfinished) return fail(std::move(code).error());
  return fail(std::move(code)
                  .error()
                  .with("unit " + unit.name)
                  .hint("see how it ends with: banger-update status"));
}

}  // namespace update::cli
