#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

namespace update {

inline constexpr std::string_view kHexDigits = "0123456789abcdef";

/// Lower-case hexadecimal, two digits a byte.
std::string to_hex(std::span<const std::byte> bytes);
/// The inverse. An odd length or any digit but [0-9a-f] is an error (failed).
Result<std::vector<std::byte>> from_hex(std::string_view hex);

}  // namespace update
