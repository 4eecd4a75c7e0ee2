#pragma once

#include <string>

#include "engine/installation/configuration.hpp"

namespace update::cli {

/// What is in force as the text of a configuration file, which parse_configuration reads back. On
/// another root (`offline`) units, and commands that the file does not give itself, are not in
/// force.
std::string to_toml(const Configuration& config, bool offline);

}  // namespace update::cli
