#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "cli/console.hpp"
#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update::cli {

/// What happened, for people: warnings to standard error, with -v also the steps, and all of it to
/// --log-file. Foreign text must have been escaped.
class Log {
 public:
  Log(Console& console, bool verbose);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// Appends to `path`, in a folder that must be there. usage where it cannot be opened.
  Status open_file(os::FileSystem& files, const std::string& path);

  void info(std::string_view text);
  void warning(std::string_view text);
  /// To the file alone: what standard error is told in another way.
  void record(std::string_view text);

 private:
  struct Loggers;
  /// Made at the first line: a command that has nothing to tell pays nothing.
  Loggers& loggers();

  Console& console_;
  bool verbose_;
  std::unique_ptr<Loggers> loggers_;
};

}  // namespace update::cli
