#pragma once

#include <memory>
#include <string>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// The image of that name, locked as long as it is open. busy: somebody else works on it.
Result<std::unique_ptr<os::File>> lock_image(os::FileSystem& files, const std::string& image);

/// The same of what an image will replace; null where there is nothing that can be locked.
Result<std::unique_ptr<os::File>> lock_present(os::FileSystem& files, const std::string& target);

}  // namespace update::image
