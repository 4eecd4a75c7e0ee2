#include "engine/os/process.hpp"

#include <csignal>

namespace update::os {

bool ProcessResult::killed() const {
  const bool by_others =
      status == SIGTERM || status == SIGKILL || status == SIGINT || status == SIGHUP;
  return end == ProcessEnd::signalled && by_others;
}

std::string describe(const ProcessResult& result) {
  switch (result.end) {
    case ProcessEnd::exited: return "exited with status " + std::to_string(result.status);
    case ProcessEnd::signalled: return "was ended by signal " + std::to_string(result.status);
    case ProcessEnd::timed_out: return "did not end in time";
    case ProcessEnd::stopped: return "was ended, since this program was told to stop";
  }
  return "ended in an unknown way";
}

}  // namespace update::os
