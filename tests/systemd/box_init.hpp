#pragma once

#include <string>

namespace update::systemd {

struct Boot {
  std::string root;    // a mount point: the box's files
  std::string cgroup;  // where the box's processes live
  std::string notify;  // the socket that systemd tells of the end of the boot
  std::string boot_id;
  std::string console;  // a file for what is said before there is a journal
};

/// The systemd of this machine; empty where there is none.
std::string systemd_program();

/// The kernel is the host's: what a box runs may not set its clock or its modules.
void keep_off_the_host();

/// Becomes PID 1 of a box: called in a child that is alone in new PID, mount, UTS, IPC and network
/// namespaces. Never returns.
[[noreturn]] void become_systemd(const Boot& boot);

}  // namespace update::systemd
