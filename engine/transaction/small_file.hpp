#pragma once

#include <string>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// All of a file of at most `limit` bytes; `failed` with EFBIG if it is larger.
Result<std::string> read_whole(os::File& file, std::size_t limit);

}  // namespace update
