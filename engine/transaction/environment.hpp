#pragma once

#include <optional>
#include <string>

#include "engine/installation/configuration.hpp"
#include "engine/installation/trusted_path.hpp"
#include "engine/os/system.hpp"
#include "engine/transaction/observer.hpp"

namespace update {

/// What every update needs beside its plan; made once, by the command line.
struct Environment {
  os::System system;
  InstallationRoot root;
  Configuration config;
  std::string command_line;                  ///< for the audit: who asked for what
  std::optional<std::string> configuration;  ///< where it was read, if not at the default path
  Observer& observer;
  std::string journal_vfs =
      {};  ///< how SQLite reaches the journal; empty but in tests (JournalLocation)

  /// Working on another root (--root): no unit is touched, and only commands that the configuration
  /// itself names are run.
  bool offline() const { return root.folder != "/"; }
  bool has_restart() const {
    const bool any =
        !config.restart.command.empty() || (!offline() && !config.restart.units.empty());
    return any && (!offline() || config.restart.given);
  }
  bool has_doctor() const {
    return !config.doctor.command.empty() && (!offline() || config.doctor.given);
  }
};

}  // namespace update
