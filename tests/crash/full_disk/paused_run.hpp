#pragma once

#include <string>

#include "tests/scenario/process.hpp"
#include "tests/scenario/trace.hpp"

namespace update::crash {

/// The program, stopped with SIGSTOP as soon as a chosen system call of it is done, so that the
/// world can change in between.
class PausedRun {
 public:
  PausedRun(const scenario::Host& host, const scenario::Arguments& arguments,
            const scenario::Call& after);

  /// Waits for the stop; false if the program ended without coming to that call.
  bool wait_until_paused();
  scenario::Ended resume_and_wait();

 private:
  std::string log_;
  scenario::Process tracer_;
};

}  // namespace update::crash
