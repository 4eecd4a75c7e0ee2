#include "engine/os/system.hpp"

namespace update::os {

Result<std::string> own_program(const System& system) {
  const auto program = system.table.executable(system.host.pid());
  if (program) return program->path;
  return fail(ErrorCode::failed, "this program's own file is not to be found");
}

}  // namespace update::os
