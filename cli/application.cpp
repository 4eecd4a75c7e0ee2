#include "cli/application.hpp"

#include <algorithm>
#include <array>

#include "cli/apart.hpp"
#include "cli/environment.hpp"
#include "cli/help.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kGlobalOptions[] = {
    {"config", "FILE"},   {"root", "DIR"},      {"output", "FORMAT"},
    {"color", "WHEN"},    {"verbose", "", 'v'}, {"quiet", "", 'q'},
    {"log-file", "FILE"}, {"version"},          {"help", "", 'h'}};

constexpr std::array kCommands = {
    &kApply,         &kRecover,       &kRollback,    &kStatus,     &kHistoryList, &kHistoryShow,
    &kHistoryVerify, &kHistoryExport, &kVerify,      &kPrune,      &kReleaseMake, &kReleaseInspect,
    &kClone,         &kWorkSeed,      &kWorkDisk,    &kExt4Ls,     &kExt4Cat,     &kExt4Stat,
    &kExt4Mkdir,     &kExt4Put,       &kExt4Extract, &kExt4Ingest, &kExt4Mkfs,    &kExt4Check,
    &kConfigCheck,   &kConfigShow,    &kConfigUnits};

using Words = std::span<const std::string>;

// Where the next word is that is no global option; the end where there is none.
std::size_t next_word(Words words, std::size_t at) {
  while (at < words.size()) {
    const std::size_t length = option_length(kGlobalOptions, words.subspan(at));
    if (length == 0 || words[at] == "--") break;
    at += length;
  }
  return at;
}

std::vector<std::string_view> second_words(std::string_view family) {
  std::vector<std::string_view> words;
  for (const Command* command : kCommands) {
    if (command->family() == family && command->name != family) {
      words.push_back(command->name.substr(family.size() + 1));
    }
  }
  return words;
}

const Command* find_command(std::string_view name) {
  const auto found = std::find_if(kCommands.begin(), kCommands.end(),
                                  [&](const Command* command) { return command->name == name; });
  return found == kCommands.end() ? nullptr : *found;
}

std::vector<std::string_view> families() {
  std::vector<std::string_view> names;
  for (const Command* command : kCommands) {
    if (names.empty() || names.back() != command->family()) names.push_back(command->family());
  }
  return names;
}

Error unknown_command(const std::string& before, const std::string& word,
                      std::span<const std::string_view> known) {
  Error error(ErrorCode::usage, "there is no command " + quote(before + word));
  const std::string near = nearest(word, known);
  return std::move(error).hint(near.empty() ? "banger-update " + before + "--help"
                                            : "did you mean banger-update " + before + near + "?");
}

// Which command is meant, and the words that are left for it.
struct Choice {
  std::string_view family;           ///< empty: no command was named
  const Command* command = nullptr;  ///< none: only its family was named
  std::vector<std::string> rest;
};

Result<Choice> choose(Words words) {
  Choice choice;
  choice.rest.assign(words.begin(), words.end());
  const std::size_t first = next_word(words, 0);
  if (first == words.size() || looks_like_option(words[first])) return choice;
  const auto known = families();
  const auto family = std::find(known.begin(), known.end(), words[first]);
  if (family == known.end()) return fail(unknown_command("", words[first], known));
  choice.family = *family;
  choice.rest.erase(choice.rest.begin() + static_cast<std::ptrdiff_t>(first));
  choice.command = find_command(choice.family);
  if (choice.command != nullptr) return choice;

  const auto seconds = second_words(choice.family);
  const std::string before = std::string(choice.family) + " ";
  const std::size_t second = next_word(choice.rest, first);
  if (second == choice.rest.size() || looks_like_option(choice.rest[second])) {
    if (stands_alone(choice.family)) {
      choice.command = find_command(before + std::string(seconds.front()));
    }
    return choice;
  }
  choice.command = find_command(before + choice.rest[second]);
  if (choice.command == nullptr) {
    return fail(unknown_command(before, choice.rest[second], seconds));
  }
  choice.rest.erase(choice.rest.begin() + static_cast<std::ptrdiff_t>(second));
  return choice;
}

// A command's own option hides a global one of the same name.
std::vector<OptionSpec> options_of(const Command* command) {
  std::vector<OptionSpec> specs;
  if (command != nullptr) specs.assign(command->options.begin(), command->options.end());
  const std::size_t own = specs.size();
  for (const OptionSpec& global : kGlobalOptions) {
    const bool hidden = std::any_of(specs.begin(), specs.begin() + static_cast<std::ptrdiff_t>(own),
                                    [&](const OptionSpec& spec) {
                                      return spec.name == global.name || spec.alias == global.name;
                                    });
    if (!hidden) specs.push_back(global);
  }
  return specs;
}

// Known before anything is parsed, so that an error of the command line is JSON too.
bool wants_json(Words words) {
  bool json = false;
  for (std::size_t at = 0; at < words.size() && words[at] != "--"; ++at) {
    if (words[at] == "--output" && at + 1 < words.size()) json = words[at + 1] == "json";
    if (words[at].starts_with("--output=")) json = words[at] == "--output=json";
  }
  return json;
}

Result<GlobalOptions> global_options_of(const Invocation& invocation, const Options& options) {
  constexpr std::array<std::string_view, 2> kFormats = {"text", "json"};
  constexpr std::array<std::string_view, 3> kWhen = {"auto", "always", "never"};
  GlobalOptions global;
  global.configuration = options.value("config");
  global.root = options.value("root");
  global.log_file = options.value("log-file");
  global.verbose = options.has("verbose");
  global.quiet = options.has("quiet");
  UPDATE_TRY_ASSIGN(const auto format, options.word("output", kFormats));
  global.json = format == "json";
  UPDATE_TRY_ASSIGN(const auto when, options.word("color", kWhen));
  const bool suits = invocation.console.out_is_terminal() && !invocation.plain_terminal;
  global.colour = when == "always" || (when != "never" && suits);
  return global;
}

Status check_arguments(const Command& command, const Options& options) {
  const std::size_t given = options.arguments().size();
  const std::string name(command.name);
  if (given < command.arguments_least) {
    return fail(Error(ErrorCode::usage, name + " needs " + std::string(command.arguments))
                    .hint("banger-update " + name + " --help"));
  }
  if (given > command.arguments_most) {
    return fail(ErrorCode::usage,
                name + " has no use for " + quote(options.arguments()[command.arguments_most]));
  }
  return {};
}

Result<int> run_command(Invocation& invocation, const Command& command, const Options& options) {
  UPDATE_TRY(check_arguments(command, options));
  UPDATE_TRY_ASSIGN(const GlobalOptions global, global_options_of(invocation, options));
  Log log(invocation.console, global.verbose);
  if (global.log_file) UPDATE_TRY(log.open_file(invocation.system.files, *global.log_file));
  log.record(command_line_of(invocation));
  Context context{invocation, global, options, log};
  if (command.only_reads) invocation.system.stop.let_go();
  auto code = command.run(context);
  // What changes the host tells its state by the code, which a lost document leaves true; of
  // anything else the document was all.
  const bool only_tells = command.only_reads || options.has("dry-run");
  if (code && *code == 0 && only_tells && invocation.console.lost_output()) {
    code = fail(ErrorCode::failed, "standard output cannot be written");
  }
  if (!code) log.record("error: " + escape(code.error().message()));
  log.record("exit code " + std::to_string(code ? *code : exit_code(code.error().code())));
  return code;
}

Result<int> without_command(Invocation& invocation, const Choice& choice) {
  std::string known;
  for (const std::string_view word :
       choice.family.empty() ? families() : second_words(choice.family)) {
    known.append(known.empty() ? "" : ", ").append(word);
  }
  if (choice.family.empty()) invocation.console.err(help_of("banger-update"));
  const std::string what =
      choice.family.empty() ? "a command is missing" : std::string(choice.family) + " alone";
  return fail(ErrorCode::usage, what + "; known: " + known);
}

Result<int> start(Invocation& invocation) {
  UPDATE_TRY_ASSIGN(const Choice choice, choose(invocation.words));
  UPDATE_TRY_ASSIGN(const Options options, parse_options(options_of(choice.command), choice.rest));
  if (options.has("help")) {
    invocation.console.out(help_of(choice.family.empty() ? "banger-update" : choice.family));
    return 0;
  }
  if (options.has("version")) {
    invocation.console.out("banger-update " BANGER_UPDATE_VERSION "\n");
    return 0;
  }
  if (choice.command == nullptr) return without_command(invocation, choice);
  return run_command(invocation, *choice.command, options);
}

int run_and_tell(Invocation& invocation) {
  const auto code = start(invocation);
  if (code) return *code;
  invocation.console.err(error_text(code.error()));
  if (wants_json(invocation.words)) {
    invocation.console.out(error_document(code.error()) + "\n");
  }
  return exit_code(code.error().code());
}

}  // namespace

std::span<const Command* const> commands() {
  return kCommands;
}
bool stands_alone(std::string_view family) {
  return family == "history";
}
std::span<const OptionSpec> global_options() {
  return kGlobalOptions;
}

int run(Invocation& invocation) {
  const int code = run_and_tell(invocation);
  return invocation.apart ? code_apart(code) : code;
}

}  // namespace update::cli
