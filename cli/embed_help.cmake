# Makes one source file of the help texts: a command's .md is its --help, its manual page and its
# documentation. A text that is added or edited configures anew.
function(embed_help output)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/command/*.md)
  list(SORT files)
  set(entries "")
  foreach(file IN ITEMS ${CMAKE_CURRENT_SOURCE_DIR}/banger-update.md ${files})
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME_WE)
    file(READ ${file} text)
    string(APPEND entries "    {\"${name}\",\n     R\"help(${text})help\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
#include "cli/help.hpp"

namespace update::cli {
namespace {

struct Text {
  std::string_view name;
  std::string_view text;
};

constexpr Text kTexts[] = {
@entries@};

}  // namespace

std::string_view help_of(std::string_view family) {
  for (const Text& entry : kTexts) {
    if (entry.name == family) return entry.text;
  }
  return "";
}

}  // namespace update::cli
]])
endfunction()
