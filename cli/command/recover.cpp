#include "recovery/recover.hpp"

#include <array>
#include <limits>

#include "cli/apart.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/json_transaction.hpp"
#include "cli/output.hpp"
#include "cli/transaction_view.hpp"

namespace update::cli {
namespace {

constexpr std::int64_t kIdMax = std::numeric_limits<std::int64_t>::max();

constexpr OptionSpec kRecoverOptions[] = {
    {"boot"},    {"policy", "POLICY"}, {"dry-run"},           {"force-rollback"}, {"force-commit"},
    {"abandon"}, {"reason", "TEXT"},   {"progress", "STYLE"}, {"expired", "ID"},
};

Result<std::optional<Force>> force_of(const Options& options) {
  std::optional<Force> force;
  int given = 0;
  constexpr std::array<std::pair<std::string_view, Force>, 3> kForces = {
      {{"force-rollback", Force::rollback},
       {"force-commit", Force::commit},
       {"abandon", Force::abandon}}};
  for (const auto& [name, value] : kForces) {
    if (!options.has(name)) continue;
    force = value;
    ++given;
  }
  if (given > 1) {
    return fail(ErrorCode::usage, "only one of --force-rollback, --force-commit and --abandon");
  }
  const bool has_reason = !options.value("reason").value_or("").empty();
  if (force && !has_reason) {
    return fail(Error(ErrorCode::usage, "a forced end needs a reason, which goes into the history")
                    .hint("--reason \"what was found, and why this is right\""));
  }
  if (!force && options.has("reason")) {
    return fail(ErrorCode::usage,
                "--reason goes with --force-rollback, --force-commit or --abandon");
  }
  if (force && options.has("boot")) {
    return fail(ErrorCode::usage,
                "--boot cannot force an end: a person does, once services are up");
  }
  return force;
}

Result<RecoverRequest> request_of(const Options& options) {
  constexpr std::array<std::string_view, 3> kPolicies = {"auto", "rollback", "replay"};
  RecoverRequest request;
  request.boot = options.has("boot");
  UPDATE_TRY_ASSIGN(request.force, force_of(options));
  request.reason = options.value("reason").value_or("");
  UPDATE_TRY_ASSIGN(const auto expired, options.integer("expired", 1, kIdMax));
  if (expired) request.expired = TransactionId{*expired};
  if (request.expired && (request.boot || request.force)) {
    return fail(ErrorCode::usage, "--expired ends an update that runs: it goes with no other end");
  }
  UPDATE_TRY_ASSIGN(const auto policy, options.word("policy", kPolicies));
  if (policy) request.policy = recovery_policy_of(*policy);
  return request;
}

Result<int> tell_what_it_would_do(const Context& context, const Environment& env,
                                  const RecoverRequest& request) {
  std::string would = "nothing";
  UPDATE_TRY_ASSIGN(auto readable, open_believable_journal(env));
  if (readable) {
    UPDATE_TRY_ASSIGN(would, recover_would(env, readable->journal, request));
  }
  print_document(context, recover_would_document(would));
  say(context, "recover would do: " + would + "\n");
  return 0;
}

std::string outcome_text(const TransactionRecord& record) {
  const std::string update = "update " + std::to_string(record.id.value);
  switch (record.phase) {
    case Phase::committed:
      return update + " was finished: " + version_text(record.to_version) + " is installed\n";
    case Phase::rolled_back:
      return update + " was undone: " + version_text(record.from_version) +
             " is what this host runs\n";
    case Phase::abandoned:
      return update + " was abandoned; which version is installed is unknown now\n";
    default:
      return update + " waits for the services, in phase " + std::string(name_of(record.phase)) +
             "; once they run: banger-update recover\n";
  }
}

int tell_failure(const Context& context, const Environment& env, const Error& error) {
  const int code = exit_code(error.code());
  print_error(context, error);
  if (code == 4 || code == 10) {
    if (auto view = load_unfinished(env); view && *view) {
      context.console().err(unfinished_text(**view));
      print_document(context, recovered_document(&**view, &error));
      return code;
    }
  }
  print_document(context, error_document(error));
  return code;
}

Result<int> run_recover(Context& context) {
  UPDATE_TRY_ASSIGN(const RecoverRequest request, request_of(context.options));
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, progress));
  if (context.options.has("dry-run")) return tell_what_it_would_do(context, env, request);
  // At boot no unit is touched, and the timer of an update has a unit of its own.
  if (!request.boot && !request.expired) {
    const auto code = run_apart(context, env, Work::recovery);
    if (!code) return tell_failure(context, env, code.error());
    if (*code) return **code;
  }
  const auto report = recover(env, request);
  progress.clear();
  if (!report) return tell_failure(context, env, report.error());
  if (report->orphans_removed > 0) {
    say(context, counted(report->orphans_removed, "left-over file") + " removed\n");
  }
  if (!report->recovered) {
    if (context.global.json) print_document(context, recovered_document(nullptr, nullptr));
    say(context, "nothing was unfinished\n");
    return 0;
  }
  const auto view = try_load(context, env, report->recovered);
  if (!view) {
    TransactionRecord record;
    record.id = *report->recovered;
    record.phase = report->ended;
    const TransactionView known{std::move(record), {}, {}};
    if (context.global.json) print_document(context, recovered_document(&known, nullptr));
    return 0;
  }
  if (context.global.json) print_document(context, recovered_document(&*view, nullptr));
  say(context, outcome_text(view->record));
  return 0;
}

}  // namespace

const Command kRecover = {"recover", "", kRecoverOptions, 0, 0, run_recover};

}  // namespace update::cli
