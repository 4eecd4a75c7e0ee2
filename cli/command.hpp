#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/console.hpp"
#include "cli/log.hpp"
#include "cli/options.hpp"
#include "engine/base/result.hpp"
#include "engine/os/system.hpp"

namespace update::cli {

/// What the process was started with.
struct Invocation {
  std::string program;
  std::vector<std::string> words;  ///< after the program's name
  os::System system;
  Console& console;
  std::optional<std::string> configuration;  ///< $BANGER_UPDATE_CONFIG
  std::optional<std::string> build_time;     ///< $SOURCE_DATE_EPOCH
  bool plain_terminal = false;               ///< $NO_COLOR is set, or $TERM is dumb
  bool apart = false;                        ///< $BANGER_UPDATE_APART: in a unit of cli/apart.hpp
};

/// The options that every command takes.
struct GlobalOptions {
  std::optional<std::string> configuration;
  std::optional<std::string> root;
  std::optional<std::string> log_file;
  bool json = false;
  bool colour = false;
  bool verbose = false;
  bool quiet = false;
};

/// What a command works with.
struct Context {
  Invocation& invocation;
  const GlobalOptions& global;
  const Options& options;
  Log& log;

  Console& console() const { return invocation.console; }
  os::System& system() const { return invocation.system; }
};

struct Command {
  std::string_view name;  ///< "apply", or of two words: "history show"
  std::string_view arguments;
  std::span<const OptionSpec> options;
  std::size_t arguments_least = 0;
  std::size_t arguments_most = 0;
  /// The exit code, of a command that has said all; an error is told by the caller.
  Result<int> (*run)(Context& context);
  bool only_reads = false;  ///< Ctrl-C ends it as it ends any other program

  std::string_view family() const { return name.substr(0, name.find(' ')); }
};

/// All commands, those of one family next to each other; the first of a family is meant where its
/// second word is left out, if `stands_alone`.
std::span<const Command* const> commands();
bool stands_alone(std::string_view family);

/// The options of GlobalOptions, and --help and --version.
std::span<const OptionSpec> global_options();

extern const Command kApply;
extern const Command kRecover;
extern const Command kRollback;
extern const Command kStatus;
extern const Command kHistoryList;
extern const Command kHistoryShow;
extern const Command kHistoryVerify;
extern const Command kHistoryExport;
extern const Command kVerify;
extern const Command kPrune;
extern const Command kReleaseMake;
extern const Command kReleaseInspect;
extern const Command kClone;
extern const Command kWorkSeed;
extern const Command kWorkDisk;
extern const Command kExt4Ls;
extern const Command kExt4Cat;
extern const Command kExt4Stat;
extern const Command kExt4Mkdir;
extern const Command kExt4Put;
extern const Command kExt4Extract;
extern const Command kExt4Ingest;
extern const Command kExt4Mkfs;
extern const Command kExt4Check;
extern const Command kConfigCheck;
extern const Command kConfigShow;
extern const Command kConfigUnits;

}  // namespace update::cli
