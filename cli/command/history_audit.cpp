#include "cli/audit.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/json_transaction.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/state_folder.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kVerifyOptions[] = {{"expect", "HASH"}};
constexpr std::size_t kExportBlock = 256 * 1024;

Result<std::optional<Sha256Digest>> expected_hash(const Options& options) {
  const auto hex = options.value("expect");
  if (!hex) return std::nullopt;
  auto digest = Sha256Digest::from_hex(*hex);
  if (!digest) {
    return fail(ErrorCode::usage, "--expect takes the 64 hexadecimal digits of an event's hash");
  }
  return *digest;
}

std::string audit_text(const AuditReport& audit) {
  std::string text = counted(static_cast<std::uint64_t>(audit.events), "event") + " checked\n";
  if (audit.begins_after_lost_journal) {
    text += "the chain begins after a lost journal, at event " +
            std::to_string(*audit.begins_after_lost_journal) + "\n";
  }
  if (audit.newer_schema) {
    text +=
        "the journal is of schema " + std::to_string(*audit.newer_schema) +
        ", which this program does not know: its rules were not checked, and of its tables only "
        "what an older program may rely on; a newer banger-update checks all of it\n";
  }
  return audit.finding.empty() ? text + "the chain is whole\n" : text;
}

/// A finding while an update runs may come of reading two things at two moments: looked at again.
Result<AuditReport> audit(const Environment& env, ReadableJournal& readable,
                          const std::optional<Sha256Digest>& expected) {
  constexpr int kTries = 3;
  UPDATE_TRY_ASSIGN(AuditReport report, audit_journal(readable.journal, readable.head, expected));
  for (int tried = 1; tried < kTries && !report.finding.empty(); ++tried) {
    if (lock_is_free(*readable.state) && tried > 1) break;
    UPDATE_TRY_ASSIGN(auto again, open_journal_for_reading(env));
    if (!again) break;
    UPDATE_TRY_ASSIGN(report, audit_journal(again->journal, again->head, expected));
  }
  return report;
}

Result<int> run_history_verify(Context& context) {
  UPDATE_TRY_ASSIGN(const auto expected, expected_hash(context.options));
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  AuditReport found;
  if (readable) {
    UPDATE_TRY_ASSIGN(found, audit(env, *readable, expected));
  } else if (expected) {
    found.finding = "there is no journal, so the expected hash is not in it";
  }
  say(context, audit_text(found));
  if (found.finding.empty()) {
    print_document(context, audit_document(found, nullptr));
    return 0;
  }
  std::string message = "the history was changed: ";
  if (found.first_bad_seq) message += "event " + std::to_string(*found.first_bad_seq) + ": ";
  const Error error(ErrorCode::not_trusted, message + found.finding);
  print_document(context, audit_document(found, &error));
  print_error(context, error);
  return exit_code(error.code());
}

Result<int> run_export(Context& context) {
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  if (!readable) return 0;
  std::string block;
  const auto flush = [&]() -> Status {
    // An audit log that ends early must not look like a whole one.
    if (!context.console().out(block)) {
      return fail(ErrorCode::failed, "standard output cannot be written: the export is not whole");
    }
    block.clear();
    return {};
  };
  UPDATE_TRY(readable->journal.for_each_event([&](const Event& event) -> Status {
    block += exported_event(event) + "\n";
    return block.size() < kExportBlock ? Status() : flush();
  }));
  UPDATE_TRY(flush());
  return 0;
}

}  // namespace

const Command kHistoryVerify = {"history verify",   "",  kVerifyOptions, 0, 0,
                                run_history_verify, true};
const Command kHistoryExport = {"history export", "", {}, 0, 0, run_export, true};

}  // namespace update::cli
