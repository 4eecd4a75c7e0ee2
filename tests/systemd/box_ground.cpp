#include "tests/systemd/box_ground.hpp"

#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "tests/systemd/box.hpp"
#include "tests/systemd/box_init.hpp"

namespace update::systemd {
namespace fs = std::filesystem;
namespace {

// An empty folder in the upper layer that hides the machine's.
bool hide(const std::string& folder, mode_t mode = 0755) {
  fs::create_directories(folder);
  chmod(folder.c_str(), mode);
  return setxattr(folder.c_str(), "trusted.overlay.opaque", "y", 1, 0) == 0;
}

// May such a child mount what a box has, and have a cgroup namespace?
std::string try_namespaces(const std::string& folder) {
  const pid_t child = clone_into_namespaces();
  if (child < 0) return std::string("no namespaces: ") + strerror(errno);
  if (child == 0) {
    const std::string target = folder + "/root/proc";
    _exit(unshare(CLONE_NEWCGROUP) == 0 && mount("proc", target.c_str(), "proc", 0, nullptr) == 0 &&
                  mount("sysfs", target.c_str(), "sysfs", MS_RDONLY, nullptr) == 0
              ? 0
              : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status == 0 ? "" : "nothing may be mounted in new namespaces";
}

std::string look_for_trouble() {
  if (geteuid() != 0) return "not root";
  if (systemd_program().empty()) return "systemd is not installed";
  if (const std::string trouble = enter_private_mounts(); !trouble.empty()) return trouble;
  const std::string folder = temporary_folder();
  if (folder.empty()) return "no temporary folder";
  std::string trouble = mount_box(folder);
  if (trouble.empty() && mkdir((folder + "/cgroup/banger-box-try").c_str(), 0755) != 0 &&
      errno != EEXIST) {
    trouble = std::string("no cgroup can be made: ") + strerror(errno);
  }
  rmdir((folder + "/cgroup/banger-box-try").c_str());
  if (trouble.empty()) trouble = try_namespaces(folder);
  unmount_box(folder);
  return trouble;
}

}  // namespace

std::string enter_private_mounts() {
  static const std::string trouble = [] {
    if (unshare(CLONE_NEWNS) != 0) return std::string("no mount namespace: ") + strerror(errno);
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      return std::string("no private mounts: ") + strerror(errno);
    }
    return std::string();
  }();
  return trouble;
}

std::string temporary_folder() {
  const char* base = std::getenv("TMPDIR");
  std::string folder = std::string(base != nullptr ? base : "/tmp") + "/banger-box-XXXXXX";
  return mkdtemp(folder.data()) != nullptr ? folder : "";
}

std::string mount_box(const std::string& folder) {
  const auto failed = [](const std::string& what) { return what + ": " + strerror(errno); };
  if (mount("tmpfs", folder.c_str(), "tmpfs", 0, "mode=755") != 0) return failed("tmpfs");
  for (const char* name : {"upper", "work", "root", "cgroup"}) {
    mkdir((folder + "/" + name).c_str(), 0755);
  }
  if (mount("cgroup2", (folder + "/cgroup").c_str(), "cgroup2", 0, nullptr) != 0) {
    return failed("cgroup2");
  }
  const std::string upper = folder + "/upper";
  for (const char* hidden :
       {"/etc/systemd", kUnits, "/usr/lib/systemd/system-generators", "/usr/local/lib/systemd",
        "/etc/banger", "/var/lib/banger", "/var/cache/banger", "/opt/demo"}) {
    if (!hide(upper + hidden)) return failed("trusted attributes");
  }
  hide(upper + "/tmp", 01777);
  hide(upper + "/var/tmp", 01777);
  const std::string options = "lowerdir=/,upperdir=" + upper + ",workdir=" + folder + "/work";
  if (mount("overlay", (folder + "/root").c_str(), "overlay", 0, options.c_str()) != 0) {
    return failed("an overlay over /");
  }
  return "";
}

void unmount_box(const std::string& folder) {
  for (const char* name : {"/root", "/cgroup", ""}) {
    umount2((folder + name).c_str(), MNT_DETACH);
  }
  rmdir(folder.c_str());
}

pid_t clone_into_namespaces() {
  clone_args how{};
  how.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
  how.exit_signal = SIGCHLD;
  return static_cast<pid_t>(syscall(SYS_clone3, &how, sizeof how));
}

const std::string& why_no_box() {
  static const std::string trouble = look_for_trouble();
  return trouble;
}

}  // namespace update::systemd
