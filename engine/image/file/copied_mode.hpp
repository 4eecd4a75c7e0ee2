#pragma once

#include <cstdint>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// `mode`, for a file that does not get the access list among `attributes`. Of a file that has one,
/// the group's bits of the mode are the most that anybody in the list may do (acl(5)), and not what
/// its group may.
std::uint32_t mode_without_acl(std::uint32_t mode, const os::Attributes& attributes);

/// The mode for a copy of `file` that does not get its access list.
Result<std::uint32_t> copied_mode(os::File& file);

}  // namespace update
