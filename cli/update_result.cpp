#include "cli/update_result.hpp"

#include "cli/json_documents.hpp"
#include "cli/json_transaction.hpp"
#include "cli/output.hpp"
#include "cli/transaction_view.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

// Where no transaction was begun, the one that stands in the way.
std::optional<TransactionView> transaction_of_failure(const Context& context,
                                                      const Environment& env,
                                                      const UpdateReport& report) {
  const auto id = report.transaction ? report.transaction : report.recovered;
  if (id) return try_load(context, env, id);
  auto unfinished = load_unfinished(env);
  return unfinished ? std::move(*unfinished) : std::nullopt;
}

std::size_t changed_files(const TransactionView& view) {
  std::size_t count = 0;
  for (const FileReport& file : view.files) count += file.state == "unchanged" ? 0U : 1U;
  return count;
}

std::string success_text(const TransactionView& view) {
  const TransactionRecord& record = view.record;
  const std::string verb = record.kind == "rollback" ? "went back to " : "installed ";
  std::string text = verb + version_text(record.to_version) + " (was " +
                     version_text(record.from_version) + "), update " +
                     std::to_string(record.id.value) + ", " + counted(changed_files(view), "file");
  if (const auto took_ms = duration_of(record)) text += ", " + duration_text(*took_ms);
  return text + "\n";
}

void say_recovered(const Context& context, const TransactionView& view) {
  say(context, "update " + std::to_string(view.record.id.value) + " was recovered first: " +
                   escape(view.record.outcome.value_or("unfinished")) + "\n");
}

std::optional<std::string> installed_version(const Environment& env) {
  auto readable = open_journal_for_reading(env);
  if (!readable || !*readable) return std::nullopt;
  auto version = (*readable)->journal.installed_version();
  return version ? std::move(*version) : std::nullopt;
}

int tell_success(const Context& context, const Environment& env, const UpdateReport& report) {
  const auto recovered = try_load(context, env, report.recovered);
  const TransactionView* earlier = recovered ? &*recovered : nullptr;
  if (earlier != nullptr) say_recovered(context, *earlier);
  if (!report.transaction) {
    const auto version = installed_version(env);
    print_document(context, already_installed_document(version, earlier));
    say(context, version_text(version) + " is already installed\n");
    return 0;
  }
  TransactionRecord known;
  known.id = *report.transaction;
  known.phase = Phase::committed;
  known.outcome = std::string(name_of(Phase::committed));
  const TransactionView view = load_or(context, env, report.record.value_or(std::move(known)));
  print_document(context, transaction_document(view, nullptr, earlier));
  say(context, success_text(view));
  return 0;
}

void explain_failure(const Context& context, const TransactionView& view) {
  const TransactionRecord& record = view.record;
  if (!is_final(record.phase)) {
    context.console().err(unfinished_text(view));
  } else if (record.phase == Phase::rolled_back) {
    context.console().err("update " + std::to_string(record.id.value) + " was undone: " +
                          version_text(record.from_version) + " is what this host runs\n");
  }
}

int tell_failure(const Context& context, const Environment& env, const UpdateReport& report) {
  const Error& error = report.status.error();
  const int code = exit_code(error.code());
  const bool is_transaction = code == 3 || code == 4 || code == 10;
  const auto recovered = try_load(context, env, report.recovered);
  const TransactionView* earlier = recovered ? &*recovered : nullptr;
  if (earlier != nullptr) say_recovered(context, *earlier);
  print_error(context, error);
  std::optional<TransactionView> view;
  if (is_transaction || report.transaction) view = transaction_of_failure(context, env, report);
  if (view) explain_failure(context, *view);
  if (view && is_transaction) {
    // Where none was begun, the earlier one is the document itself.
    if (!report.transaction) earlier = nullptr;
    print_document(context, transaction_document(*view, &error, earlier));
  } else {
    print_document(context, failure_document(error, report.transaction, earlier));
  }
  return code;
}

std::string units_text(const Plan& plan, const Environment& env) {
  if (!plan.restart) return "nothing";
  std::string text;
  for (const PlannedUnit& unit : plan.units) {
    text.append(text.empty() ? "" : ", ").append(escape(unit.name));
    if (!unit.was_active) text += " (is stopped, and stays so)";
  }
  if (!plan.units.empty()) return text;
  for (const std::string& word : env.config.restart.command) {
    text.append(text.empty() ? "" : " ").append(escape(word));
  }
  return text;
}

std::string doctor_text(const Plan& plan, const Environment& env) {
  if (!plan.doctor) return "not asked";
  std::string text;
  for (const std::string& word : env.config.doctor.command) {
    text.append(text.empty() ? "" : " ").append(escape(word));
  }
  return text;
}

}  // namespace

std::uint64_t bytes_to_stage(const Plan& plan) {
  std::uint64_t bytes = 0;
  for (const PlannedFile& file : plan.files) {
    if (!file.unchanged && file.new_state) bytes += file.new_state->size;
  }
  return bytes;
}

int tell_result(const Context& context, const Environment& env, const UpdateReport& report) {
  return report.status ? tell_success(context, env, report) : tell_failure(context, env, report);
}

std::string plan_text(const PlannedUpdate& planned, const Environment& env,
                      const std::vector<std::string>& packages, bool colours) {
  const Plan& plan = planned.plan;
  std::string text = std::string(name_of(plan.kind)) + " " + version_text(plan.to_version) +
                     " (now " + version_text(plan.from_version) + ")\n";
  if (planned.nothing_to_do) text += "nothing is to be done: it is installed already\n";
  if (plan.signed_by) text += "signed by " + escape(*plan.signed_by) + "\n";
  if (!plan.notes.empty()) text += "notes: " + escape(plan.notes, true) + "\n";
  Table table(colours);
  for (const PlannedFile& file : plan.files) {
    const Change change = file.change();
    table.add(
        {{std::string(name_of(change)), change == Change::unchanged ? Colour::dim : Colour::strong},
         {escape(file.destination.text())},
         {file.new_state ? format_size(file.new_state->size) : ""}});
  }
  text += table.text("  ");
  text += "restart: " + units_text(plan, env) + "\n";
  text += "doctor: " + doctor_text(plan, env) + "\n";
  text += "space: " + format_size(bytes_to_stage(plan)) + " are written\n";
  for (const std::string& owned : packages) {
    text += "warning: " + escape(owned) + " belongs to a package, whose next update replaces it\n";
  }
  return text;
}

void tell_plan(const Context& context, const Environment& env, const PlannedUpdate& planned) {
  const auto packages = package_owned(env);
  print_document(context, plan_document(planned, packages));
  say(context, plan_text(planned, env, packages, context.global.colour) +
                   "This was a dry run: nothing was changed.\n");
}

}  // namespace update::cli
