#pragma once

#include <cstdint>
#include <string>

#include "cli/command.hpp"
#include "engine/image/host/host_tree.hpp"

namespace update::cli {

/// All of standard input as a tree with one nameless file, 0644 and of the time `now_s`. Its bytes
/// lie in a file beside `image` that has no name any more. no_space where there is more than the
/// image could ever hold; interrupted or terminated.
Result<image::HostTree> spool_standard_input(const Context& context, const std::string& image,
                                             std::int64_t now_s);

}  // namespace update::cli
