#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/crash/full_disk/small_disk.hpp"
#include "tests/crash/host_invariants.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {

/// A fourth file of some MB in `folder`, beside the three small programs. It is optional, so that a
/// release of the three alone is sound too.
void add_ballast(scenario::Host& host, const std::string& folder);
/// A release with the ballast in it.
std::string full_release(const scenario::Host& host, const std::string& version);
void install(const scenario::Host& host, const std::string& version);
/// `phase`, "restart" or "doctor", of an update to `version` waits there until it is let go.
void hold_in(scenario::Host& host, const std::string& phase, const std::string& version);
/// 2.0.0 over 1.0.0, killed while its hook runs; both hooks are sound again.
void crash_in_hook(scenario::Host& host, const std::string& phase);
void mend_hooks(const scenario::Host& host);

/// What lives on the small disk.
enum class OnDisk { everything, destinations, state };

/// A host whose destinations, state or both are on a small disk, with the ballast.
class DiskHost {
 public:
  DiskHost(const std::string& kind, OnDisk what, unsigned inodes = 0);

  scenario::Host& host() { return host_; }
  const scenario::Host& host() const { return host_; }
  SmallDisk& disk() { return disk_; }

  /// All four files hold one of `versions`, each whole.
  Findings each_file_whole(const std::vector<std::string>& versions) const;
  /// recover_and_check and check_recovered, the ballast included.
  Findings recover_and_check(const std::vector<std::string>& versions);
  Findings check_recovered(const std::vector<std::string>& versions);
  /// An update to `version` succeeds, now that there is space again.
  Findings check_usable(const std::string& version);

 private:
  std::string ballast() const { return big_ + "/ballast"; }
  void check_ballast(const std::vector<std::string>& versions, Findings& findings) const;

  scenario::Host host_;
  SmallDisk disk_;
  std::string big_;
};

/// Code of exit -> the version that the host then has to hold, "" for either.
using Outcomes = std::map<int, std::string>;

/// What journal.md, "Reading must always work", wants of a command that met a full disk: on ext4 it
/// ends as in `expected`; where a rename or an unlink needs space too, it may also end with 10 that
/// names the disk. Never a mix, and one version once 1 MiB is free. Ends with an empty disk.
Findings check_after_full(DiskHost& on, const scenario::Ended& ended, const Outcomes& expected);
/// The bytes that `recover` and `rollback` may ask for.
std::size_t enough_for(const std::string& kind);

std::string said(const scenario::Ended& ended);

/// For the skip of a test: why this machine cannot have such a disk, or nothing.
std::string reason_against(const std::string& kind);

#define NEEDS_DISK(kind)                                                  \
  if (const std::string reason = reason_against(kind); !reason.empty()) { \
    GTEST_SKIP() << reason;                                               \
  }                                                                       \
  static_assert(true)

}  // namespace update::crash
