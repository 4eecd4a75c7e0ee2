#include <limits>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/event_text.hpp"
#include "cli/json_transaction.hpp"
#include "cli/output.hpp"
#include "cli/transaction_view.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/known_files.hpp"

namespace update::cli {
namespace {

std::string old_text(const JournalFile& file) {
  if (file.old_sha256) return file.old_sha256->hex();
  return had_old_file(file) ? "not known" : "absent";
}

std::string head_text(const TransactionRecord& record, bool colours) {
  const std::string outcome = record.outcome ? escape(*record.outcome) : "unfinished";
  Table table(colours);
  table.add({{"update"}, {std::to_string(record.id.value), Colour::strong}});
  table.add({{"kind"}, {escape(record.kind)}});
  table.add({{"versions"},
             {version_text(record.from_version) + " to " + version_text(record.to_version)}});
  table.add({{"phase"}, {std::string(name_of(record.phase))}});
  table.add({{"outcome"}, {outcome, colour_of_outcome(outcome)}});
  if (record.verdict) table.add({{"doctor"}, {escape(*record.verdict)}});
  table.add({{"started"}, {format_time(record.started_at_us)}});
  if (record.finished_at_us) table.add({{"finished"}, {format_time(*record.finished_at_us)}});
  if (const auto took_ms = duration_of(record)) table.add({{"took"}, {duration_text(*took_ms)}});
  table.add({{"by"}, {actor_text(record.actor)}});
  table.add({{"boot"}, {escape(record.boot_id)}});
  return table.text();
}

std::string plan_lines(const TransactionView& view) {
  if (view.events.empty()) return "";
  const PlanSummary plan = plan_summary(view.events.front());
  std::string text;
  if (!plan.signed_by.empty()) text += "signed by: " + plan.signed_by + "\n";
  if (!plan.baseline.empty()) text += "doctor before the update: " + plan.baseline + "\n";
  if (!plan.notes.empty()) text += "notes:\n" + indented(plan.notes, "  ");
  return text;
}

std::string files_text(const TransactionView& view) {
  std::string text = "files:\n";
  for (const FileReport& report : view.files) {
    const JournalFile& file = report.file;
    text += "  " + escape(file.destination) + "  " + report.state + "\n";
    text += "    old " + old_text(file) + "\n";
    text += "    new " + (file.new_sha256 ? file.new_sha256->hex() : "absent") + ", " +
            format_size(file.size) + "\n";
    if (report.backup) text += "    old bytes in " + escape(*report.backup) + "\n";
  }
  return text;
}

std::string events_text(const TransactionView& view) {
  std::string text = "events:\n";
  for (const Event& event : view.events) {
    text += "  " + format_time(event.at_us) + "  " + std::to_string(event.seq);
    if (event.from != event.to) {
      text += "  " + (event.from ? std::string(name_of(*event.from)) + " -> " : std::string()) +
              (event.to ? std::string(name_of(*event.to)) : std::string());
    }
    text += "\n" + indented(event_text(event), "      ");
  }
  return text;
}

Result<int> run_history_show(Context& context) {
  UPDATE_TRY_ASSIGN(const std::int64_t id,
                    parse_integer(context.options.arguments().front(), "the ID of an update", 0,
                                  std::numeric_limits<std::int64_t>::max()));
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(const TransactionView view, load_transaction(env, TransactionId{id}));
  if (context.global.json) {
    print_document(context, history_entry_document(view));
    return 0;
  }
  std::string text = head_text(view.record, context.global.colour) + plan_lines(view);
  if (view.record.error) text += "error: " + stored_error_text(*view.record.error);
  say(context, text + files_text(view) + events_text(view));
  if (!is_final(view.record.phase)) say(context, unfinished_text(view));
  return 0;
}

}  // namespace

const Command kHistoryShow = {"history show", "ID", {}, 1, 1, run_history_show, true};

}  // namespace update::cli
