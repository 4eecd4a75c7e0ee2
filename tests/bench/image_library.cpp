// Times the library's calls for image_figures.py: one line a run, in microseconds.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "engine/base/text.hpp"
#include "engine/image/work_image.hpp"
#include "engine/os/clock_linux.hpp"
#include "engine/os/confinement_linux.hpp"
#include "engine/os/filesystem_linux.hpp"
#include "engine/os/host_linux.hpp"
#include "engine/os/process_linux.hpp"
#include "engine/os/process_table_linux.hpp"
#include "engine/os/service_manager_systemd.hpp"
#include "engine/os/stop_linux.hpp"

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fputs("usage: update_image_library SEED DISK SIZE RUNS\n", stderr);
    return 2;
  }
  update::os::SignalStop stop;
  update::os::LinuxFileSystem files;
  update::os::LinuxProcessRunner processes(&stop);
  update::os::SystemdServiceManager services(processes);
  update::os::LinuxClock clock(&stop);
  update::os::LinuxHost host;
  update::os::LinuxProcessTable table(host);
  update::os::LinuxConfinement confinement;
  const update::os::System system{files, processes, services,    clock,
                                  host,  stop,      confinement, table};
  const auto bytes = update::parse_size(argv[3]);
  if (!bytes) {
    std::fprintf(stderr, "%s\n", bytes.error().message().c_str());
    return 2;
  }
  for (int run = std::atoi(argv[4]); run > 0; --run) {
    const auto begin = std::chrono::steady_clock::now();
    const auto made = update::image::make_work_disk(system, argv[1], argv[2], *bytes, {});
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::steady_clock::now() - begin);
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().message().c_str());
      return 1;
    }
    std::printf("%lld\n", static_cast<long long>(took.count()));
  }
  return 0;
}
