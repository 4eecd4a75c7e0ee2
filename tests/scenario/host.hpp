#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/scenario/process.hpp"

/// For what only root can set up: a mount, another owner, a file attribute.
#define NEEDS_ROOT()              \
  if (geteuid() != 0) {           \
    GTEST_SKIP() << "needs root"; \
  }                               \
  static_assert(true)

/// For a tool of the machine that a test cannot do without.
#define NEEDS_TOOL(name)                                     \
  if (!::update::scenario::has_tool(name)) {                 \
    GTEST_SKIP() << "needs " << (name) << ", not installed"; \
  }                                                          \
  static_assert(true)

namespace update::scenario {

std::string read_file(const std::filesystem::path& path);
void write_file(const std::filesystem::path& path, std::string_view bytes, mode_t mode = 0644);
bool present(const std::filesystem::path& path);  // a link counts, wherever it points
bool has_tool(const std::string& name);
std::string sha256_of(std::string_view bytes);
bool contains(std::string_view text, std::string_view part);
std::string after_marker(std::string_view text, std::string_view marker);

struct InstalledFile {
  std::string name;
  std::string destination;
  std::string more = {};  // lines of TOML for this [[file]]
};

/// What update.toml says; a test changes what it is about.
struct Settings {
  std::string product = "demo";
  std::string state;
  std::string staging;
  std::string backup_suffix = ".previous";
  std::vector<InstalledFile> files;
  Arguments restart_command;
  Arguments doctor_command;
  std::string doctor_timeout = "20s";
  std::string interval = "10ms";
  int attempts = 1;
  int passes = 1;
  std::string baseline = "record";
  bool require_signature = false;
  bool allow_downgrade = false;
  Arguments keys;
  std::string policy = "auto";
  int generations = 3;
  std::string more = {};  // TOML at the end of the file
};

std::string to_toml(const Settings& settings);

/// The bytes of program `name` in `version`: a shell script that prints both.
std::string program(const std::string& name, const std::string& version);

/// A host of its own in a folder that goes with it: three installed programs of version 0.9.0 in
/// bin/, of which the journal knows nothing yet, a configuration, and hooks that keep a log.
class Host {
 public:
  Host();
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  std::string path(const std::string& relative) const { return root_ + "/" + relative; }
  std::string bin(const std::string& name) const { return root_ + "/bin/" + name; }
  const Settings& settings() const { return settings_; }
  void configure(const std::function<void(Settings&)>& change);

  /// Which program run() and json() start; at first it is the one that is shipped.
  void use_program(const std::string& program) { program_ = program; }
  Arguments command(const Arguments& arguments) const;
  Ended run(const Arguments& arguments, const Launch& launch = {}) const;
  /// With --output json; the process is expected to end with `code`. Keep the answer in a variable
  /// that is not const: a key that is missing is then a null to compare with, and not an assertion.
  Json json(const Arguments& arguments, int code = 0) const;
  /// Applies a sound release of `version`, which must succeed.
  void install(const std::string& version) const;

  /// A release folder of the configured programs in `version`.
  std::string release(const std::string& version) const;
  static Json manifest(const std::string& folder);
  static void write_manifest(const std::string& folder, const Json& manifest);
  /// A release of `version` after `change` has been made to its manifest.
  std::string release_with(const std::string& version,
                           const std::function<void(Json&)>& change) const;

  /// The one version that all destinations hold, or what each holds.
  std::string installed() const;
  /// Names in bin/ that an update must not leave behind.
  std::vector<std::string> leftovers() const;
  /// Path and a print of type, mode, times and bytes of everything below `folder`.
  std::map<std::string, std::string> snapshot(const std::string& folder = ".") const;

  /// What a hook does after it has logged: shell text that sees $installed, the version of alpha.
  void doctor(const std::string& body) const { write_file(path("hooks/doctor.body"), body); }
  void restart(const std::string& body) const { write_file(path("hooks/restart.body"), body); }
  /// One line for each run of the hook: the phase, the version before and the one after.
  std::vector<std::string> hook_log(const std::string& hook) const;

  /// The doctor of `version` says that it has begun and waits until it is let go.
  void hold_doctor(const std::string& version);
  bool doctor_waits() const;
  void let_doctor_go(const std::string& verdict = "0") const;

  /// Mounts an empty ext4 of `size` at `relative`; false where this machine cannot.
  bool mount_small(const std::string& relative, const std::string& size);
  bool bind_read_only(const std::string& relative);

 private:
  void write_hook(const std::string& name) const;

  std::string root_;
  std::string program_ = BANGER_UPDATE_PROGRAM;
  Settings settings_;
  std::vector<std::string> mounts_;
  int ready_ = -1;
  int go_ = -1;
};

Json parse(std::string_view text);
/// The only transaction id that most tests see.
std::string id_of(const Json& transaction);

}  // namespace update::scenario
