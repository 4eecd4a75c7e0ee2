#include "tests/crash/wal.hpp"

#include <algorithm>
#include <functional>

namespace update::crash {

namespace {

constexpr std::size_t kHeader = 32;
constexpr std::size_t kFrameHeader = 24;
constexpr std::uint32_t kMagic = 0x377f0682;  // and its last bit: the checksum is big-endian

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t each = 0; each < 4; ++each) {
    value = value << 8U | static_cast<unsigned char>(bytes[at + each]);
  }
  return value;
}

std::uint64_t mixed(std::uint64_t print, std::string_view bytes) {
  return print * 31 + std::hash<std::string_view>{}(bytes);
}

}  // namespace

LogReader::Checksum LogReader::added(Checksum sum, std::string_view bytes) const {
  const auto word = [&](std::size_t at) {
    const std::uint32_t value = number_at(bytes, at);
    return big_endian_ ? value : __builtin_bswap32(value);
  };
  for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
    sum.first += word(at) + sum.second;
    sum.second += word(at + 4) + sum.first;
  }
  return sum;
}

bool LogReader::read_header(std::string_view log) {
  if (log.size() < kHeader || (number_at(log, 0) & ~1U) != kMagic) return false;
  big_endian_ = (number_at(log, 0) & 1U) != 0;
  page_ = number_at(log, 8);
  header_ = {added({}, log.substr(0, kHeader - 8)), mixed(0, log.substr(0, kHeader)), true};
  return number_at(log, 24) == header_.sum.first && number_at(log, 28) == header_.sum.second;
}

bool LogReader::read_frame(std::string_view frame, std::string_view salts) {
  if (frame.substr(8, 8) != salts) return false;  // of an earlier use of the file
  const Frame& before = frames_.empty() ? header_ : frames_.back();
  Frame read{added(before.sum, frame.substr(0, 8)), mixed(before.print, frame),
             number_at(frame, 4) != 0};
  read.sum = added(read.sum, frame.substr(kFrameHeader));
  if (number_at(frame, 16) != read.sum.first || number_at(frame, 20) != read.sum.second) {
    return false;
  }
  frames_.push_back(read);
  return true;
}

CommittedPart LogReader::committed_part(std::string_view log) {
  if (log.substr(0, kHeader) != std::string_view(last_).substr(0, kHeader)) frames_.clear();
  if (!read_header(log)) return {};
  const std::size_t length = kFrameHeader + page_;
  std::size_t at = kHeader;
  std::size_t known = 0;
  const auto is_known = [&] {
    return known < frames_.size() && at + length <= log.size() &&
           log.substr(at, length) == std::string_view(last_).substr(at, length);
  };
  for (; is_known(); ++known) at += length;
  frames_.resize(known);
  while (at + length <= log.size() && read_frame(log.substr(at, length), log.substr(16, 8))) {
    at += length;
  }
  last_ = log;
  const auto commit = std::find_if(frames_.rbegin(), frames_.rend(),
                                   [](const Frame& frame) { return frame.commits; });
  const auto count = static_cast<std::size_t>(frames_.rend() - commit);
  return {kHeader + count * length, count == 0 ? header_.print : frames_[count - 1].print};
}

}  // namespace update::crash
