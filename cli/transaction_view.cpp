#include "cli/transaction_view.hpp"

#include "cli/output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

std::string name_text(const TransactionRecord& record) {
  return "update " + std::to_string(record.id.value) + " (" + version_text(record.from_version) +
         " to " + version_text(record.to_version) + ")";
}

std::string headline(const TransactionRecord& record) {
  if (record.phase == Phase::needs_operator) {
    return name_text(record) + " needs a person: it could not be ended by itself";
  }
  return name_text(record) + " is unfinished, in phase " + std::string(name_of(record.phase));
}

}  // namespace

Result<TransactionView> view_of(const Environment& env, ReadableJournal& readable,
                                const TransactionRecord& record) {
  TransactionView view{record, {}, {}};
  UPDATE_TRY_ASSIGN(view.files, report_files(env, *readable.state, readable.journal, record));
  UPDATE_TRY_ASSIGN(view.events, readable.journal.events_of(record.id));
  return view;
}

Result<TransactionView> load_transaction(const Environment& env, TransactionId id) {
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  std::optional<TransactionRecord> record;
  if (readable) {
    UPDATE_TRY_ASSIGN(record, readable->journal.transaction(id));
  }
  if (!record) {
    return fail(Error(ErrorCode::not_found, "there is no update " + std::to_string(id.value))
                    .hint("banger-update history"));
  }
  return view_of(env, *readable, *record);
}

std::optional<TransactionView> try_load(const Context& context, const Environment& env,
                                        std::optional<TransactionId> id) {
  if (!id) return std::nullopt;
  auto view = load_transaction(env, *id);
  if (view) return std::move(*view);
  context.log.warning("update " + std::to_string(id->value) +
                      " cannot be read again: " + escape(view.error().message()));
  return std::nullopt;
}

TransactionView load_or(const Context& context, const Environment& env, TransactionRecord known) {
  auto view = try_load(context, env, known.id);
  return view ? std::move(*view) : TransactionView{std::move(known), {}, {}};
}

Result<std::optional<TransactionView>> load_unfinished(const Environment& env) {
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  if (!readable) return std::nullopt;
  UPDATE_TRY_ASSIGN(const auto record, readable->journal.unfinished());
  if (!record) return std::nullopt;
  UPDATE_TRY_ASSIGN(TransactionView view, view_of(env, *readable, *record));
  return view;
}

std::optional<std::int64_t> duration_of(const TransactionRecord& record) {
  if (!record.finished_at_us || *record.finished_at_us < record.started_at_us) return std::nullopt;
  // The journal may hold any two times: only without a sign their distance always has room.
  const std::uint64_t took_us = static_cast<std::uint64_t>(*record.finished_at_us) -
                                static_cast<std::uint64_t>(record.started_at_us);
  return static_cast<std::int64_t>(took_us / 1000);
}

std::vector<std::string> resolving_commands(const TransactionRecord& record) {
  if (record.phase != Phase::needs_operator) return {"banger-update recover"};
  return {"banger-update recover --force-rollback --reason WHY   # the old version everywhere",
          "banger-update recover --force-commit --reason WHY     # the new version everywhere",
          "banger-update recover --abandon --reason WHY          # leave the files as they are"};
}

std::string unfinished_text(const TransactionView& view) {
  std::string text = headline(view.record) + "\n";
  if (view.record.phase == Phase::needs_operator) {
    for (const FileReport& file : view.files) {
      text += "  " + escape(file.file.destination) + ": " + file.state + "\n";
    }
  }
  const auto commands = resolving_commands(view.record);
  text +=
      commands.size() == 1 ? "to resolve it, unless it still runs:\n" : "to resolve it, one of:\n";
  for (const std::string& command : commands) text += "  " + command + "\n";
  return text;
}

void warn_of_unfinished(const Context& context, Journal& journal) {
  const auto record = journal.unfinished();
  if (!record || !*record) return;
  std::string commands;
  for (const std::string& command : resolving_commands(**record)) {
    commands.append(commands.empty() ? "" : " | ").append(command.substr(0, command.find("   ")));
  }
  context.log.warning(headline(**record) + "; to resolve it: " + commands);
}

}  // namespace update::cli
