#include "tests/systemd/box.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "tests/scenario/host.hpp"
#include "tests/systemd/box_ground.hpp"
#include "tests/systemd/box_init.hpp"

namespace update::systemd {
namespace fs = std::filesystem;
namespace {

using scenario::read_file;
using scenario::write_file;

// What a boot needs of the machine's own units, and what the tests' units refer to.
constexpr std::array kKept = {"basic.target",
                              "dbus.service",
                              "dbus.socket",
                              "final.target",
                              "local-fs-pre.target",
                              "local-fs.target",
                              "multi-user.target",
                              "network-online.target",
                              "network.target",
                              "paths.target",
                              "poweroff.target",
                              "shutdown.target",
                              "slices.target",
                              "sockets.target",
                              "swap.target",
                              "sysinit.target",
                              "systemd-journald-dev-log.socket",
                              "systemd-journald.service",
                              "systemd-journald.socket",
                              "systemd-poweroff.service",
                              "timers.target",
                              "umount.target",
                              "user.slice"};

void link_to(const std::string& target, const std::string& link) {
  std::error_code ignored;
  fs::create_directories(fs::path(link).parent_path());
  fs::remove(link, ignored);
  fs::create_symlink(target, link);
}

void remove_cgroups(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_directory(ignored)) remove_cgroups(entry.path());
  }
  rmdir(folder.c_str());
}

void tell_cgroup(const std::string& file, std::string_view text) {
  std::ofstream(file, std::ios::in) << text;
}

// Ends what lives in the cgroup, and removes it.
void end_cgroup(const std::string& cgroup) {
  tell_cgroup(cgroup + "/cgroup.kill", "1");
  for (int i = 0; i < 5000 && scenario::present(cgroup); ++i) {
    remove_cgroups(cgroup);
    if (scenario::present(cgroup)) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

// Lives as long as the test: the end of the pipe is the end of the test, however it came.
[[noreturn]] void keep(int pipe, const std::string& folder, const std::string& cgroup) {
  setsid();
  dup2(pipe, 3);
  for (const int fd : {0, 1, 2}) close(fd);
  syscall(SYS_close_range, 4U, ~0U, 0U);
  char byte = 0;
  while (read(3, &byte, 1) < 0 && errno == EINTR) {
  }
  end_cgroup(cgroup);
  unmount_box(folder);
  _exit(0);
}

int notify_socket(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0 ? fd : -1;
}

std::string new_boot_id() {
  std::string id = read_file("/proc/sys/kernel/random/uuid");
  return id.substr(0, id.find('\n'));
}

}  // namespace

Box::Box() : folder_(temporary_folder()), root_(folder_ + "/root") {
  enter_private_mounts();
  const std::string trouble = mount_box(folder_);
  cgroup_ = folder_ + "/cgroup/" + fs::path(folder_).filename().string();
  if (!trouble.empty() || mkdir(cgroup_.c_str(), 0755) != 0) {
    ADD_FAILURE() << "no box: " << trouble << " " << strerror(errno);
    std::abort();
  }
  std::array<int, 2> ends{};
  [[maybe_unused]] const int made = pipe2(ends.data(), O_CLOEXEC);
  keeper_pid_ = fork();
  if (keeper_pid_ == 0) keep(ends[0], folder_, cgroup_);
  close(ends[0]);
  keeper_ = ends[1];
  notify_ = notify_socket(folder_ + "/notify");
  prepare_root();
}

Box::~Box() {
  close(keeper_);
  waitpid(keeper_pid_, nullptr, 0);
  if (init_ > 0) waitpid(init_, nullptr, 0);
  close(notify_);
}

void Box::prepare_root() const {
  const std::string units = outside(kUnits);
  for (const char* name : kKept) {
    for (const char* folder : {"/usr/lib/systemd/system/", "/lib/systemd/system/"}) {
      const std::string original = std::string(folder) + name;
      if (!scenario::present(original)) continue;
      fs::copy(original, units + "/" + name,
               fs::copy_options::copy_symlinks | fs::copy_options::overwrite_existing);
      break;
    }
  }
  const std::string system = outside("/etc/systemd/system");
  link_to(std::string(kUnits) + "/multi-user.target", system + "/default.target");
  const auto want = [&](const std::string& target, const std::string& unit) {
    if (scenario::present(units + "/" + unit)) {
      link_to(std::string(kUnits) + "/" + unit, system + "/" + target + ".wants/" + unit);
    }
  };
  want("sysinit.target", "systemd-journald.service");
  for (const char* name :
       {"systemd-journald.socket", "systemd-journald-dev-log.socket", "dbus.socket"}) {
    want("sockets.target", name);
  }
  write_file(outside("/etc/systemd/journald.conf"),
             "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nRateLimitIntervalSec=0\n"
             "RuntimeMaxUse=64M\n");
  write_file(outside("/etc/systemd/system.conf"),
             "[Manager]\nShowStatus=no\nDefaultTimeoutStopSec=4s\n");
  write_file(outside("/etc/machine-id"), "5c9a3b7d1e2f4a6b8c0d1e2f3a4b5c6d\n", 0444);
  write_file(outside("/etc/hostname"), "box\n");
  write_file(outside("/etc/fstab"), "");
}

void Box::unit(const std::string& name, const std::string& text) const {
  write_file(outside("/etc/systemd/system/" + name), text);
}

void Box::enable(const std::string& unit) const {
  const std::string own = "/etc/systemd/system/" + unit;
  link_to(scenario::present(outside(own)) ? own : kUnits + ("/" + unit),
          outside("/etc/systemd/system/multi-user.target.wants/" + unit));
}

void Box::mask(const std::string& unit) const {
  link_to("/dev/null", outside("/etc/systemd/system/" + unit));
}

void Box::drop_cgroup() const {
  for (const auto& entry : fs::directory_iterator(cgroup_)) {
    if (entry.is_directory()) end_cgroup(entry.path());
  }
}

bool Box::running() const {
  siginfo_t info{};
  return init_ > 0 &&
         waitid(P_PID, static_cast<id_t>(init_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == 0;
}

bool Box::begin_boot() {
  std::array<char, 4096> old{};
  while (recv(notify_, old.data(), old.size(), MSG_DONTWAIT) > 0) {
  }
  const Boot boot{root_, cgroup_, folder_ + "/notify", new_boot_id(), folder_ + "/console"};
  init_ = clone_into_namespaces();
  if (init_ == 0) become_systemd(boot);
  EXPECT_GT(init_, 0) << "no namespaces: " << strerror(errno);
  return init_ > 0;
}

bool Box::boot_is_over(std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  std::array<char, 4096> text{};
  while (std::chrono::steady_clock::now() < end) {
    if (!running()) {
      ADD_FAILURE() << "the box ended: " << read_file(folder_ + "/console");
      return false;
    }
    pollfd waiting{notify_, POLLIN, 0};
    if (poll(&waiting, 1, 50) != 1) continue;
    const ssize_t got = recv(notify_, text.data(), text.size(), 0);
    if (scenario::contains({text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))},
                           "READY=1")) {
      return true;
    }
  }
  ADD_FAILURE() << "the boot is not over after " << limit.count() << " s; jobs:\n"
                << run({"systemctl", "list-jobs"}).out << read_file(folder_ + "/console");
  return false;
}

bool Box::boot(std::chrono::seconds limit) {
  return begin_boot() && boot_is_over(limit);
}

// All at once: were PID 1 the first to go, a program that waits for its answer could still see and
// record that it is gone.
void Box::power_off() {
  tell_cgroup(cgroup_ + "/cgroup.freeze", "1");
  scenario::eventually(
      [&] { return scenario::contains(read_file(cgroup_ + "/cgroup.events"), "frozen 1"); });
  tell_cgroup(cgroup_ + "/cgroup.kill", "1");
  kill(init_, SIGKILL);
  waitpid(init_, nullptr, 0);
  init_ = -1;
  tell_cgroup(cgroup_ + "/cgroup.freeze", "0");
  drop_cgroup();
}

void Box::shut_down() {
  kill(init_, SIGRTMIN + 4);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (running() && std::chrono::steady_clock::now() < end) scenario::pause_briefly();
  EXPECT_FALSE(running()) << "the box does not shut down";
  power_off();
}

scenario::Launch Box::launch() const {
  scenario::Launch launch;
  launch.prefix = {BOX_ENTER_PROGRAM, std::to_string(init_), cgroup_ + "/shell"};
  return launch;
}

Ended Box::run(const Arguments& command) const {
  return run_process(command, launch());
}

std::string Box::output(const Arguments& command, int code) const {
  Ended ended = run(command);
  EXPECT_EQ(ended.code, code) << command.front() << ": " << ended.out << ended.err;
  while (!ended.out.empty() && ended.out.back() == '\n') ended.out.pop_back();
  return ended.out;
}

std::string Box::shell(const std::string& text, int code) const {
  return output({"sh", "-c", text}, code);
}

std::string Box::property(const std::string& unit, const std::string& name) const {
  return output({"systemctl", "show", "--value", "-p", name, "--", unit});
}

pid_t Box::main_pid(const std::string& unit) const {
  const std::string text = property(unit, "MainPID");
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  return pid;
}

std::string Box::journal(const std::string& unit) const {
  return output({"sh", "-c", "journalctl --sync; journalctl -q -o cat -u '" + unit + "'"});
}

std::vector<std::string> Box::failed_units() const {
  std::istringstream lines(
      output({"systemctl", "list-units", "--failed", "--plain", "--no-legend"}));
  std::vector<std::string> units;
  for (std::string line; std::getline(lines, line);) {
    units.push_back(line.substr(0, line.find(' ')));
  }
  return units;
}

std::string Box::inside(const std::string& path) const {
  return "/proc/" + std::to_string(init_) + "/root" + path;
}

}  // namespace update::systemd
