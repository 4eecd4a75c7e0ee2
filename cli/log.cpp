#include "cli/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>

#include "engine/base/text.hpp"

namespace update::cli {
namespace {

// Lines for the one console that the progress bar is drawn on too.
class ConsoleSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit ConsoleSink(Console& console) : console_(console) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    std::string line = "banger-update: ";
    if (message.level == spdlog::level::warn) line += "warning: ";
    line.append(message.payload.data(), message.payload.size()).append("\n");
    console_.err(line);
  }
  void flush_() override {}

  Console& console_;
};

}  // namespace

struct Log::Loggers {
  spdlog::logger console;
  std::unique_ptr<spdlog::logger> file;
};

Log::Log(Console& console, bool verbose) : console_(console), verbose_(verbose) {}
Log::~Log() = default;

Log::Loggers& Log::loggers() {
  if (!loggers_) {
    loggers_ = std::make_unique<Loggers>(
        Loggers{spdlog::logger("console", std::make_shared<ConsoleSink>(console_)), nullptr});
    loggers_->console.set_level(verbose_ ? spdlog::level::info : spdlog::level::warn);
  }
  return *loggers_;
}

Status Log::open_file(os::FileSystem& files, const std::string& path) {
  // spdlog would make what is missing of the way, wherever a slip of the keyboard leads.
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (auto there = files.open_folder(folder); !there) {
    return fail(std::move(there).error().with("the log file").as(ErrorCode::usage));
  }
  try {
    auto file = std::make_unique<spdlog::logger>(
        "file", std::make_shared<spdlog::sinks::basic_file_sink_st>(path));
    file->set_pattern("%Y-%m-%dT%H:%M:%S.%fZ [%P] %l: %v", spdlog::pattern_time_type::utc);
    file->flush_on(spdlog::level::trace);
    // A log that can't be written to any more is no reason to stop an update.
    file->set_error_handler([](const std::string&) {});
    loggers().file = std::move(file);
  } catch (const spdlog::spdlog_ex& problem) {
    return fail(ErrorCode::usage, "the log file cannot be opened: " + escape(problem.what()));
  }
  return {};
}

void Log::info(std::string_view text) {
  if (!verbose_ && !loggers_) return;
  loggers().console.info("{}", text);
  if (loggers().file) loggers().file->info("{}", text);
}

void Log::warning(std::string_view text) {
  loggers().console.warn("{}", text);
  if (loggers().file) loggers().file->warn("{}", text);
}

void Log::record(std::string_view text) {
  if (loggers_ && loggers_->file) loggers_->file->info("{}", text);
}

}  // namespace update::cli
