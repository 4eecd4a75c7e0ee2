#pragma once

#include <optional>
#include <string>

#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "engine/installation/configuration.hpp"
#include "engine/installation/trusted_path.hpp"
#include "engine/transaction/environment.hpp"

namespace update::cli {

/// `/`, or the folder that --root names; usage where there is none.
Result<InstallationRoot> installation_root(const Context& context);

struct LoadedConfiguration {
  Configuration config;
  std::string origin;   ///< its path, for messages
  bool present = true;  ///< false: there is no file at the default path, and the defaults are meant
  std::optional<std::string> named_path = {};  ///< of one that was named, absolute
};

/// The file that --config names, else $BANGER_UPDATE_CONFIG (both the caller's paths), else the
/// default path inside the root. usage: it is wrong, unreadable, or one that was named is missing.
/// not_trusted: others could change it.
Result<LoadedConfiguration> load_configuration(const Context& context,
                                               const InstallationRoot& root);

/// How --progress says that an update is watched; auto without the option.
Result<ProgressStyle> progress_style(const Context& context);

/// All that the engine asks for. `observer` must outlive it.
Result<Environment> make_environment(const Context& context, Observer& observer);

/// For the audit: what was typed, in one safe line of at most 4096 bytes.
std::string command_line_of(const Invocation& invocation);

}  // namespace update::cli
