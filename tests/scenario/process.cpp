#include "tests/scenario/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>
#include <thread>

extern char** environ;

namespace update::scenario {
namespace {

std::string read_all(int fd) {
  std::string text;
  std::array<char, 65536> block{};
  ssize_t got = 0;
  while ((got = pread(fd, block.data(), block.size(), static_cast<off_t>(text.size()))) > 0) {
    text.append(block.data(), static_cast<std::size_t>(got));
  }
  return text;
}

std::vector<std::string> child_environment(const Launch& launch) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    // What the person who runs the tests has set must not choose the configuration.
    if (std::string_view(*entry).substr(0, 7) != "BANGER_") {
      result.emplace_back(*entry);
    }
  }
  for (const auto& [name, value] : launch.environment) {
    result.push_back(name + "=" + value);
  }
  return result;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) {
    result.push_back(text.data());
  }
  result.push_back(nullptr);
  return result;
}

// Between fork and exec: async-signal-safe calls only.
[[noreturn]] void become(char** argv, char** envp, const Launch& launch, int out, int err) {
  if (launch.terminal.empty()) {
    setpgid(0, 0);
    const int null = open("/dev/null", O_RDONLY);
    dup2(null, 0);
    dup2(launch.stdout_fd >= 0 ? launch.stdout_fd : out, 1);
    dup2(err, 2);
  } else {
    setsid();
    const int terminal = open(launch.terminal.c_str(), O_RDWR);  // the first one opened controls
    dup2(terminal, 0);
    dup2(terminal, 1);
    dup2(terminal, 2);
  }
  umask(022);
  signal(SIGPIPE, SIG_DFL);
  syscall(SYS_close_range, launch.close_standard ? 0U : 3U, ~0U, 0U);
  execvpe(argv[0], argv, envp);
  _exit(127);
}

}  // namespace

Json Ended::json() const {
  auto parsed = parse_json(out, JsonLimits{std::size_t{1} << 26U, 32});
  if (!parsed) {
    ADD_FAILURE() << "not one JSON document: " << out << "\nstandard error: " << err;
    return nullptr;
  }
  return *parsed;
}

Process::Process(const Arguments& command, const Launch& launch) {
  Arguments words = launch.prefix;
  words.insert(words.end(), command.begin(), command.end());
  std::vector<std::string> settings = child_environment(launch);
  const std::vector<char*> argv = pointers(words);
  const std::vector<char*> envp = pointers(settings);
  out_ = memfd_create("stdout", MFD_CLOEXEC);
  err_ = memfd_create("stderr", MFD_CLOEXEC);
  pid_ = fork();
  if (pid_ == 0) {
    become(const_cast<char**>(argv.data()), const_cast<char**>(envp.data()), launch, out_, err_);
  }
  if (launch.terminal.empty()) {
    setpgid(pid_, pid_);  // both sides do it, so that neither has to wait for the other
  }
}

Process::~Process() {
  if (!ended_) {
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(out_);
  close(err_);
}

bool Process::running() const {
  siginfo_t info{};
  return !ended_ &&
         waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

void Process::send(int signal) const {
  kill(pid_, signal);
}

Ended Process::wait(std::chrono::seconds limit) {
  const int fd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd waiting{fd, POLLIN, 0};
  if (poll(&waiting, 1, static_cast<int>(limit.count() * 1000)) != 1) {
    ADD_FAILURE() << "still running after " << limit.count() << " s: " << read_all(err_);
    kill(-pid_, SIGKILL);
    kill(pid_, SIGKILL);
  }
  close(fd);
  int status = 0;
  waitpid(pid_, &status, 0);
  ended_ = true;
  Ended run;
  run.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  run.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  run.out = read_all(out_);
  run.err = read_all(err_);
  return run;
}

Ended run_process(const Arguments& command, const Launch& launch) {
  return Process(command, launch).wait();
}

void pause_briefly() {
  std::this_thread::sleep_for(std::chrono::milliseconds(2));
}

}  // namespace update::scenario
