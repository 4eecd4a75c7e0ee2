#include "cli/console.hpp"

#include "engine/os/caller_linux.hpp"

namespace update::cli {
namespace {

constexpr int kStandardOutput = 1;
constexpr int kStandardError = 2;

}  // namespace

bool StandardConsole::out(std::string_view text) {
  return os::write_standard(kStandardOutput, text);
}
void StandardConsole::err(std::string_view text) {
  os::write_standard(kStandardError, text);
}
bool StandardConsole::out_is_terminal() const {
  return os::is_terminal(kStandardOutput);
}
bool StandardConsole::err_is_terminal() const {
  return os::is_terminal(kStandardError);
}

}  // namespace update::cli
