#pragma once

#include <memory>
#include <string>

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"
#include "engine/os/filesystem.hpp"

// Paths that a person gives on the command line: theirs, relative to where they stand, links and
// all.
namespace update::cli {

/// The same path from `/` on, its last part not looked at.
Result<AbsolutePath> absolute_path(const std::string& path);

/// All of a regular file of at most `limit` bytes.
Result<std::string> read_caller_file(os::FileSystem& files, const std::string& path,
                                     std::size_t limit);

}  // namespace update::cli
