#pragma once

#include <string_view>

namespace update::image {

/// They mean something to one host alone, and are carried neither from it nor to it.
inline bool belongs_to_host(std::string_view attribute) {
  return attribute.starts_with("trusted.") || attribute == "security.selinux";
}

}  // namespace update::image
