#include <array>
#include <limits>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_transaction.hpp"
#include "cli/output.hpp"
#include "cli/transaction_view.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kListOptions[] = {{"n", "N", 'n'},
                                       {"since", "TIME"},
                                       {"until", "TIME"},
                                       {"outcome", "OUTCOME"},
                                       {"version-like", "PATTERN"}};

// More than any version has (engine/release/version.hpp): fnmatch(3) takes the square of it at
// worst.
constexpr std::size_t kPatternMax = 4096;

Result<HistoryFilter> filter_of(const Options& options) {
  constexpr std::array<std::string_view, 4> kOutcomes = {"committed", "rolled_back",
                                                         "needs_operator", "abandoned"};
  HistoryFilter filter;
  UPDATE_TRY_ASSIGN(const auto limit,
                    options.integer("n", 1, std::numeric_limits<std::int32_t>::max()));
  filter.limit = static_cast<std::size_t>(limit.value_or(0));
  UPDATE_TRY_ASSIGN(filter.since_us, options.time("since"));
  UPDATE_TRY_ASSIGN(filter.until_us, options.time("until"));
  UPDATE_TRY_ASSIGN(filter.outcome, options.word("outcome", kOutcomes));
  filter.version_like = options.value("version-like");
  if (filter.version_like && filter.version_like->size() > kPatternMax) {
    return fail(ErrorCode::usage, "--version-like takes a pattern of at most " +
                                      std::to_string(kPatternMax) + " bytes");
  }
  return filter;
}

Result<std::vector<ListedTransaction>> list(const Environment& env, ReadableJournal& readable,
                                            const HistoryFilter& filter) {
  UPDATE_TRY_ASSIGN(const auto way, find_way_back(env, *readable.state, readable.journal));
  UPDATE_TRY_ASSIGN(auto records, readable.journal.list(filter));
  std::vector<ListedTransaction> listed;
  for (TransactionRecord& record : records) {
    UPDATE_TRY_ASSIGN(const bool kept, can_go_back_to(readable.journal, record, way));
    listed.push_back({std::move(record), kept});
  }
  return listed;
}

std::string list_text(const std::vector<ListedTransaction>& listed, bool colours) {
  if (listed.empty()) return "no updates\n";
  Table table(colours);
  table.add({{"ID", Colour::dim},
             {"STARTED (UTC)", Colour::dim},
             {"KIND", Colour::dim},
             {"FROM", Colour::dim},
             {"TO", Colour::dim},
             {"OUTCOME", Colour::dim},
             {"TOOK", Colour::dim},
             {"KEPT", Colour::dim}});
  for (const auto& [record, kept] : listed) {
    const std::string outcome =
        record.outcome ? escape(*record.outcome) : "in " + std::string(name_of(record.phase));
    const auto duration_ms = duration_of(record);
    table.add({{std::to_string(record.id.value)},
               {time_text(record.started_at_us)},
               {escape(record.kind)},
               {record.from_version ? escape(*record.from_version) : "-"},
               {record.to_version ? escape(*record.to_version) : "-"},
               {outcome, colour_of_outcome(outcome)},
               {duration_ms ? duration_text(*duration_ms) : "-"},
               {kept ? "kept" : ""}});
  }
  return table.text();
}

Result<int> run_list(Context& context) {
  UPDATE_TRY_ASSIGN(const HistoryFilter filter, filter_of(context.options));
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(auto readable, open_journal_for_reading(env));
  std::vector<ListedTransaction> listed;
  if (readable) {
    warn_of_unfinished(context, readable->journal);
    UPDATE_TRY_ASSIGN(listed, list(env, *readable, filter));
  }
  if (context.global.json) print_document(context, history_document(listed));
  say(context, list_text(listed, context.global.colour));
  return 0;
}

}  // namespace

const Command kHistoryList = {"history list", "", kListOptions, 0, 0, run_list, true};

}  // namespace update::cli
