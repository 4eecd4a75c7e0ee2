#pragma once

#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// A text file of one entry a line: a carriage return at the end goes, everything from `#` on goes,
/// blanks around are trimmed, empty lines are dropped. A file without any entry is a usage error
/// that names it; so is one above 64 MiB.
Result<std::vector<std::string>> read_entry_list(os::FileSystem& files, const std::string& path);

}  // namespace update
