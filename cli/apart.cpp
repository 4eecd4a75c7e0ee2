#include "cli/apart.hpp"

#include <algorithm>

#include "cli/output.hpp"
#include "cli/update_result.hpp"
#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/journal_file.hpp"

namespace update::cli {
namespace {

// systemd-run says 1 itself, of a unit that goes on too.
constexpr int kFailedApart = 11;

/// A unit around this process.
struct Surrounding {
  std::string_view unit;
  bool restarted = false;  ///< by its name; another may be restarted with one (PartOf=, Requires=)
};

// systemd-logind(8) names the scopes of sessions so, and user@.service holds what a user's own
// systemd runs.
bool belongs_to_a_session(std::string_view part) {
  return (part.starts_with("session-") && part.ends_with(".scope")) ||
         (part.starts_with("user@") && part.ends_with(".service"));
}

/// The parts of a control group's path are the units around a process, from the outermost in.
std::optional<Surrounding> surrounding(std::string_view group,
                                       const std::vector<std::string>& restarted) {
  std::optional<Surrounding> found;
  while (!group.empty()) {
    const std::string_view part = group.substr(0, group.find('/'));
    group.remove_prefix(std::min(group.size(), part.size() + 1));
    if (std::find(restarted.begin(), restarted.end(), part) != restarted.end()) {
      return Surrounding{part, true};
    }
    if (belongs_to_a_session(part)) return Surrounding{part};
    if (!part.ends_with(".service")) continue;
    found = Surrounding{part};
    if (is_own_unit(part)) found.reset();
  }
  return found;
}

/// Only root may ask systemd for a unit, and only root may restart one.
bool may_move(const Context& context, const Environment& env) {
  os::System& system = context.system();
  return !context.invocation.apart && !env.offline() && system.host.uid() == 0 &&
         system.services.present();
}

using Newest = Result<std::optional<TransactionRecord>>;

Newest newest_transaction(const Environment& env) {
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  if (!readable) return std::nullopt;
  HistoryFilter filter;
  filter.limit = 1;
  UPDATE_TRY_ASSIGN(auto newest, readable->journal.list(filter));
  if (newest.empty()) return std::nullopt;
  return std::move(newest.front());
}

bool is_unfinished(const std::optional<TransactionRecord>& newest) {
  return newest && !is_final(newest->phase);
}

os::TransientUnit unit_for(const Context& context, const std::string& program) {
  os::System& system = context.system();
  os::TransientUnit unit;
  unit.name = apart_unit_name(system.host.pid(), system.host.random_u32());
  unit.description = "banger-update, apart from what it restarts";
  unit.argv = {program};
  const auto& words = context.invocation.words;
  unit.argv.insert(unit.argv.end(), words.begin(), words.end());
  unit.environment.emplace_back("BANGER_UPDATE_APART", "1");
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

/// The exit code that the command itself gave, if it did.
std::optional<int> own_code(std::optional<int> status) {
  if (status == kFailedApart) return exit_code(ErrorCode::failed);
  const bool is_own =
      status == 0 ||
      (status >= exit_code(ErrorCode::usage) && status <= exit_code(ErrorCode::unfinished)) ||
      status == exit_code(ErrorCode::interrupted) || status == exit_code(ErrorCode::terminated);
  return is_own ? status : std::nullopt;
}

Error goes_on(std::string message) {
  return Error(ErrorCode::unfinished, std::move(message))
      .hint("see how it ends with: banger-update status");
}

/// What is known of a unit before the journal is asked, where the command said nothing itself.
Error end_without_a_word(os::ServiceManager& services, const std::string& unit,
                         const Result<os::UnitEnd>& end) {
  if (!end) return goes_on(end.error().message());
  const auto state = services.state(unit);
  if (!state || state->active) return goes_on("it cannot be waited for any more, and goes on");
  if (end->interrupted) return Error(ErrorCode::interrupted, "it was interrupted");
  return Error(ErrorCode::failed, "it could not be started, or was killed");
}

/// The same error as what the journal says of the host; success: that update was committed.
Status outcome_of(const TransactionRecord& record, Error error) {
  switch (record.phase) {
    case Phase::committed: return {};
    case Phase::rolled_back: return fail(std::move(error).as(ErrorCode::undone));
    case Phase::needs_operator: return fail(std::move(error).as(ErrorCode::needs_operator));
    default: return fail(std::move(error).as(ErrorCode::unfinished));
  }
}

/// `before` is the newest transaction of before the unit.
UpdateReport report_of(const Environment& env, const Newest& before, Error error) {
  UpdateReport report;
  const Newest newest = newest_transaction(env);
  if (!newest) {
    report.status = fail(std::move(error).as(ErrorCode::unfinished));
    return report;
  }
  const bool is_new = *newest && before && (!*before || (*newest)->id > (*before)->id);
  if (is_new) {
    report.transaction = (*newest)->id;
    report.record = *newest;
  }
  report.status = is_new || is_unfinished(*newest) ? outcome_of(**newest, std::move(error))
                                                   : Status(fail(std::move(error)));
  return report;
}

/// Where the recovery is done, what is left of the command can be done here.
Result<std::optional<int>> rest_of_recovery(const Environment& env, Error error) {
  UPDATE_TRY_ASSIGN(const auto newest, newest_transaction(env));
  if (is_unfinished(newest)) return fail(outcome_of(*newest, std::move(error)).error());
  if (error.code() != ErrorCode::failed) return fail(std::move(error));
  return std::nullopt;
}

Result<std::optional<int>> run_in_unit(Context& context, const Environment& env, Work work,
                                       const Newest& before) {
  os::System& system = context.system();
  UPDATE_TRY_ASSIGN(const std::string program, os::own_program(system));
  const os::TransientUnit unit = unit_for(context, program);
  if (!context.global.quiet) {
    context.console().err("banger-update: moving to the unit " + unit.name +
                          ", which ends neither with this session nor with what is restarted\n");
  }
  auto end = system.services.run(unit);
  if (!end && end.error().code() != ErrorCode::unfinished) return fail(std::move(end).error());
  if (const auto code = end ? own_code(end->status) : std::nullopt) return code;
  Error error = end_without_a_word(system.services, unit.name, end).with("unit " + unit.name);
  if (work == Work::recovery) return rest_of_recovery(env, std::move(error));
  return tell_result(context, env, report_of(env, before, std::move(error)));
}

}  // namespace

int code_apart(int code) {
  return code == exit_code(ErrorCode::failed) ? kFailedApart : code;
}

Result<std::optional<int>> run_apart(Context& context, const Environment& env, Work work) {
  os::System& system = context.system();
  if (!may_move(context, env)) return std::nullopt;
  const std::string group = system.table.own_group();
  const auto around = surrounding(group, env.config.restart.units);
  if (!around) return std::nullopt;
  // What cannot be read may hold anything.
  const Newest before = newest_transaction(env);
  if (work == Work::recovery && before && !is_unfinished(*before)) return std::nullopt;
  const Status possible = system.services.check_run();
  if (possible) return run_in_unit(context, env, work, before);
  const std::string unit = escape(around->unit);
  if (around->restarted) return fail(Error(possible.error()).with("moving out of " + unit));
  context.log.warning("staying in " + unit +
                      ", whose end would be the update's too: " + possible.error().message());
  return std::nullopt;
}

}  // namespace update::cli
