#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "cli/command.hpp"
#include "engine/image/host/host_tree.hpp"

namespace update::cli {

/// How it is named in place of a file.
inline constexpr std::string_view kStandardInput = "-";

/// All of it, piece by piece, until `take` fails; interrupted or terminated.
Status read_input(const Context& context,
                  const std::function<Status(std::span<const std::byte>)>& take);

/// All of standard input as a tree with one nameless file, 0644 and of the time `now_s`. Its bytes
/// lie in a file beside `image` that has no name any more. no_space where there is more than the
/// image could ever hold; interrupted or terminated.
Result<image::HostTree> spool_standard_input(const Context& context, const std::string& image,
                                             std::int64_t now_s);

}  // namespace update::cli
