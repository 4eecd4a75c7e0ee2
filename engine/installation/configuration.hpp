#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/base/types.hpp"

namespace update {

struct ConfiguredFile {
  std::string name;
  AbsolutePath destination;
  bool optional = false;
  std::optional<std::uint32_t> mode;  ///< 0000 to 0777
  std::optional<std::string> owner;   ///< a name or a number
  std::optional<std::string> group;
};

enum class Baseline : std::uint8_t { record, excuse, require };
enum class RecoveryPolicy : std::uint8_t { automatic, rollback, replay };

std::string_view name_of(Baseline baseline);
std::string_view name_of(RecoveryPolicy policy);
std::optional<RecoveryPolicy> recovery_policy_of(std::string_view name);

struct RestartConfiguration {
  std::vector<std::string> units;
  std::vector<std::string> command;  ///< instead of units
  std::int64_t timeout_ms = 0;
  std::vector<std::string> keep_processes;
  bool given = false;  ///< the file itself says something of what is restarted (units or command)
};

struct DoctorConfiguration {
  std::vector<std::string> command;  ///< empty: no doctor, the verdict is `skipped`
  std::int64_t timeout_ms = 0;
  std::int64_t attempts = 0;
  std::int64_t passes = 0;
  std::int64_t interval_ms = 0;
  std::int64_t soak_ms = 0;
  Baseline baseline = Baseline::record;
  bool given = false;  ///< the file itself gives the command
};

struct TrustConfiguration {
  bool require_signature = true;
  std::vector<AbsolutePath> keys;
  bool allow_downgrade = false;
};

/// What is in force: the file's keys, and a default for each that it does not give (cli.md has them
/// all).
struct Configuration {
  std::string product;
  AbsolutePath state;
  AbsolutePath staging;
  std::string backup_suffix;
  std::vector<ConfiguredFile> files;
  RestartConfiguration restart;
  DoctorConfiguration doctor;
  TrustConfiguration trust;
  RecoveryPolicy recovery_policy = RecoveryPolicy::automatic;
  std::int64_t generations = 0;

  /// Null: none is configured for it.
  const ConfiguredFile* find_file(const std::string& destination) const;
};

inline constexpr std::string_view kDefaultConfigurationPath = "/etc/banger/update.toml";
inline constexpr std::size_t kConfigurationLimit = 1U << 20;  ///< bytes

/// Reads TOML strictly; an empty text gives the defaults. Everything that cli.md refuses is a usage
/// error with `origin`, line and column, and an unknown key names the nearest known one.
Result<Configuration> parse_configuration(std::string_view text, const std::string& origin);

}  // namespace update
