#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// The mode of the files in the state folder.
inline constexpr std::uint32_t kPrivateFile = 0600;

/// All of a file of at most `limit` bytes; `failed` with EFBIG if it is larger.
Result<std::string> read_whole(os::File& file, std::size_t limit);

/// Opens a file of the state folder for reading and writing, and makes it (0600, empty) where it is
/// absent. Its name is durable after the next sync of the folder.
Result<std::unique_ptr<os::File>> open_or_make(os::Folder& folder, std::string_view name);

}  // namespace update
