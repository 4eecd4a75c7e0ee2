#include "engine/base/hex.hpp"

namespace update {

std::string to_hex(std::span<const std::byte> bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const std::byte byte : bytes) {
    hex.push_back(kHexDigits[std::to_integer<std::size_t>(byte >> 4)]);
    hex.push_back(kHexDigits[std::to_integer<std::size_t>(byte & std::byte{15})]);
  }
  return hex;
}

Result<std::vector<std::byte>> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return fail(ErrorCode::failed, "hexadecimal text of odd length");
  std::vector<std::byte> bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    const auto high = kHexDigits.find(hex[at]);
    const auto low = kHexDigits.find(hex[at + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      return fail(ErrorCode::failed, "not lower-case hexadecimal");
    }
    bytes.push_back(static_cast<std::byte>(high * 16 + low));
  }
  return bytes;
}

}  // namespace update
