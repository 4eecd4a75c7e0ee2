#include "engine/os/process_table_linux.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
// glibc 2.36 forgot to declare it for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>

#include "engine/os/call_linux.hpp"
#include "engine/os/fd.hpp"
#include "engine/os/file_linux.hpp"
#include "engine/os/inode_linux.hpp"
#include "engine/os/small_file_linux.hpp"

namespace update::os {

namespace {

constexpr std::size_t kNameBytes = 15;

std::string folder_of(std::int64_t pid) {
  return "/proc/" + std::to_string(pid);
}

// Of the lines of /proc/PID/cgroup (cgroups(7)), `ID:CONTROLLERS:PATH`, that of the hierarchy which
// systemd manages: the only one, or the one that carries its name.
std::string systemd_group(const std::string& text) {
  for (const std::string_view prefix : {"0::", ":name=systemd:"}) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      const std::string_view line = std::string_view(text).substr(at, end - at);
      const std::size_t found = line.find(prefix);
      const bool ours = prefix.starts_with(':') ? found != std::string_view::npos : found == 0;
      if (ours) {
        const std::string_view group = line.substr(found + prefix.size());
        // On a hybrid host the unified hierarchy may be empty of groups, and says "/" of everybody.
        if (group != "/") return std::string(group);
      }
      at = end + 1;
    }
  }
  return {};
}

bool is_within(std::string_view group, std::string_view outer) {
  return group == outer ||
         (group.starts_with(outer) && group.substr(outer.size()).starts_with('/'));
}

std::string group_of(std::int64_t pid) {
  return systemd_group(read_small(folder_of(pid) + "/cgroup"));
}

}  // namespace

std::optional<ProcessId> LinuxProcessTable::find(std::int64_t pid) {
  const auto start = host_.process_start(pid);
  if (!start) return std::nullopt;
  return ProcessId{pid, *start};
}

std::vector<NamedProcess> LinuxProcessTable::all() {
  std::vector<NamedProcess> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir("/proc"), &::closedir);
  if (!folder) return found;
  while (const dirent* entry = ::readdir(folder.get())) {
    const auto pid = parse_number<std::int64_t>(entry->d_name);
    const auto process = pid ? find(*pid) : std::nullopt;
    if (process) found.push_back({*process, read_small(folder_of(*pid) + "/comm")});
  }
  return found;
}

std::vector<NamedProcess> LinuxProcessTable::named(const std::vector<std::string>& names) {
  if (names.empty()) return {};
  std::vector<NamedProcess> found = all();
  std::erase_if(found, [&](const NamedProcess& process) {
    return std::none_of(names.begin(), names.end(), [&](const std::string& name) {
      return process.name == name.substr(0, kNameBytes);
    });
  });
  return found;
}

std::vector<NamedProcess> LinuxProcessTable::in_group(const std::string& control_group) {
  // The root group, and a unit without one, hold no workload of a unit's.
  if (control_group.size() < 2) return {};
  std::vector<NamedProcess> found = all();
  std::erase_if(found, [&](const NamedProcess& process) {
    return !is_within(group_of(process.id.pid), control_group);
  });
  return found;
}

std::optional<Executable> LinuxProcessTable::executable(std::int64_t pid) {
  const std::string link = folder_of(pid) + "/exe";
  std::array<char, PATH_MAX> path;
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  struct stat status {};
  // stat(2) follows this link to the inode itself, a deleted one too (proc(5)).
  if (size < 0 || ::stat(link.c_str(), &status) != 0) return std::nullopt;
  std::string_view name(path.data(), static_cast<std::size_t>(size));
  // The kernel adds it once the file has lost its name, to an update for instance.
  constexpr std::string_view kDeleted = " (deleted)";
  if (name.ends_with(kDeleted)) name.remove_suffix(kDeleted.size());
  return Executable{std::string(name), file_info_of(status).identity};
}

Result<std::unique_ptr<File>> LinuxProcessTable::open_executable(std::int64_t pid) {
  const std::string link = folder_of(pid) + "/exe";
  UniqueFd fd(retried([&] { return ::open(link.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return last_error({"opening", link});
  return std::make_unique<LinuxFile>(std::move(fd), link);
}

Status LinuxProcessTable::end(const ProcessId& process, std::int64_t timeout_ms) {
  const UniqueFd pidfd(::pidfd_open(static_cast<pid_t>(process.pid), 0));
  if (!pidfd.valid()) {
    if (errno == ESRCH) return {};
    return last_error({"reaching process", std::to_string(process.pid)});
  }
  // Looked at after it was opened: from here on the descriptor stands for this process alone.
  if (find(process.pid) != process) return {};
  if (::pidfd_send_signal(pidfd.get(), SIGKILL, nullptr, 0) != 0 && errno != ESRCH) {
    return last_error({"ending process", std::to_string(process.pid)});
  }
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  const int limit = static_cast<int>(std::min<std::int64_t>(timeout_ms, INT_MAX));
  if (retried([&] { return ::poll(&ended, 1, limit); }) > 0) return {};
  return fail(ErrorCode::failed,
              "process " + std::to_string(process.pid) + " was killed and does not end");
}

std::string LinuxProcessTable::own_group() {
  return systemd_group(read_small("/proc/self/cgroup"));
}

}  // namespace update::os
