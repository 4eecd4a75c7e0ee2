#pragma once

#include "engine/os/clock.hpp"
#include "engine/os/confinement.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/os/host.hpp"
#include "engine/os/process.hpp"
#include "engine/os/process_table.hpp"
#include "engine/os/service_manager.hpp"

namespace update::os {

/// All that an update sees of the operating system; cli/main.cpp makes the Linux one, tests a fake.
struct System {
  FileSystem& files;
  ProcessRunner& processes;
  ServiceManager& services;
  Clock& clock;
  Host& host;
  StopRequest& stop;
  Confinement& confinement;
  ProcessTable& table;
};

/// By which name this program can be started again.
Result<std::string> own_program(const System& system);

}  // namespace update::os
