#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/event_text.hpp"
#include "cli/json_transaction.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/state_folder.hpp"
#include "recovery/recover.hpp"

namespace update::cli {
namespace {

// A history of thousands of updates must not make `status` slow; notes of long ago are not worth
// it.
constexpr std::size_t kUpdatesSearched = 64;
// Notes of 64 KiB would bury the status; `history show` has them in full.
constexpr std::size_t kNotesShown = 2048;

std::string notes_text(const std::string& notes) {
  if (notes.empty()) return "";
  return "notes:\n" + indented(sanitize_utf8(notes, kNotesShown), "  ");
}

std::string notes_of(const std::vector<Event>& events) {
  return events.empty() ? "" : plan_summary(events.front()).notes;
}

// Those of the release, which only its `apply` knows: a rollback has the host at one that an
// earlier update installed.
Result<std::string> installed_notes(Journal& journal, const std::string& version) {
  UPDATE_TRY_ASSIGN(const auto newest, journal.newest_committed());
  std::optional<TransactionId> installer;
  if (newest && newest->kind == name_of(TransactionKind::apply)) {
    installer = newest->id;
  } else {
    HistoryFilter filter;
    filter.limit = kUpdatesSearched;
    filter.outcome = name_of(Phase::committed);
    UPDATE_TRY_ASSIGN(const auto committed, journal.list(filter));
    for (const TransactionRecord& record : committed) {
      if (record.kind != name_of(TransactionKind::apply) || record.to_version != version) continue;
      installer = record.id;
      break;
    }
  }
  if (!installer) return std::string();
  UPDATE_TRY_ASSIGN(const auto events, journal.events_of(*installer));
  return notes_of(events);
}

Result<StatusReport> look(const Environment& env) {
  StatusReport report;
  UPDATE_TRY_ASSIGN(auto readable, open_believable_journal(env));
  if (!readable) {
    UPDATE_TRY_ASSIGN(report.files, report_installed(env, nullptr, false));
    return report;
  }
  Journal& journal = readable->journal;
  UPDATE_TRY_ASSIGN(report.installed_version, journal.installed_version());
  if (report.installed_version) {
    UPDATE_TRY_ASSIGN(report.notes, installed_notes(journal, *report.installed_version));
  }
  UPDATE_TRY_ASSIGN(const auto unfinished, journal.unfinished());
  if (unfinished) {
    UPDATE_TRY_ASSIGN(report.unfinished, view_of(env, *readable, *unfinished));
  }
  report.runs =
      unfinished && unfinished->phase != Phase::needs_operator && !lock_is_free(*readable->state);
  auto would = recover_would(env, journal, {});
  if (!would && would.error().code() == ErrorCode::needs_operator) {
    env.observer.warning(would.error().message());
    would = "needs_operator";
  }
  UPDATE_TRY_ASSIGN(report.recover_would, std::move(would));
  UPDATE_TRY_ASSIGN(report.files, report_installed(env, &journal, false));
  return report;
}

Colour colour_of(std::string_view state) {
  return state == "ok" ? Colour::good : Colour::bad;
}

std::string status_text(const StatusReport& report, bool colours) {
  std::string text =
      "installed: " +
      coloured(colours, Colour::strong,
               report.installed_version ? escape(*report.installed_version) : "not known") +
      "\n";
  Table table(colours);
  for (const InstalledFile& file : report.files) {
    table.add(
        {{escape(file.name)}, {escape(file.destination)}, {file.state, colour_of(file.state)}});
  }
  text += table.text("  ") + notes_text(report.notes);
  if (!report.unfinished) return text + "unfinished: nothing\n";
  return text + unfinished_text(*report.unfinished) +
         notes_text(notes_of(report.unfinished->events)) +
         "recover would do: " + report.recover_would + "\n";
}

Result<int> run_status(Context& context) {
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(const StatusReport report, look(env));
  if (context.global.json) print_document(context, status_document(report));
  say(context, status_text(report, context.global.colour));
  if (!report.unfinished) return 0;
  // The journal was read before the disk: while the update runs on, the two may disagree for a
  // moment.
  if (report.runs) return exit_code(ErrorCode::unfinished);
  return exit_code(report.recover_would == "needs_operator" ? ErrorCode::needs_operator
                                                            : ErrorCode::unfinished);
}

}  // namespace

const Command kStatus = {"status", "", {}, 0, 0, run_status, true};

}  // namespace update::cli
