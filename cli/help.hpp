#pragma once

#include <string_view>

namespace update::cli {

/// The text of cli/command/<family>.md, or of cli/banger-update.md for "banger-update"; empty where
/// there is none.
std::string_view help_of(std::string_view family);

}  // namespace update::cli
