#pragma once

#include <span>
#include <string>
#include <string_view>

namespace update::documents {

/// A help text as a page of section 1, in the language of man(7). `see_also`: names of other pages.
std::string manual_page(std::string_view help, std::string_view version,
                        std::span<const std::string> see_also);

/// "banger-update-ext4" of "banger-update ext4".
std::string page_name(std::string_view command);

}  // namespace update::documents
