#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "tests/scenario/process.hpp"

/// For a test that needs a real systemd: skipped, with the reason, where there can be none.
#define NEEDS_SYSTEMD()                                                                \
  if (!::update::systemd::why_no_box().empty()) {                                      \
    GTEST_SKIP() << "needs a systemd of its own: " << ::update::systemd::why_no_box(); \
  }                                                                                    \
  static_assert(true)

namespace update::systemd {

using scenario::Arguments;
using scenario::Ended;

/// Why this machine cannot give a test a systemd of its own; empty where it can.
const std::string& why_no_box();

/// A small machine with the real systemd as PID 1, in namespaces of its own. Its files are an
/// overlay over the machine's own root, so that every program and library is there; what it
/// writes is in memory and goes with it. Of the machine's units it has only what a boot needs.
///
/// Real: systemd, journald, D-Bus, units, jobs, timers, cgroups, a fresh /run and a fresh boot id
/// for each boot. Not real: the kernel and its clocks are the host's; there are no udev, no logind
/// and no network but `lo`; a power-off ends all processes at once, but loses no written byte.
///
/// All mounts are in a mount namespace of the test's, and a keeper process that is in none of its
/// process groups removes what is left when the test ends, also when it was killed.
class Box {
 public:
  Box();
  ~Box();
  Box(const Box&) = delete;
  Box& operator=(const Box&) = delete;

  /// Where the test itself finds the box's file `path`; /run, /dev and /proc are elsewhere.
  std::string outside(const std::string& path) const { return root_ + path; }

  /// A unit file in /etc/systemd/system.
  void unit(const std::string& name, const std::string& text) const;
  /// As `systemctl enable` for a unit that is WantedBy=multi-user.target.
  void enable(const std::string& unit) const;
  void mask(const std::string& unit) const;

  /// Starts systemd and waits until all jobs of the boot are done. False, and a test failure, where
  /// they are not in time.
  bool boot(std::chrono::seconds limit = std::chrono::seconds(30));
  /// Starts systemd, and no more.
  bool begin_boot();
  bool boot_is_over(std::chrono::seconds limit = std::chrono::seconds(30));
  bool running() const;
  /// Every process ends at once; files stay.
  void power_off();
  /// In order, as by `systemctl poweroff`.
  void shut_down();

  /// Runs a command in the box, in no unit, with a clean environment.
  Ended run(const Arguments& command) const;
  /// run, which must exit with `code`; standard output without the last newline.
  std::string output(const Arguments& command, int code = 0) const;
  /// As output of a shell.
  std::string shell(const std::string& text, int code = 0) const;
  /// What starts a program in the box. Signals are passed on to it.
  scenario::Launch launch() const;

  std::string property(const std::string& unit, const std::string& name) const;
  /// "active", "failed", …
  std::string state(const std::string& unit) const { return property(unit, "ActiveState"); }
  pid_t main_pid(const std::string& unit) const;
  /// The messages of `unit` in this boot.
  std::string journal(const std::string& unit) const;
  std::vector<std::string> failed_units() const;
  /// Where the test finds `path` of the running box, in /run and /proc, too.
  std::string inside(const std::string& path) const;
  pid_t init() const { return init_; }
  const std::string& folder() const { return folder_; }

 private:
  void prepare_root() const;
  void drop_cgroup() const;

  std::string folder_;
  std::string root_;
  std::string cgroup_;
  int keeper_ = -1;  // closing it tells the keeper to clean up
  pid_t keeper_pid_ = -1;
  int notify_ = -1;
  pid_t init_ = -1;
};

}  // namespace update::systemd
