#include "engine/os/spawn_linux.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <optional>
#include <string_view>

#include "engine/os/call_linux.hpp"

namespace update::os {

namespace {

// posix_spawn(3) and not fork(2): it shares the memory until execve(2), so that a start costs the
// same however much this process holds, and it hands back execve's error.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  ~SpawnSettings() {
    posix_spawnattr_destroy(&attributes_);
    posix_spawn_file_actions_destroy(&actions_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  /// For a child that prints to `output_fd`, or that has our standard descriptors and folder. An
  /// errno, or 0.
  int prepare(std::optional<int> output_fd) {
    int error = output_fd ? redirect(*output_fd) : 0;
    // Also what a careless parent of ours left open without FD_CLOEXEC.
    if (error == 0) {
      error = posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    }
    return error != 0 ? error : set_attributes();
  }

  const posix_spawn_file_actions_t* actions() const { return &actions_; }
  const posix_spawnattr_t* attributes() const { return &attributes_; }

 private:
  int redirect(int output_fd) {
    // The output first: where this process was started without a descriptor 0, `output_fd` may be
    // 0.
    for (const int error :
         {posix_spawn_file_actions_adddup2(&actions_, output_fd, STDOUT_FILENO),
          posix_spawn_file_actions_adddup2(&actions_, output_fd, STDERR_FILENO),
          posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0),
          posix_spawn_file_actions_addchdir_np(&actions_, "/")}) {
      if (error != 0) return error;
    }
    return 0;
  }

  int set_attributes() {
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes_, &signals);
    // Not sigfillset(3): it leaves out the two that glibc keeps for itself, and posix_spawn(3) then
    // starts the program with those ignored.
    std::memset(&signals, 0xff, sizeof signals);
    posix_spawnattr_setsigdefault(&attributes_, &signals);
    posix_spawnattr_setpgroup(&attributes_, 0);
    return posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

// A NUL would cut an argument short, and another command would run.
bool holds_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

Status check(const Command& command) {
  if (command.argv.empty()) return system_error(EINVAL, {"starting a program without a name"});
  for (const std::string& argument : command.argv) {
    if (holds_nul(argument)) return system_error(EINVAL, {"starting", command.argv.front()});
  }
  for (const auto& [name, value] : command.environment) {
    if (name.empty() || name.find('=') != std::string::npos || holds_nul(name) ||
        holds_nul(value)) {
      return system_error(EINVAL, {"starting", command.argv.front(), "with the variable", name});
    }
  }
  return {};
}

/// Absolute parts of PATH only: an empty or a relative one means the current folder to a shell.
Result<std::string> find_program(const Command& command) {
  const std::string& name = command.argv.front();
  if (name.starts_with('/')) return name;
  std::string_view folders;
  for (const auto& [variable, value] : command.environment) {
    if (variable == "PATH") folders = value;
  }
  int error = ENOENT;
  while (!folders.empty() && !name.empty() && name.find('/') == std::string::npos) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
    if (!folder.starts_with('/')) continue;
    std::string path(folder);
    path.append("/").append(name);
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    if (::faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0) return path;
    error = EACCES;
  }
  return system_error(error, {"starting", name});
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

Result<pid_t> spawn_with(const Command& command, std::optional<int> output_fd) {
  UPDATE_TRY(check(command));
  UPDATE_TRY_ASSIGN(const std::string program, find_program(command));

  std::vector<std::string> argv = command.argv;
  std::vector<std::string> environment;
  environment.reserve(command.environment.size());
  for (const auto& [name, value] : command.environment) {
    environment.push_back(name);
    environment.back().append("=").append(value);
  }

  SpawnSettings settings;
  int error = settings.prepare(output_fd);
  pid_t pid = -1;
  if (error == 0) {
    // posix_spawn(3) has no setting for the umask. To set ours for that moment is safe, since only
    // this thread creates files and no file of ours takes its mode from the umask.
    const mode_t umask_before = ::umask(022);
    error = posix_spawn(&pid, program.c_str(), settings.actions(), settings.attributes(),
                        pointers_to(argv).data(), pointers_to(environment).data());
    ::umask(umask_before);
  }
  if (error != 0) return system_error(error, {"starting", program});
  return pid;
}

}  // namespace

Result<pid_t> spawn(const Command& command, int output_fd) {
  return spawn_with(command, output_fd);
}

Result<pid_t> spawn_attached(const Command& command) {
  return spawn_with(command, std::nullopt);
}

}  // namespace update::os
