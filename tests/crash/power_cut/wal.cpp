#include "tests/crash/power_cut/wal.hpp"

#include <cstddef>
#include <cstdint>

namespace update::crash {

namespace {

constexpr std::size_t kHeader = 32;
constexpr std::size_t kFrameHeader = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // and its last bit: the checksum is big-endian

std::uint32_t big_endian(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t each = 0; each < 4; ++each) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + each]);
  }
  return value;
}

struct Checksum {
  bool is_big_endian = false;
  std::uint32_t first = 0;
  std::uint32_t second = 0;

  std::uint32_t word(std::string_view bytes, std::size_t at) const {
    const std::uint32_t value = big_endian(bytes, at);
    return is_big_endian ? value : __builtin_bswap32(value);
  }
  void add(std::string_view bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first += word(bytes, at) + second;
      second += word(bytes, at + 4) + first;
    }
  }
  bool is_at(std::string_view bytes, std::size_t at) const {
    return big_endian(bytes, at) == first && big_endian(bytes, at + 4) == second;
  }
};

}  // namespace

std::string_view committed_part(std::string_view wal) {
  if (wal.size() < kHeader || (big_endian(wal, 0) & ~1U) != kMagic) return {};
  Checksum sum{(big_endian(wal, 0) & 1U) != 0};
  sum.add(wal.substr(0, kHeader - 8));
  if (!sum.is_at(wal, kHeader - 8)) return {};
  const std::size_t page = big_endian(wal, 8);
  std::size_t committed = kHeader;
  for (std::size_t at = kHeader; at + kFrameHeader + page <= wal.size();
       at += kFrameHeader + page) {
    const std::string_view frame = wal.substr(at, kFrameHeader + page);
    if (frame.substr(8, 8) != wal.substr(16, 8)) break;  // the salts: of an earlier use of the file
    sum.add(frame.substr(0, 8));
    sum.add(frame.substr(kFrameHeader));
    if (!sum.is_at(frame, 16)) break;
    if (big_endian(frame, 4) != 0) committed = at + frame.size();
  }
  return wal.substr(0, committed);
}

}  // namespace update::crash
