#pragma once

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include "tests/crash/host_invariants.hpp"

namespace update::crash {

/// Reads the destinations again and again, as a person who starts the programs would: each is there
/// and whole at every moment, whatever the crowd does.
class Watcher {
 public:
  Watcher(const scenario::Host& host, std::vector<std::string> versions);
  ~Watcher();
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  /// Ends the watch; what was wrong.
  Findings stop();
  std::size_t looks() const { return looks_; }

 private:
  void watch();
  void read_events();
  bool is_destination(const std::string& name) const;
  void find(std::string what);

  const scenario::Host& host_;
  std::vector<std::string> versions_;
  Findings findings_;
  int events_;
  std::atomic<std::size_t> looks_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace update::crash
