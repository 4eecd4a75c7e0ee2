// Runs one command and prints on the descriptor 3 what it cost:
// wall time and processor time in microseconds, peak resident memory in KiB, exit code.
//
// Not Python's own wait4: after execve the peak of a child begins with that of the process which
// started it (exec_mmap in the kernel's fs/exec.c), and Python's is above what is measured here.

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

extern char** environ;

namespace {

constexpr int kReport = 3;

long microseconds(const timeval& time) {
  return static_cast<long>(time.tv_sec) * 1'000'000 + static_cast<long>(time.tv_usec);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: update_measure COMMAND [ARGUMENT]... 3>REPORT\n", stderr);
    return 2;
  }
  if (fcntl(kReport, F_SETFD, FD_CLOEXEC) != 0) {
    std::perror("descriptor 3");
    return 2;
  }
  pid_t child = -1;
  const auto begin = std::chrono::steady_clock::now();
  const int failed = posix_spawnp(&child, argv[1], nullptr, nullptr, argv + 1, environ);
  if (failed != 0) {
    std::fprintf(stderr, "%s: %s\n", argv[1], std::strerror(failed));
    return 2;
  }
  int status = 0;
  rusage usage{};
  if (wait4(child, &status, 0, &usage) != child) {
    std::perror("wait4");
    return 2;
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now() - begin);
  dprintf(kReport, "%ld %ld %ld %d\n", static_cast<long>(took.count()),
          microseconds(usage.ru_utime) + microseconds(usage.ru_stime), usage.ru_maxrss,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return 0;
}
