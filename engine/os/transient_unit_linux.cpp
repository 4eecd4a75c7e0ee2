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

constexpr int kLookAgainMs = 100;

// Until the child has ended or a signal has come, or for a moment: where no descriptor is to be had
// for either (EMFILE), a look now and then does as well.
void wait_for_either(int pidfd, int stop_fd) {
  std::array<pollfd, 2> waiting = {pollfd{.fd = pidfd, .events = POLLIN, .revents = 0},
                                   pollfd{.fd = stop_fd, .events = POLLIN, .revents = 0}};
  retried([&] { return ::poll(waiting.data(), waiting.size(), kLookAgainMs); });
}

bool has_ended(pid_t pid, UnitEnd& end) {
  siginfo_t info{};
  // Where SIGCHLD was ignored by whoever started this process, the kernel keeps no status.
  if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG) != 0) return true;
  if (info.si_pid == 0) return false;
  if (info.si_code == CLD_EXITED) end.status = info.si_status;
  return true;
}

}  // namespace

Result<UnitEnd> run_attached(const Command& command, SignalStop* stop,
                             const std::function<bool()>& interrupt) {
  UPDATE_TRY_ASSIGN(const pid_t pid, spawn_attached(command));
  const UniqueFd pidfd(::pidfd_open(pid, 0));
  UnitEnd end;
  bool told = false;
  while (!has_ended(pid, end)) {
    wait_for_either(pidfd.get(), stop == nullptr ? -1 : stop->poll_fd());
    const auto signal = stop == nullptr ? StopRequest::Signal::none : stop->pending();
    if (signal == StopRequest::Signal::terminate) {
      // It only waits, as this process did; what it waits for goes on.
      ::kill(pid, SIGTERM);
      return fail(ErrorCode::unfinished, "left by a signal; the update goes on");
    }
    if (signal == StopRequest::Signal::interrupt) {
      stop->hold();  // passed on: it is no request to this process any more
      end.interrupted = true;
    }
    if (end.interrupted && !told) told = interrupt();
  }
  return end;
}

}  // namespace update::os
