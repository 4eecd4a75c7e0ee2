#include "engine/os/confinement_linux.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <exception>
#include <new>
#include <optional>
#include <string_view>

#include "engine/base/text.hpp"
#include "engine/os/call_linux.hpp"
#include "engine/os/clock_linux.hpp"
#include "engine/os/confine_linux.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/file_linux.hpp"

namespace update::os {

namespace {

// What the child sends: this, then the message, the hint, and the answer.
struct FrameHeader {
  std::int32_t code = 0;  ///< 0: no error
  std::int32_t system_errno = 0;
  std::uint32_t message_bytes = 0;
  std::uint32_t hint_bytes = 0;
};

constexpr std::size_t kMessageMax = 4096;

Error child_error(std::string_view message) {
  return {ErrorCode::not_trusted, std::string(message)};
}

// Sound data can need more than is given, too: that says nothing against it.
Error limit_error(std::string_view message) {
  return {ErrorCode::failed, std::string(message)};
}

std::string frame_of(const Error& error) {
  const std::string message = error.message().substr(0, kMessageMax);
  const std::string hint = error.hint().substr(0, kMessageMax);
  const FrameHeader header{.code = static_cast<std::int32_t>(error.code()),
                           .system_errno = error.system_errno(),
                           .message_bytes = static_cast<std::uint32_t>(message.size()),
                           .hint_bytes = static_cast<std::uint32_t>(hint.size())};
  std::string frame(sizeof header, '\0');
  std::memcpy(frame.data(), &header, sizeof header);
  return frame.append(message).append(hint);
}

bool write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = retried([&] { return ::write(fd, bytes.data(), bytes.size()); });
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool send_answer(int fd, const Result<std::string>& answer) {
  if (!answer) return write_all(fd, frame_of(answer.error()));
  const FrameHeader header;
  std::array<char, sizeof header> bytes{};
  std::memcpy(bytes.data(), &header, sizeof header);
  return write_all(fd, {bytes.data(), bytes.size()}) && write_all(fd, *answer);
}

/// The whole life of the child.
[[noreturn]] void be_child(const Cell& cell, const std::function<Result<std::string>()>& work) {
  bool sent = false;
  // Memory is bounded here, and the answer says so.
  std::set_new_handler(nullptr);
  try {
    if (Status confined = confine(cell); !confined) {
      sent = send_answer(cell.answer, fail(std::move(confined).error()));
    } else {
      sent = send_answer(cell.answer, work());
    }
  } catch (const std::bad_alloc&) {
    sent = send_answer(cell.answer, fail(limit_error("more memory is needed than is given")));
  } catch (const std::exception& exception) {
    sent = send_answer(cell.answer, fail(child_error(exception.what())));
  }
  // Not exit(3): what is buffered, and what runs at the end, is the parent's.
  ::_exit(sent ? 0 : 1);
}

/// The child's error as it was. It may be made up by whoever took the child over: bounded, known,
/// and safe to show.
Error error_from(const FrameHeader& header, std::string_view rest) {
  const bool known = header.code >= static_cast<std::int32_t>(ErrorCode::failed) &&
                     header.code <= static_cast<std::int32_t>(ErrorCode::commit_unknown) &&
                     header.message_bytes <= kMessageMax && header.hint_bytes <= kMessageMax &&
                     std::size_t{header.message_bytes} + header.hint_bytes == rest.size();
  if (!known) return child_error("the answer of a confined child is damaged");
  std::string message = escape(rest.substr(0, header.message_bytes));
  const std::string hint = escape(rest.substr(header.message_bytes));
  const auto code = static_cast<ErrorCode>(header.code);
  Error error(code, message);
  if (header.system_errno != 0) {
    // from_errno() says the system's words, which the message ends with already.
    const std::string words = Error::from_errno(header.system_errno, "").message();
    if (message.ends_with(words)) {
      message.resize(message.size() - words.size());
      error = Error::from_errno(header.system_errno, message).as(code);
    }
  }
  return hint.empty() ? error : std::move(error).hint(hint);
}

Result<std::string> answer_from(std::string frame) {
  FrameHeader header;
  if (frame.size() < sizeof header) {
    return fail(child_error("a confined child ended without an answer"));
  }
  std::memcpy(&header, frame.data(), sizeof header);
  if (header.code != 0) {
    return fail(error_from(header, std::string_view(frame).substr(sizeof header)));
  }
  frame.erase(0, sizeof header);
  return frame;
}

/// nullopt: the pipe was read to its end. Else what the child is to be killed for.
std::optional<Error> read_answer(int fd, const ConfinementLimits& limits, std::string& frame) {
  const std::int64_t seconds = 2 * limits.cpu_seconds + 10;
  LinuxClock clock;
  const std::int64_t deadline_ms = clock.monotonic_ms() + 1000 * seconds;
  const std::uint64_t most = limits.answer_bytes + sizeof(FrameHeader);
  constexpr std::size_t kChunk = 1U << 16;
  for (;;) {
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const std::int64_t left_ms = std::max<std::int64_t>(0, deadline_ms - clock.monotonic_ms());
    const int ready =
        ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left_ms, 60'000)));
    if (ready <= 0 && left_ms == 0) {
      return limit_error("a confined child was killed: it took longer than " +
                         std::to_string(seconds) + " s");
    }
    if (ready <= 0) continue;
    const std::size_t before = frame.size();
    frame.resize(before + kChunk);
    const ssize_t count = retried([&] { return ::read(fd, frame.data() + before, kChunk); });
    frame.resize(before + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0) return Error::from_errno(errno, "reading the answer of a confined child");
    if (count == 0) return std::nullopt;
    if (frame.size() > most) {
      return limit_error("a confined child was killed: its answer is larger than " +
                         format_size(limits.answer_bytes));
    }
  }
}

Error killed_by(int signal) {
  std::string text = "a confined child was killed by signal " + std::to_string(signal);
  if (const char* const name = ::sigabbrev_np(signal))
    text.append(" (SIG").append(name).append(")");
  if (signal == SIGSYS) text.append(": it made a system call that it may not make");
  if (signal == SIGXCPU) return limit_error(text + ": it used up its processor time");
  return child_error(text);
}

Result<Cell> cell_for(const ConfinementLimits& limits, int answer) {
  Cell cell{.parent = ::getpid(),
            .files = {},
            .answer = answer,
            .writes = limits.writes,
            .address_space_bytes = 0,
            .cpu_seconds = limits.cpu_seconds};
  for (File* const file : limits.files) {
    const auto* const linux_file = dynamic_cast<LinuxFile*>(file);
    if (linux_file == nullptr) return system_error(EBADF, {"giving a file to a confined child"});
    cell.files.push_back(linux_file->descriptor());
  }
  UPDATE_TRY_ASSIGN(const std::uint64_t present, address_space_bytes());
  cell.address_space_bytes = present + limits.memory_bytes;
  return cell;
}

}  // namespace

Result<std::string> LinuxConfinement::run(const ConfinementLimits& limits,
                                          const std::function<Result<std::string>()>& work) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return last_error({"making a pipe for a child"});
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  UPDATE_TRY_ASSIGN(const Cell cell, cell_for(limits, write_end.get()));

  const pid_t child = ::fork();
  if (child < 0) return last_error({"starting a confined child"});
  if (child == 0) be_child(cell, work);
  write_end.reset();
  std::string frame;
  const std::optional<Error> broken = read_answer(read_end.get(), limits, frame);
  if (broken) ::kill(child, SIGKILL);
  int status = 0;
  const pid_t reaped = retried([&] { return ::waitpid(child, &status, 0); });
  if (broken) return fail(*broken);
  if (reaped < 0) return last_error({"waiting for a confined child"});
  if (WIFSIGNALED(status)) return fail(killed_by(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return fail(child_error("a confined child ended with an error"));
  return answer_from(std::move(frame));
}

}  // namespace update::os
