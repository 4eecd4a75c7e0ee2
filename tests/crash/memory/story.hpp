#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/fixture/world.hpp"

namespace update::crash {

/// What others had seen of a transaction when the machine stopped, from least to most.
enum class Told : std::uint8_t {
  nothing,
  new_code_started,  ///< a restart or a doctor ran beside new files
  waits,             ///< `recover --boot` returned, and the services may start
  recovered,         ///< `recover` returned 0
  rolled_back,       ///< a command said so
  committed,
};

/// A stopped machine: its disk, and how it came to that.
struct HostState {
  FakeDisk disk;
  int boot = 1;         ///< which boot of the machine this is: 2 after a power cut
  bool killed = false;  ///< only the process ended, and what was pending is pending still
  Told told = Told::nothing;
  std::string trail;  ///< for the message: "apply stopped before call 57 (…), all but 3 lost"
};

/// A command on a host that is known to be well.
struct Story {
  std::string name;
  FakeDisk start;
  std::string old_version;  ///< "none": no destination exists before
  std::string new_version;
  bool doctor_passes = true;                    ///< of the new version; the old one always passes
  std::map<std::string, std::string> previous;  ///< by destination name: the bytes of `.previous`
  std::function<Told(World&)> command;
};

/// An update that commits and one that the doctor refuses, a rollback, a first update of what
/// nobody installed, a first install and one that the doctor refuses.
std::vector<Story> stories();
const Story& story(const std::string& name);

/// What a program without one of its calls, or without one of its notes, would do: set up on each
/// machine that boots.
using Tamper = std::function<void(World&)>;

/// Lets the story's programs answer on this machine; `on_start` runs when one is started.
void set_programs(World& world, const Story& story, const std::function<void()>& on_start = {});

/// The machine runs again, with the programs that the story tells of.
std::unique_ptr<World> wake(const HostState& state, const Story& story, const Tamper& tamper = {});

}  // namespace update::crash
