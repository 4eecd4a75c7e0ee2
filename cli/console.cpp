#include "cli/console.hpp"

#include <cerrno>

#include "engine/os/caller_linux.hpp"

namespace update::cli {
namespace {

constexpr int kStandardOutput = 1;
constexpr int kStandardError = 2;

}  // namespace

bool StandardConsole::out(std::string_view text) {
  const int error = os::write_standard(kStandardOutput, text);
  lost_output_ = lost_output_ || (error != 0 && error != EPIPE);
  return error == 0;
}
void StandardConsole::err(std::string_view text) {
  // Where standard error is gone, there is nobody to be told.
  static_cast<void>(os::write_standard(kStandardError, text));
}
Result<std::optional<std::size_t>> StandardConsole::in(std::span<std::byte> into) {
  constexpr std::int64_t kBetweenLooksMs = 100;  // how late a signal is noticed
  return os::read_standard_input(into, kBetweenLooksMs);
}
bool StandardConsole::out_is_terminal() const {
  return os::is_terminal(kStandardOutput);
}
bool StandardConsole::err_is_terminal() const {
  return os::is_terminal(kStandardError);
}

}  // namespace update::cli
