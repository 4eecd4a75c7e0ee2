#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "tests/crash/memory/disk_printer.hpp"
#include "tests/crash/memory/invariants.hpp"
#include "tests/crash/memory/story.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {

/// How a stopped host is brought back.
struct Repair {
  std::string name;
  std::function<Result<RecoverReport>(World&)> run;
};

/// `recover`; `recover --boot`, then `recover`; `recover` under either policy.
const Repair& by_recover();
const Repair& by_boot_and_recover();
const Repair& by_policy(RecoveryPolicy policy);

/// Stops a story's command at each of its calls, as a kill and as every power cut, recovers each
/// state that this leaves, stops the recovery in the same way, and so on. Equal states are looked
/// at once.
class Explorer {
 public:
  struct Options {
    bool full = false;              ///< every operation by itself, and pairs
    bool without_journal = true;    ///< each state also with the journal gone
    Tamper tamper_command = {};     ///< while the command runs
    Tamper tamper_recovery = {};    ///< while a recovery runs that is looked at or stopped
    std::size_t most_findings = 5;  ///< then it stops
  };

  Explorer(const Story& story, Options options)
      : story_(story), options_(std::move(options)), judge_(story) {}

  /// The states that a stop of the command leaves, each recovered.
  void depth_one();
  /// The same states, each brought back by another way than plain `recover`.
  void repair_by(const Repair& repair);
  /// The states that a stop of a recovery of those leaves. `recovery`: which is stopped. Of states
  /// that differ in the history only, not in what recovery decides from, one is gone on from.
  void depth_two(const Repair& recovery);
  /// Brings each state back by `repair` and by plain `recover`: the same version must come of it.
  void compare(const Repair& repair);
  /// Stops the recovery of each state at the same place again and again, losing what was not
  /// synced: after a few boots it ends, or asks a person, or has changed nothing.
  void loops_end();
  /// `count` random walks: stop, recover, stop, recover, stop, recover. The same seed gives the
  /// same.
  void depth_three(std::uint64_t seed, std::size_t count);

  /// From now on, while a recovery runs that is looked at or stopped.
  void tamper_recovery(Tamper tamper) { options_.tamper_recovery = std::move(tamper); }

  const std::vector<std::string>& findings() const { return findings_; }
  Tally tally(const std::string& sweep) const;
  /// The distinct states of depth one.
  const std::vector<HostState>& states() const { return first_; }

 private:
  using Action = std::function<Told(World&)>;

  std::vector<HostState> moments(const HostState& start, const std::string& name,
                                 const Action& action, const Tamper& tamper);
  std::vector<HostState> stops(HostState& moment);
  void visit(const HostState& state, const Repair& repair);
  void visit_without_journal(const HostState& state);
  bool ends(HostState state, const std::string& place);
  /// Many roads lead to one outcome, and it is enough to use each outcome once; in the full mode,
  /// each with its own history.
  void use_once(const HostState& state, const std::string& how, World& world);
  void found(const HostState& state, const std::string& how, const Findings& broken);
  bool enough() const { return findings_.size() >= options_.most_findings; }
  bool is_new(std::uint64_t print) { return seen_.insert(print).second; }
  /// What recovery decides from: the disk, and what it reads of the newest transaction.
  std::uint64_t situation(const HostState& state);
  static Action action_of(const Repair& repair);

  const Story& story_;
  Options options_;
  DiskPrinter printer_;
  Judge judge_;
  std::vector<HostState> first_;
  std::unordered_set<std::uint64_t> seen_;
  std::unordered_map<std::uint64_t, std::uint64_t> journals_;  ///< what recovery reads, by print
  std::vector<std::string> findings_;
  std::size_t stops_ = 0;   ///< moments and loss patterns
  std::size_t looked_ = 0;  ///< distinct states
  std::size_t held_ = 0;
};

}  // namespace update::crash
