#include "cli/apart.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"
#include "recovery/recover.hpp"

namespace update::cli {
namespace {

// Without a state folder, or a journal in it, there is nothing to be dropped.
Result<Pruned> prune(const Environment& env) {
  UPDATE_TRY_ASSIGN(auto locked, lock_state(env, false, 0));
  if (!locked) return Pruned{};
  UPDATE_TRY_ASSIGN(auto session, Session::open(env, std::move(*locked), false));
  if (!session) return Pruned{};
  UPDATE_TRY(recover_in_session(*session, {}));
  return prune_generations(*session, Prune::everything);
}

Result<int> run_prune(Context& context) {
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(const auto code, run_apart(context, env, Work::recovery));
  if (code) return *code;
  UPDATE_TRY_ASSIGN(const Pruned pruned, prune(env));
  print_document(context, pruned_document(pruned));
  std::string text;
  for (const Sha256Digest& digest : pruned.digests) text += "removed " + digest.hex() + "\n";
  say(context, text + counted(pruned.digests.size(), "old version") + " of a file removed, " +
                   format_size(pruned.bytes) + "\n");
  return 0;
}

}  // namespace

const Command kPrune = {"prune", "", {}, 0, 0, run_prune};

}  // namespace update::cli
