#pragma once

#include <cstdint>
#include <string_view>

#include "engine/base/result.hpp"
#include "engine/installation/trusted_path.hpp"

namespace update {

/// The number of a user or a group: a decimal number as it is, else a name of the installation's
/// own /etc/passwd or /etc/group. An unknown name is a usage error that says where it was looked
/// for.
Result<std::uint32_t> user_id(const InstallationRoot& root, std::string_view name_or_number);
Result<std::uint32_t> group_id(const InstallationRoot& root, std::string_view name_or_number);

/// The name of a user number; empty where there is none.
std::string user_name(const InstallationRoot& root, std::uint32_t uid);

}  // namespace update
