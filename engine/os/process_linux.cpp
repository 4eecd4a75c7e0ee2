#include "engine/os/process_linux.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
// glibc 2.36 forgot to declare it for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <ctime>
#include <string_view>

#include "engine/os/call_linux.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/spawn_linux.hpp"

// The life of a child: it is started in a group of its own and watched through a pidfd, its output
// drained all the while, until it ends, its time is over or this process is told to stop. Then its
// group is killed, what is in the pipe is taken, and it is reaped. The pipe's end is not waited
// for: a process that left the group may hold it open for ever.
namespace update::os {

namespace {

// A process that is stuck in the kernel (state D) outlives SIGKILL: it must not keep the update.
constexpr std::int64_t kKillWaitMs = 5000;

// CLOCK_MONOTONIC, which stands still while the machine sleeps, since the child does so as well.
std::int64_t now_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

// The first and the last half of at most `limit` bytes, in memory of about twice as much.
class KeptOutput {
 public:
  explicit KeptOutput(std::size_t limit)
      : head_limit_(limit / 2), tail_limit_(limit - head_limit_) {}

  void append(std::string_view bytes) {
    total_ += bytes.size();
    const std::size_t to_head = std::min(bytes.size(), head_limit_ - head_.size());
    head_.append(bytes.substr(0, to_head));
    bytes.remove_prefix(to_head);
    if (bytes.size() > tail_limit_) bytes.remove_prefix(bytes.size() - tail_limit_);
    tail_.append(bytes);
    // Not on each call: that would move the whole tail for every few bytes.
    if (tail_.size() / 2 > tail_limit_) cut_tail();
  }

  std::uint64_t total() const { return total_; }

  std::string take() {
    cut_tail();
    const std::uint64_t left_out = total_ - head_.size() - tail_.size();
    if (left_out > 0) {
      if (!head_.empty() && !head_.ends_with('\n')) head_.push_back('\n');
      head_.append("[" + std::to_string(left_out) + " bytes left out]\n");
    }
    return std::move(head_) + tail_;
  }

 private:
  void cut_tail() {
    if (tail_.size() > tail_limit_) tail_.erase(0, tail_.size() - tail_limit_);
  }

  std::size_t head_limit_;
  std::size_t tail_limit_;
  std::string head_;
  std::string tail_;
  std::uint64_t total_ = 0;
};

struct Child {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd output;
};

// The child is not reaped yet, so that no other process or group can have its number. It may have
// left its group (setpgid(2)), so it is killed by itself, too.
void kill_group(const Child& child) {
  ::kill(-child.pid, SIGKILL);
  ::kill(child.pid, SIGKILL);
}

// Reads at most `limit` bytes, and at most once; false at the end of the output.
bool drain_once(const Child& child, KeptOutput& kept, std::size_t limit) {
  std::array<char, 64 * 1024> bytes;
  const ssize_t size = retried(
      [&] { return ::read(child.output.get(), bytes.data(), std::min(bytes.size(), limit)); });
  if (size <= 0) return false;
  kept.append({bytes.data(), static_cast<std::size_t>(size)});
  return true;
}

// What is in the pipe now and no more: somebody may go on writing for ever.
void drain_rest(const Child& child, KeptOutput& kept) {
  int left = 0;
  if (::ioctl(child.output.get(), FIONREAD, &left) != 0) return;
  const std::uint64_t end = kept.total() + static_cast<std::uint64_t>(left);
  while (kept.total() < end && drain_once(child, kept, end - kept.total())) {
  }
}

int poll_timeout(std::int64_t deadline_ms) {
  return static_cast<int>(std::clamp<std::int64_t>(deadline_ms - now_ms(), 0, INT_MAX));
}

// Waits for one of the three ends, and empties the pipe meanwhile.
ProcessEnd watch(const Child& child, KeptOutput& kept, std::int64_t deadline_ms, SignalStop* stop) {
  std::array<pollfd, 3> waiting{};
  auto& [ended, printed, stopping] = waiting;
  ended = {.fd = child.pidfd.get(), .events = POLLIN, .revents = 0};
  printed = {.fd = child.output.get(), .events = POLLIN, .revents = 0};
  stopping = {.fd = stop == nullptr ? -1 : stop->poll_fd(), .events = POLLIN, .revents = 0};
  for (;;) {
    for (pollfd& each : waiting) each.revents = 0;
    ::poll(waiting.data(), waiting.size(), poll_timeout(deadline_ms));
    if (ended.revents != 0) return ProcessEnd::exited;
    if (stopping.revents != 0 && stop->pending() != StopRequest::Signal::none) {
      return ProcessEnd::stopped;
    }
    if (now_ms() >= deadline_ms) return ProcessEnd::timed_out;
    if (printed.revents != 0 && !drain_once(child, kept, SIZE_MAX)) printed.fd = -1;
  }
}

// How the child ended by itself; an error where that cannot be found out, for no answer must not be
// taken for a good one. Killed by us, `end` stays what it is, and nobody asks for more.
Status reap(const Child& child, const Command& command, ProcessResult& result) {
  const auto unknown = [&]() -> Status {
    if (result.end != ProcessEnd::exited) return {};
    return last_error({"waiting for the end of", command.argv.front()});
  };
  siginfo_t info{};
  pollfd ended{.fd = child.pidfd.get(), .events = POLLIN, .revents = 0};
  if (retried([&] { return ::poll(&ended, 1, kKillWaitMs); }) <= 0) return unknown();
  // Without WNOHANG: a tracer may still hold the zombie for a moment, and "not yet" read as an end
  // would undo a good update.
  const auto id = static_cast<id_t>(child.pidfd.get());
  if (retried([&] { return ::waitid(P_PIDFD, id, &info, WEXITED); }) != 0) return unknown();
  result.status = info.si_status;
  if (result.end == ProcessEnd::exited && info.si_code != CLD_EXITED) {
    result.end = ProcessEnd::signalled;
  }
  return {};
}

}  // namespace

LinuxProcessRunner::LinuxProcessRunner(SignalStop* stop) : stop_(stop) {
  std::signal(SIGCHLD, SIG_DFL);
}

Result<ProcessResult> LinuxProcessRunner::run(const Command& command) {
  ProcessResult result;
  if (stop_ != nullptr && stop_->pending() != StopRequest::Signal::none) {
    result.end = ProcessEnd::stopped;
    return result;
  }

  std::array<int, 2> ends{};
  // Not O_NONBLOCK, which the program would find on its standard output: nothing is read here that
  // poll(2) or FIONREAD has not announced.
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return last_error({"making a pipe for a program"});
  Child child;
  child.output = UniqueFd(ends[0]);
  UniqueFd write_end(ends[1]);

  const std::int64_t start_ms = now_ms();
  UPDATE_TRY_ASSIGN(child.pid, spawn(command, write_end.get()));
  write_end.reset();
  child.pidfd = UniqueFd(::pidfd_open(child.pid, 0));
  if (!child.pidfd.valid()) {
    const int number = errno;
    kill_group(child);
    retried([&] { return ::waitpid(child.pid, nullptr, 0); });
    return system_error(number, {"watching", command.argv.front()});
  }

  KeptOutput kept(command.output_limit);
  const bool limited = command.timeout_ms > 0 && command.timeout_ms < INT64_MAX - start_ms;
  const std::int64_t deadline_ms = limited ? start_ms + command.timeout_ms : INT64_MAX;
  result.end = watch(child, kept, deadline_ms, stop_);
  kill_group(child);
  UPDATE_TRY(reap(child, command, result));
  drain_rest(child, kept);
  result.output_bytes = kept.total();
  result.output = kept.take();
  result.duration_ms = now_ms() - start_ms;
  return result;
}

}  // namespace update::os
