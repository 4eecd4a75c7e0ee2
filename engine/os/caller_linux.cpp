#include "engine/os/caller_linux.hpp"

#include "engine/base/text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

namespace update::os {

void prepare_process() {
  ::umask(077);
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // open(2) gives the lowest number that is free, which is this one. To read what the caller had
    // closed is an error, and no empty file; to write to it is one, too.
    const int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) (void)::open("/dev/null", mode);
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

Result<std::optional<std::size_t>> read_standard_input(std::span<std::byte> into,
                                                       std::int64_t timeout_ms) {
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int ready = ::poll(&input, 1, static_cast<int>(timeout_ms));
  if (ready == 0 || (ready < 0 && errno == EINTR)) return std::optional<std::size_t>();
  const ssize_t count = ::read(STDIN_FILENO, into.data(), into.size());
  if (count >= 0) return std::optional(static_cast<std::size_t>(count));
  // Another reader of the same pipe or terminal was faster.
  if (errno == EINTR || errno == EAGAIN) return std::optional<std::size_t>();
  return fail(Error::from_errno(errno, "reading standard input"));
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
