# Makes one source file of all migrations, in the order of their names, and then of further files that
# are given (tests have such). A migration that is added or edited configures anew.
function(embed_migrations output)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/migrations/*.sql)
  list(SORT files)
  list(APPEND files ${ARGN})
  set(entries "")
  foreach(file IN LISTS files)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
    get_filename_component(name ${file} NAME)
    file(READ ${file} sql)
    string(APPEND entries "    {\"${name}\",\n     R\"sql(${sql})sql\"},\n")
  endforeach()
  file(CONFIGURE OUTPUT ${output} @ONLY CONTENT [[
#include "schema/migrate.hpp"

namespace update {

std::span<const Migration> migrations() {
  static constexpr Migration kMigrations[] = {
@entries@  };
  return kMigrations;
}

}  // namespace update
]])
endfunction()
