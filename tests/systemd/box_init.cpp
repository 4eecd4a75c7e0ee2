#include "tests/systemd/box_init.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace update::systemd {
namespace {

void must(bool done, const std::string& what) {
  if (done) return;
  dprintf(2, "%s: %s\n", what.c_str(), strerror(errno));
  _exit(1);
}

void mount_new(const char* type, const std::string& target, unsigned long flags,
               const char* options = "") {
  mkdir(target.c_str(), 0755);
  must(mount(type, target.c_str(), type, flags, options) == 0, std::string("mount of ") + target);
}

void bind(const std::string& from, const std::string& to) {
  close(open(to.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  must(mount(from.c_str(), to.c_str(), nullptr, MS_BIND, nullptr) == 0, "bind to " + to);
}

void make_read_only(const std::string& path) {
  must(mount(path.c_str(), path.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0, "bind " + path);
  must(mount(nullptr, path.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0,
       "read-only " + path);
}

void write_text(const std::string& path, const std::string& text) {
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  must(file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
       path);
  close(file);
}

void make_devices() {
  mount_new("tmpfs", "dev", MS_NOSUID, "mode=755");
  for (const char* node : {"null", "zero", "full", "random", "urandom", "tty"}) {
    bind(std::string("/dev/") + node, std::string("dev/") + node);
  }
  mount_new("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5");
  mount_new("tmpfs", "dev/shm", MS_NOSUID | MS_NODEV, "mode=1777");
  for (const auto& [target, link] : {std::pair{"pts/ptmx", "dev/ptmx"},
                                     {"/proc/self/fd", "dev/fd"},
                                     {"/proc/self/fd/0", "dev/stdin"},
                                     {"/proc/self/fd/1", "dev/stdout"},
                                     {"/proc/self/fd/2", "dev/stderr"}}) {
    must(symlink(target, link) == 0, link);
  }
}

}  // namespace

std::string systemd_program() {
  for (const char* path : {"/usr/lib/systemd/systemd", "/lib/systemd/systemd"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return "";
}

void keep_off_the_host() {
  for (const int capability :
       {CAP_SYS_TIME, CAP_SYS_MODULE, CAP_SYS_RAWIO, CAP_SYSLOG, CAP_WAKE_ALARM, CAP_BLOCK_SUSPEND,
        CAP_MAC_ADMIN, CAP_MAC_OVERRIDE}) {
    prctl(PR_CAPBSET_DROP, capability);
  }
}

void become_systemd(const Boot& boot) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  const int null = open("/dev/null", O_RDONLY);
  const int console = open(boot.console.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(null, 0);
  dup2(console, 1);
  dup2(console, 2);
  syscall(SYS_close_range, 3U, ~0U, 0U);
  umask(0);
  write_text(boot.cgroup + "/cgroup.procs", "0");
  // Only now: the cgroup that the process is in becomes the root of the new namespace.
  must(unshare(CLONE_NEWCGROUP) == 0, "a cgroup namespace");
  must(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  must(chdir(boot.root.c_str()) == 0, boot.root);
  mount_new("proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV);
  mount_new("tmpfs", "run", MS_NOSUID | MS_NODEV, "mode=755");
  // A read-only /sys is what tells systemd that the devices are not its own.
  mount_new("sysfs", "sys", MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV);
  must(mount("cgroup2", "sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NOEXEC | MS_NODEV, nullptr) == 0,
       "cgroup2");
  make_devices();
  mkdir("run/host", 0755);
  bind(boot.notify, "run/host/notify");
  write_text("run/host/boot-id", boot.boot_id + "\n");
  make_read_only("proc/sys");
  must(mount("run/host/boot-id", "proc/sys/kernel/random/boot_id", nullptr, MS_BIND, nullptr) == 0,
       "the boot id");
  if (access("proc/sysrq-trigger", F_OK) == 0) make_read_only("proc/sysrq-trigger");
  must(sethostname("box", 3) == 0, "the host's name");
  must(syscall(SYS_pivot_root, ".", ".") == 0, "pivot_root");
  must(umount2(".", MNT_DETACH) == 0, "the old root");
  must(chdir("/") == 0, "/");
  umask(022);
  keep_off_the_host();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  signal(SIGPIPE, SIG_DFL);
  const std::string program = systemd_program();
  const char* arguments[] = {program.c_str(), nullptr};
  const char* environment[] = {"container=box",
                               "NOTIFY_SOCKET=/run/host/notify",
                               "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "LANG=C.UTF-8",
                               "TERM=dumb",
                               nullptr};
  execve(program.c_str(), const_cast<char**>(arguments), const_cast<char**>(environment));
  must(false, program);
  _exit(1);
}

}  // namespace update::systemd
