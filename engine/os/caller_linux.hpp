#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"

// What a command line needs of the operating system beside the engine's seams: its caller's
// terminal, and the caller's paths.
namespace update::os {

/// To be called first of all. Files are private unless a mode is asked for (umask 077); descriptors
/// 0 to 2 that are closed become /dev/null, so that no file of ours gets a number to which others
/// write; to read or write there is an error all the same.
void prepare_process();

/// All of `text` to descriptor 1 or 2; 0, or errno where that fails. SIGPIPE must be ignored.
int write_standard(int fd, std::string_view text);
bool is_terminal(int fd);

/// What standard input has, waiting for it at most so long; 0: its end; nullopt: nothing came.
Result<std::optional<std::size_t>> read_standard_input(std::span<std::byte> into,
                                                       std::int64_t timeout_ms);

/// Where `path` really is, links followed (realpath(3)). It must exist.
Result<std::string> real_path(const std::string& path);

}  // namespace update::os
