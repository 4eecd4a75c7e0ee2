#include <cstdlib>

#include "cli/application.hpp"
#include "cli/console.hpp"
#include "engine/os/caller_linux.hpp"
#include "engine/os/clock_linux.hpp"
#include "engine/os/confinement_linux.hpp"
#include "engine/os/filesystem_linux.hpp"
#include "engine/os/host_linux.hpp"
#include "engine/os/process_linux.hpp"
#include "engine/os/process_table_linux.hpp"
#include "engine/os/service_manager_systemd.hpp"
#include "engine/os/stop_linux.hpp"

namespace {

std::optional<std::string> environment_variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  update::os::prepare_process();
  update::os::SignalStop stop;
  update::os::LinuxFileSystem files;
  update::os::LinuxProcessRunner processes(&stop);
  update::os::SystemdServiceManager services(processes, &stop);
  update::os::LinuxClock clock(&stop);
  update::os::LinuxHost host(environment_variable("BANGER_UPDATE_LOGIN_UID"));
  update::os::LinuxProcessTable table(host);
  host.end_on_lost_memory(update::Error(update::ErrorCode::no_space, "out of memory"));
  update::os::LinuxConfinement confinement;
  update::cli::StandardConsole console;

  // A caller may give no name at all (execve(2)).
  update::cli::Invocation invocation{
      argc > 0 ? argv[0] : "banger-update",
      std::vector<std::string>(argv + (argc > 0 ? 1 : 0), argv + argc),
      {files, processes, services, clock, host, stop, confinement, table},
      console,
      environment_variable("BANGER_UPDATE_CONFIG"),
      environment_variable("SOURCE_DATE_EPOCH"),
      environment_variable("NO_COLOR") || environment_variable("TERM") == "dumb",
      environment_variable("BANGER_UPDATE_APART").has_value()};
  return update::cli::run(invocation);
}
