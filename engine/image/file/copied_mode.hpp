#pragma once

#include <cstdint>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// The mode for a copy of `file` that does not get its access list. Of a file that has one, the
/// group's bits of the mode are the most that anybody in the list may do (acl(5)), and not what its
/// group may.
Result<std::uint32_t> mode_without_acl(os::File& file);

}  // namespace update
