#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "engine/installation/configuration.hpp"

// What a value of the configuration must be, apart from how it is read. A problem is told as the
// rest of a sentence that begins with the key.
namespace update::config {

/// Empty where all is well, else what is wrong.
using Problem = std::string;

/// Foreign text for a message.
std::string quoted(std::string_view text);

/// systemd.unit(5): the ending says the kind.
bool has_unit_ending(std::string_view name);

Problem problem_of_product(std::string_view product);
Problem problem_of_backup_suffix(std::string_view suffix);
Problem problem_of_file_name(std::string_view name);
Problem problem_of_account(std::string_view name_or_number);
Problem problem_of_unit(std::string_view unit);
Problem problem_of_process_name(std::string_view name);
Problem problem_of_argument(std::string_view argument);

/// What is wrong with one destination, whatever the other files are.
Problem problem_of_destination(const AbsolutePath& destination, const Configuration& configuration);

/// Two files of `configuration` that can't both be installed: one name, one destination, or one
/// whose backup would be the other.
struct FileConflict {
  std::size_t first = 0;  ///< index in `files`, before `second`
  std::size_t second = 0;
  Problem problem;
};
std::optional<FileConflict> find_conflict(const Configuration& configuration);

}  // namespace update::config
