#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/scenario/host.hpp"
#include "tests/systemd/box.hpp"

namespace update::systemd {

/// What /etc/banger/update.toml says; a test changes what it is about.
struct ServiceSettings {
  std::vector<std::pair<std::string, std::string>> files;  // name, destination
  std::vector<std::string> units;
  std::vector<std::string> keep_processes;
  Arguments doctor = {"/opt/demo/doctor"};
  std::string timeout = "5s";  // of a restart
  std::string doctor_timeout = "20s";
  std::string soak = "400ms";
  std::string interval = "50ms";
  int attempts = 1;
  int passes = 1;
  std::string baseline = "record";
  std::string policy = "auto";
};

/// The units of both daemons.
inline const std::vector<std::string> kBoth = {"alpha.service", "beta.service"};

/// A box with the real program as /usr/bin/banger-update, and two installed daemons of version
/// 1.0.0, alpha and beta, of which the journal knows nothing yet.
class ServiceHost {
 public:
  ServiceHost();

  Box& box() { return box_; }
  const Box& box() const { return box_; }
  const ServiceSettings& settings() const { return settings_; }
  void configure(const std::function<void(ServiceSettings&)>& change);

  /// What the package installs for the boot, made of packaging/systemd: two services, enabled, and
  /// the generator. Before start().
  void install_boot_units() const;
  /// Boots, and records 1.0.0 as the installed version, without a restart of anything.
  bool start();

  /// The unit NAME.service for the daemon NAME: `service` are more lines of its [Service], its
  /// ExecStart has `options`. Enabled.
  void daemon(const std::string& name, const std::string& service = "",
              const std::string& options = "") const;
  /// What the doctor does: shell text. At first `exit 0`.
  void doctor(const std::string& body) const;
  /// The doctor waits, from now on, in each run that finds `version` installed, until it is let go.
  void hold_doctor(const std::string& version) const;
  bool doctor_waits() const;
  void let_doctor_go() const;

  /// The bytes of `name` in `version`.
  std::string program(const std::string& version, const std::string& behaviour = "sound") const;
  /// A release folder in the box; all files behave soundly but those named.
  std::string release(const std::string& version,
                      const std::map<std::string, std::string>& behaviour = {}) const;
  /// A release folder with these bytes for some of the files, all else as release(); what is no
  /// program of /opt/demo/bin keeps its bytes.
  std::string release_with(const std::string& version,
                           const std::map<std::string, std::string>& bytes,
                           const std::map<std::string, std::string>& behaviour = {}) const;

  Arguments command(const Arguments& arguments) const;
  Ended run(const Arguments& arguments) const { return box_.run(command(arguments)); }
  Json json(const Arguments& arguments, int code = 0) const;
  /// Applies a sound release of `version`, which must be committed.
  void install(const std::string& version) const;

  /// The one version of all daemons' files, or what each is.
  std::string installed() const;
  /// The version that the unit's main process executes, where that is its installed file; "none",
  /// or the path of what it is instead.
  std::string running(const std::string& unit) const;
  /// No update is unfinished.
  bool finished() const { return run({"status"}).code == 0; }
  /// Of the newest transaction, as history gives it; "none" without one.
  std::string outcome() const;
  /// The process that holds the lock: the updater itself, wherever it has moved. Empty without one.
  std::string updater() const;
  /// Whatever an update must not leave behind: names beside the destinations, units of its own.
  std::vector<std::string> leftovers() const;
  /// All of what must be true once nothing is unfinished: one version, the one that `status` names,
  /// is installed and run by `units`; the history is whole; nothing is left over. Says what is not.
  testing::AssertionResult at_rest(const std::string& version,
                                   const std::vector<std::string>& units) const;

 private:
  Box box_;
  ServiceSettings settings_;
  std::string daemon_;
};

}  // namespace update::systemd
