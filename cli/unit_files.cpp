#include "cli/unit_files.hpp"

#include <algorithm>

#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr std::string_view kRecoverUnit = "banger-update-recover.service";
constexpr std::string_view kVerifyUnit = "banger-update-verify.service";
constexpr std::string_view kMade =
    "# Made by banger-update of its configuration, at each boot and daemon-reload.\n";

/// systemd.unit(5) splits at blanks and fills in specifiers; what it does with quotation marks and
/// backslashes differs from setting to setting, and no installed path has them.
Result<std::string> in_unit(const std::string& path, std::string_view prefix = "") {
  std::string text = "\"";
  text.append(prefix);
  for (const char c : path) {
    if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return fail(ErrorCode::usage, "systemd cannot be told of the path " + quote(path));
    }
    text.append(c == '%' ? 2 : 1, c);
  }
  return text + "\"";
}

/// The folders in which an update changes names.
std::vector<std::string> changed_folders(const Configuration& config) {
  std::vector<std::string> folders = {config.state.text()};
  for (const ConfiguredFile& file : config.files) {
    std::string folder = file.destination.parent().text();
    if (std::find(folders.begin(), folders.end(), folder) == folders.end()) {
      folders.push_back(std::move(folder));
    }
  }
  return folders;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : " ").append(word);
  return text;
}

}  // namespace

Result<std::vector<UnitFile>> unit_files_of(const Configuration& config) {
  std::string mounts;
  std::string writable;
  for (const std::string& folder : changed_folders(config)) {
    UPDATE_TRY_ASSIGN(const std::string path, in_unit(folder));
    // One that is not there yet ("-") holds nothing to recover.
    UPDATE_TRY_ASSIGN(const std::string optional_path, in_unit(folder, "-"));
    mounts.append("RequiresMountsFor=").append(path).append("\n");
    writable.append("ReadWritePaths=").append(optional_path).append("\n");
  }
  const std::string units = joined(config.restart.units);
  const std::string made(kMade);
  std::vector<UnitFile> files;
  files.push_back({std::string(kRecoverUnit) + ".d", "50-configuration.conf",
                   made + "[Unit]\n" + mounts + (units.empty() ? "" : "Before=" + units + "\n") +
                       "\n[Service]\n" + writable});
  files.push_back({std::string(kVerifyUnit) + ".d", "50-configuration.conf",
                   made + "[Unit]\n" + mounts + (units.empty() ? "" : "After=" + units + "\n")});
  for (const std::string& unit : config.restart.units) {
    files.push_back({unit + ".d", "50-banger-update.conf",
                     made + "[Unit]\nWants=" + std::string(kRecoverUnit) +
                         "\nAfter=" + std::string(kRecoverUnit) + "\n"});
  }
  return files;
}

}  // namespace update::cli
