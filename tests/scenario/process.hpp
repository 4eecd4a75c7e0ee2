#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "engine/base/json.hpp"

namespace update::scenario {

using Arguments = std::vector<std::string>;

/// How a process ended: by exit (`code`) or by a signal (`signal`, and `code` is -1).
struct Ended {
  int code = -1;
  int signal = 0;
  std::string out;
  std::string err;

  /// Standard output as exactly one JSON document; a test failure and null where it is not.
  Json json() const;
};

struct Launch {
  std::vector<std::pair<std::string, std::string>> environment = {};
  Arguments prefix = {};        // a program that starts the program: strace, setpriv
  int stdout_fd = -1;           // instead of the memory file that Ended::out is read from
  bool close_standard = false;  // descriptors 0, 1 and 2 are closed
  std::string terminal = {};    // a pseudo terminal that becomes the controlling one
};

/// A child in a process group of its own, killed if the test ends before it does.
class Process {
 public:
  explicit Process(const Arguments& command, const Launch& launch = {});
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running() const;
  void send(int signal) const;

  /// Waits for the end. A process that outlives `limit` is killed, and that is a test failure.
  Ended wait(std::chrono::seconds limit = std::chrono::seconds(60));

 private:
  pid_t pid_ = -1;
  int out_ = -1;
  int err_ = -1;
  bool ended_ = false;
};

Ended run_process(const Arguments& command, const Launch& launch = {});

/// Waits until `condition` holds; false once `limit` has passed.
template <typename Condition>
bool eventually(Condition condition, std::chrono::seconds limit = std::chrono::seconds(10));

void pause_briefly();

template <typename Condition>
bool eventually(Condition condition, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) {
      return false;
    }
    pause_briefly();
  }
  return true;
}

}  // namespace update::scenario
