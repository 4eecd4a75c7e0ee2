#pragma once

#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/installation/configuration.hpp"

namespace update::cli {

/// A drop-in of systemd's (systemd.unit(5)): `folder`/`name` below a folder of unit files.
struct UnitFile {
  std::string folder;
  std::string name;
  std::string text;
};

/// What the configuration means for the boot: the recovery comes before the restarted units, which
/// want it but do not need it, after the mounts of all that it touches, and may write there and
/// nowhere else; the verification comes after the units. usage: a path that systemd cannot be told.
Result<std::vector<UnitFile>> unit_files_of(const Configuration& config);

}  // namespace update::cli
