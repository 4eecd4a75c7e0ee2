#include "engine/os/transient_unit_linux.hpp"

#include <poll.h>
#include <sys/wait.h>
// glibc 2.36 forgot to declare it for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <array>
#include <csignal>

#include "engine/os/call_linux.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/spawn_linux.hpp"

namespace update::os {
namespace {

// Waits for the end of the child or a signal; true: the child has ended.
bool wait_for_either(int pidfd, int stop_fd) {
  std::array<pollfd, 2> waiting = {pollfd{.fd = pidfd, .events = POLLIN, .revents = 0},
                                   pollfd{.fd = stop_fd, .events = POLLIN, .revents = 0}};
  retried([&] { return ::poll(waiting.data(), waiting.size(), -1); });
  return waiting[0].revents != 0;
}

}  // namespace

Result<int> run_attached(const Command& command, SignalStop* stop,
                         const std::function<void()>& interrupted) {
  UPDATE_TRY_ASSIGN(const pid_t pid, spawn_attached(command));
  const UniqueFd pidfd(::pidfd_open(pid, 0));
  if (!pidfd.valid()) return last_error({"watching", command.argv.front()});
  int stop_fd = stop == nullptr ? -1 : stop->poll_fd();
  while (!wait_for_either(pidfd.get(), stop_fd)) {
    const StopRequest::Signal signal = stop->pending();
    if (signal == StopRequest::Signal::terminate) {
      // It only waits, as this process did; what it waits for goes on.
      ::kill(pid, SIGTERM);
      return fail(ErrorCode::unfinished, "left by a signal; the update goes on");
    }
    if (signal == StopRequest::Signal::none) continue;
    stop->hold();  // passed on: it is no request to this process any more
    stop_fd = -1;
    interrupted();
  }
  siginfo_t info{};
  if (retried([&] { return ::waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED); }) !=
      0) {
    return last_error({"waiting for", command.argv.front()});
  }
  if (info.si_code == CLD_EXITED) return info.si_status;
  return fail(ErrorCode::failed,
              command.argv.front() + " was ended by signal " + std::to_string(info.si_status));
}

}  // namespace update::os
