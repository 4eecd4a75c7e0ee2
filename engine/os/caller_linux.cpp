#include "engine/os/caller_linux.hpp"

#include "engine/base/text.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace update::os {

namespace {

// For a signal handler, which may touch no lock and allocate nothing (signal-safety(7)).
std::string lost_page_message;
int lost_page_code = 0;

extern "C" void end_here(int /*signal*/) {
  const ssize_t said = ::write(STDERR_FILENO, lost_page_message.data(), lost_page_message.size());
  static_cast<void>(said);
  ::_exit(lost_page_code);
}

}  // namespace

void end_on_lost_page(std::string message, int code) {
  lost_page_message = std::move(message);
  lost_page_code = code;
  struct sigaction action {};
  action.sa_handler = end_here;
  ::sigaction(SIGBUS, &action, nullptr);
}

void prepare_process() {
  ::umask(077);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // open(2) gives the lowest number that is free, which is this one.
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)::open("/dev/null", O_RDWR);
  }
}

int write_standard(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

bool is_terminal(int fd) {
  return ::isatty(fd) == 1;
}

Result<std::string> real_path(const std::string& path) {
  struct Free {
    void operator()(char* memory) const { std::free(memory); }
  };
  const std::unique_ptr<char, Free> real(::realpath(path.c_str(), nullptr));
  if (!real) return fail(Error::from_errno(errno, escape(path)));
  return std::string(real.get());
}

}  // namespace update::os
