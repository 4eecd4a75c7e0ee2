#include "engine/os/host_linux.hpp"

#include <signal.h>
#include <sys/random.h>
#include <unistd.h>

#include <ctime>
#include <new>
#include <string_view>

#include "engine/os/call_linux.hpp"
#include "engine/os/small_file_linux.hpp"

namespace update::os {

namespace {

/// Made beforehand: who says them may touch no lock and allocate nothing (signal-safety(7)).
struct LastWords {
  std::string text = "out of memory\n";  // no longer than what a string holds by itself
  int code = exit_code(ErrorCode::no_space);

  LastWords& operator=(const Error& error) {
    text = "banger-update: " + error.message() + "\n";
    if (!error.hint().empty()) text += "hint: " + error.hint() + "\n";
    code = exit_code(error.code());
    return *this;
  }

  [[noreturn]] void say_and_end() const {
    const ssize_t said = ::write(STDERR_FILENO, text.data(), text.size());
    static_cast<void>(said);
    ::_exit(code);
  }
};

LastWords lost_page;
LastWords lost_memory;

extern "C" void end_for_page(int /*signal*/) {
  lost_page.say_and_end();
}

void end_for_memory() {
  lost_memory.say_and_end();
}

}  // namespace

std::string LinuxHost::boot_id() {
  if (boot_id_.empty()) boot_id_ = read_small("/proc/sys/kernel/random/boot_id");
  if (boot_id_.empty()) boot_id_ = "unknown-" + std::to_string(random_u32());
  return boot_id_;
}

std::uint32_t LinuxHost::random_u32() {
  // getrandom(2) fails only on a kernel without it. Names are created exclusively, so that a value
  // that can be guessed costs a retry there and no safety.
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  auto value = static_cast<std::uint32_t>(now.tv_nsec);
  retried([&] { return ::getrandom(&value, sizeof value, 0); });
  return value;
}

std::uint32_t LinuxHost::uid() {
  return ::geteuid();
}

std::uint32_t LinuxHost::gid() {
  return ::getegid();
}

std::int64_t LinuxHost::pid() {
  return ::getpid();
}

std::optional<std::uint64_t> LinuxHost::process_start(std::int64_t pid) {
  if (pid <= 0) return std::nullopt;
  const std::string text = read_small("/proc/" + std::to_string(pid) + "/stat");
  // Field 2 is the name in parentheses, and a program may call itself "x) R 1 (y" (proc(5)).
  const std::size_t name_end = text.rfind(") ");
  if (name_end == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(text).substr(name_end + 2);
  if (rest.starts_with('Z') || rest.starts_with('X')) return std::nullopt;
  constexpr int kStateField = 3;
  constexpr int kStartField = 22;
  for (int field = kStateField; field < kStartField; ++field) {
    const std::size_t blank = rest.find(' ');
    if (blank == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(blank + 1);
  }
  return parse_number<std::uint64_t>(rest.substr(0, rest.find(' ')));
}

std::optional<std::uint32_t> LinuxHost::login_uid() {
  const auto uid = parse_number<std::uint32_t>(read_small("/proc/self/loginuid"));
  if (uid != UINT32_MAX) return uid;
  // Nobody logged in: a service, or the boot. Or root said who it was, which only root may.
  if (!told_login_uid_ || ::geteuid() != 0) return std::nullopt;
  return parse_number<std::uint32_t>(*told_login_uid_);
}

void LinuxHost::end_on_lost_page(const Error& error) {
  lost_page = error;
  struct sigaction action {};
  action.sa_handler = end_for_page;
  ::sigaction(SIGBUS, &action, nullptr);
}

void LinuxHost::end_on_lost_memory(const Error& error) {
  std::set_new_handler(end_for_memory);
  lost_memory = error;
}

}  // namespace update::os
