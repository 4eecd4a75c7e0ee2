#include "engine/installation/configuration_checks.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"

namespace update::config {
namespace {

constexpr std::size_t kUnitNameMax = 255;  // systemd's UNIT_NAME_MAX, less its NUL
constexpr std::size_t kProductMax = 255;

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool is_unit_character(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  return letter || (c >= '0' && c <= '9') ||
         std::string_view(":-_.\\@").find(c) != std::string::npos;
}

bool is_at_or_below(const AbsolutePath& path, const AbsolutePath& folder) {
  if (path == folder || folder.text() == "/") return true;
  return path.text().starts_with(folder.text() + "/");
}

}  // namespace

bool has_unit_ending(std::string_view name) {
  constexpr std::array<std::string_view, 11> kEndings = {
      ".service", ".socket", ".device", ".mount", ".automount", ".swap",
      ".target",  ".path",   ".timer",  ".slice", ".scope"};
  return std::any_of(kEndings.begin(), kEndings.end(), [name](std::string_view ending) {
    return name.size() > ending.size() && name.ends_with(ending);
  });
}

std::string quoted(std::string_view text) {
  return "\"" + escape(text) + "\"";
}

Problem problem_of_product(std::string_view product) {
  if (product.empty()) return "must not be empty";
  if (product.size() > kProductMax || has_control_characters(product)) {
    return "must be a short name without control characters";
  }
  return {};
}

Problem problem_of_backup_suffix(std::string_view suffix) {
  if (suffix.empty()) return "must not be empty: the backup would be the destination itself";
  if (!is_plain_file_name(suffix)) {
    return quoted(suffix) + " cannot end a file name: no '/', no control characters";
  }
  return {};
}

Problem problem_of_file_name(std::string_view name) {
  if (!is_plain_file_name(name)) return quoted(name) + " is not a plain file name";
  if (name == "release.json" || name == "release.json.minisig") {
    return quoted(name) + " is the release's own file";
  }
  return {};
}

Problem problem_of_account(std::string_view name_or_number) {
  const bool plain = !name_or_number.empty() && name_or_number.front() != '-' &&
                     name_or_number.find_first_of(":/ ") == std::string_view::npos &&
                     !has_control_characters(name_or_number);
  return plain ? Problem() : quoted(name_or_number) + " is neither a name nor a number";
}

Problem problem_of_unit(std::string_view unit) {
  const bool characters = std::all_of(unit.begin(), unit.end(), is_unit_character);
  if (!characters || unit.empty() || unit.size() > kUnitNameMax || unit.front() == '-') {
    return quoted(unit) + " is not the name of a unit";
  }
  if (!has_unit_ending(unit)) {
    return quoted(unit) + " does not end as a unit does; did you mean " +
           quoted(std::string(unit) + ".service") + "?";
  }
  if (unit.front() == '.' || unit.front() == '@' || unit.find("@.") != std::string_view::npos) {
    return quoted(unit) + " is not a unit that can be started";
  }
  return {};
}

Problem problem_of_process_name(std::string_view name) {
  if (name.empty() || name.find('/') != std::string_view::npos || has_control_characters(name)) {
    return quoted(name) + " is not the name of a process";
  }
  return {};
}

Problem problem_of_argument(std::string_view argument) {
  if (argument.find('\0') == std::string_view::npos) return {};
  return "an argument holds a NUL character";
}

Problem problem_of_destination(const AbsolutePath& destination,
                               const Configuration& configuration) {
  const std::string name = destination.name();
  if (!is_plain_file_name(name)) return quoted(destination.text()) + " does not end in a file name";
  // An orphan of a crash is known by its name, and removed: no destination may look like one.
  if (parse_own_name(name))
    return quoted(destination.text()) + " looks like a file of this program";
  for (const AbsolutePath* folder : {&configuration.state, &configuration.staging}) {
    if (is_at_or_below(destination, *folder)) {
      return quoted(destination.text()) + " is in " + quoted(folder->text()) +
             ", which is for this program's own files";
    }
  }
  if (const auto lengths = check_name_lengths(name, configuration.backup_suffix); !lengths) {
    return lengths.error().message();
  }
  return {};
}

std::optional<FileConflict> find_conflict(const Configuration& configuration) {
  std::map<std::string, std::size_t> names;
  std::map<std::string, std::size_t> destinations;
  const auto& files = configuration.files;
  for (std::size_t at = 0; at < files.size(); ++at) {
    const auto [name, new_name] = names.emplace(files[at].name, at);
    if (!new_name) return FileConflict{name->second, at, "the name " + quoted(files[at].name)};
    const std::string& path = files[at].destination.text();
    const auto [place, new_place] = destinations.emplace(path, at);
    if (!new_place) return FileConflict{place->second, at, "the destination " + quoted(path)};
  }
  for (std::size_t at = 0; at < files.size(); ++at) {
    const std::string backup =
        previous_name(files[at].destination.text(), configuration.backup_suffix);
    const auto other = destinations.find(backup);
    if (other == destinations.end()) continue;
    return FileConflict{
        std::min(at, other->second), std::max(at, other->second),
        "the path " + quoted(backup) +
            ": with this backup_suffix the backup of one is the destination of the other"};
  }
  return std::nullopt;
}

}  // namespace update::config
