#include "cli/progress.hpp"

#include <algorithm>

#include "engine/base/text.hpp"

namespace update::cli {
namespace {

// Often enough for the eye; each drawing is a system call that the update waits for.
constexpr std::int64_t kBetweenDrawingsMs = 100;
constexpr std::uint64_t kBarWidth = 24;
constexpr std::string_view kClearLine = "\r\x1b[K";
constexpr std::size_t kShownBytes = 60;

std::string shortened(std::string_view what) {
  return escape(what.size() > kShownBytes ? what.substr(0, kShownBytes) : what);
}

}  // namespace

std::string bar_line(std::string_view what, std::uint64_t done_bytes, std::uint64_t total_bytes) {
  const std::uint64_t total = std::max<std::uint64_t>(total_bytes, 1);
  const double share =
      static_cast<double>(std::min(done_bytes, total)) / static_cast<double>(total);
  const auto full = static_cast<std::size_t>(share * kBarWidth);
  std::string line =
      shortened(what) + "  [" + std::string(full, '#') + std::string(kBarWidth - full, '.') + "]  ";
  return line + std::to_string(static_cast<int>(share * 100)) + "%  " + format_size(done_bytes) +
         " of " + format_size(total_bytes);
}

void Progress::phase(Phase phase, std::string_view what) {
  clear();
  what_ = std::string(name_of(phase)) + ": " + escape(what);
  log_.info(what_);
  if (style_ == ProgressStyle::plain) console_.err(what_ + "\n");
  if (style_ == ProgressStyle::bar) draw(shortened(what_));
}

void Progress::begin(std::string_view what) {
  clear();
  what_ = escape(what);
  log_.info(what_);
}

void Progress::progress(std::uint64_t done_bytes, std::uint64_t total_bytes) {
  if (style_ != ProgressStyle::bar) return;
  const std::int64_t now_ms = clock_.monotonic_ms();
  if (drawn_ && now_ms - drawn_at_ms_ < kBetweenDrawingsMs && done_bytes < total_bytes) return;
  drawn_at_ms_ = now_ms;
  draw(bar_line(what_, done_bytes, total_bytes));
}

void Progress::warning(const std::string& text) {
  clear();
  log_.warning(escape(text));
}

void Progress::draw(const std::string& line) {
  console_.err(std::string(kClearLine) + line);
  drawn_ = true;
}

void Progress::clear() {
  if (drawn_) console_.err(kClearLine);
  drawn_ = false;
}

}  // namespace update::cli
