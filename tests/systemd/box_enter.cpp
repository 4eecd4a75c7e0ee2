// Runs a command in a box: box_enter INIT CGROUP COMMAND [ARGUMENT...]
// INIT is the box's PID 1 as the host sees it, CGROUP a folder for the command to live in. Stays
// outside itself, passes signals on, and ends as the command did.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/systemd/box_init.hpp"

namespace {

volatile pid_t child = 0;

void pass_on(int signal) {
  if (child > 0) kill(child, signal);
}

[[noreturn]] void give_up(const char* what) {
  perror(what);
  _exit(126);
}

const char* const kEnvironment[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/root",
    "USER=root",
    "LANG=C.UTF-8",
    "TERM=dumb",
    "SYSTEMD_PAGER=",
    "SYSTEMD_COLORS=0",
    nullptr};

}  // namespace

int main(int count, char** arguments) {
  if (count < 4) {
    fprintf(stderr, "usage: box_enter INIT CGROUP COMMAND [ARGUMENT...]\n");
    return 126;
  }
  // A test that is killed leaves nobody behind here.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int init = static_cast<int>(syscall(SYS_pidfd_open, atoi(arguments[1]), 0));
  if (init < 0) give_up("no such box");
  mkdir(arguments[2], 0755);
  const int procs =
      open((std::string(arguments[2]) + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC);
  if (procs < 0) give_up("the box's cgroup");
  // In a chroot the root of the box's mount namespace is not the box's: its PID 1 knows which is.
  const int root = open(("/proc/" + std::string(arguments[1]) + "/root").c_str(),
                        O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) give_up("the box's root");
  if (setns(init, CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET |
                      CLONE_NEWCGROUP) != 0) {
    give_up("entering the box");
  }
  if (fchdir(root) != 0 || chroot(".") != 0) give_up("entering the box's root");
  // Waits until the child is known before it takes a signal that it would have to pass on.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  sigprocmask(SIG_BLOCK, &all, &before);
  const pid_t forked = fork();
  if (forked < 0) give_up("fork");
  if (forked == 0) {
    if (write(procs, "0", 1) != 1) give_up("entering the box's cgroup");
    if (chdir("/") != 0) give_up("/");
    update::systemd::keep_off_the_host();
    sigprocmask(SIG_SETMASK, &before, nullptr);
    execvpe(arguments[3], arguments + 3, const_cast<char**>(kEnvironment));
    give_up(arguments[3]);
  }
  child = forked;
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2}) {
    std::signal(signal, pass_on);
  }
  sigprocmask(SIG_SETMASK, &before, nullptr);
  int status = 0;
  while (waitpid(forked, &status, 0) < 0) {
  }
  if (WIFSIGNALED(status)) {
    std::signal(WTERMSIG(status), SIG_DFL);
    raise(WTERMSIG(status));
  }
  return WEXITSTATUS(status);
}
