#include <algorithm>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "cli/transaction_view.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

std::string table_text(const std::vector<InstalledFile>& files, bool colours) {
  Table table(colours);
  for (const InstalledFile& file : files) {
    table.add({{file.state, file.state == "ok" ? Colour::good : Colour::bad},
               {escape(file.destination)},
               {file.state != "ok" && file.expected ? "expected " + file.expected->hex() : ""}});
  }
  return table.text();
}

Error nothing_installed() {
  return Error(ErrorCode::not_found, "nothing was installed by banger-update yet")
      .hint("banger-update apply RELEASE");
}

Result<int> run_verify(Context& context) {
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(auto readable, open_believable_journal(env));
  if (!readable) {
    return fail(nothing_installed());
  }
  warn_of_unfinished(context, readable->journal);
  UPDATE_TRY_ASSIGN(const auto files, report_installed(env, &readable->journal, true));
  if (std::none_of(files.begin(), files.end(), [](const auto& file) { return file.expected; })) {
    return fail(nothing_installed());
  }
  std::size_t different = 0;
  for (const InstalledFile& file : files) different += file.state == "ok" ? 0U : 1U;
  say(context, table_text(files, context.global.colour));
  if (different == 0) {
    print_document(context, verify_document(files, nullptr));
    return 0;
  }
  const Error error = Error(ErrorCode::not_trusted,
                            counted(different, "installed file") + " not as it was installed")
                          .hint("banger-update apply RELEASE of the installed version repairs it");
  print_document(context, verify_document(files, &error));
  print_error(context, error);
  return exit_code(error.code());
}

}  // namespace

const Command kVerify = {"verify", "", {}, 0, 0, run_verify, true};

}  // namespace update::cli
