#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// A text file of one entry a line: a carriage return at the end goes, everything from `#` on goes,
/// blanks around are trimmed, empty lines are dropped. A file without any entry is a usage error
/// that names it; so is one above 64 MiB, and an entry that is longer than a path can be.
Result<std::vector<std::string>> read_entry_list(os::FileSystem& files, const std::string& path);
/// The same of what was read; `name` is the file's.
Result<std::vector<std::string>> parse_entry_list(std::string_view text, const std::string& name);

inline constexpr std::uint64_t kEntryListLimit = 64U << 20;

}  // namespace update
