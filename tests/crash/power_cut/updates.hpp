#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/crash/power_cut/recording.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {

/// A command that is recorded on a host, and what must be true of the host after a power cut in it
/// and the `recover` that follows.
struct Update {
  std::string name;
  std::function<void(scenario::Host&)> prepare;
  /// Recorded too, so that what they did not sync can still be lost.
  std::function<std::vector<Traced>(const scenario::Host&)> earlier;
  std::function<scenario::Arguments(const scenario::Host&)> command;
  int code = 0;                       ///< of the command that nothing disturbs
  std::vector<std::string> versions;  ///< any one of them may be the outcome
  std::string reported;               ///< the outcome once the command has said how it ended
  std::vector<std::string> kept;      ///< versions of which no byte may be lost
  /// The outcome once new code was started that no doctor has judged yet: it is suspect, and the
  /// policy is "auto". Empty: any of `versions`.
  std::string in_restart = {};
  /// Of `kept`, where the journal is lost too: another one knows of no version but those that the
  /// intent names, and keeps no other (journal.md, "where its digest is a known version").
  std::vector<std::string> kept_without_journal = {};
};

Update an_apply();
Update an_apply_whose_doctor_fails();
Update a_rollback();
Update a_first_install();
Update a_recovery_of_a_stopped_swap();
Update a_recovery_that_goes_back();
Update an_apply_that_checkpoints();
Update an_apply_right_after_the_first();
std::vector<Update> all_updates();

/// A restart and a doctor that pass at once, and start no shell.
void make_quick(scenario::Host& host);

/// From now on a new host is in memory, if this machine has a folder for that.
struct HostsInMemory {
  HostsInMemory();
};

/// A host on which an update was recorded; its commands of restart and doctor take no time.
class RecordedHost {
 public:
  explicit RecordedHost(const Update& update);

  scenario::Host& host() { return host_; }
  const Recording& recording() const { return recording_; }
  /// Of the last event, as somebody may have kept it who read the history when all was said and
  /// done.
  const std::string& last_hash() const { return last_hash_; }

 private:
  HostsInMemory in_memory_;
  scenario::Host host_;
  Recording recording_;
  std::string last_hash_;
};

}  // namespace update::crash
