#pragma once

#include <cstdint>
#include <string>

#include "cli/console.hpp"
#include "cli/log.hpp"
#include "engine/os/clock.hpp"
#include "engine/transaction/observer.hpp"

namespace update::cli {

enum class ProgressStyle : std::uint8_t {
  none,
  plain,  ///< a line a phase
  bar,    ///< one line of a terminal that is drawn anew
};

/// Tells a person on standard error how far an update has come.
class Progress final : public Observer {
 public:
  Progress(Console& console, Log& log, os::Clock& clock, ProgressStyle style)
      : console_(console), log_(log), clock_(clock), style_(style) {}
  ~Progress() override { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void phase(Phase phase, std::string_view what) override;
  void progress(std::uint64_t done_bytes, std::uint64_t total_bytes) override;
  void warning(const std::string& text) override;

  /// What is done where there are no phases.
  void begin(std::string_view what);
  /// Takes the bar off the terminal, for what is printed next.
  void clear();

 private:
  void draw(const std::string& line);

  Console& console_;
  Log& log_;
  os::Clock& clock_;
  ProgressStyle style_;
  std::string what_;
  bool drawn_ = false;
  std::int64_t drawn_at_ms_ = 0;
};

/// What is drawn while bytes are copied: "staging  [#####.....]  50%  12.0 MiB of 24.0 MiB".
std::string bar_line(std::string_view what, std::uint64_t done_bytes, std::uint64_t total_bytes);

}  // namespace update::cli
