#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/power_cut/states.hpp"
#include "tests/crash/power_cut/updates.hpp"

namespace update::crash {

/// Lays states out on the host where the recording was made, one after the other, lets the real
/// program recover, and looks at what is left.
class Trial {
 public:
  /// `recording` is what states are made of: the host's own, or one with a bug planted in it.
  Trial(RecordedHost& recorded, const Recording& recording, Update update);

  /// What is wrong after a power cut in that state: what two processes and the files themselves
  /// tell. Without the journal: one version too; but before the intent is written and after the
  /// outcome is, a person may be asked for, by exit status 4 and the name of a file.
  Findings findings(const CutState& state, AlsoLost also_lost = AlsoLost::nothing);

  /// All checks of host_invariants.hpp, and an update that is applied now; after findings().
  Findings more_findings(const CutState& state);

 private:
  /// The versions that the host may have after `recover`.
  std::vector<std::string> outcomes(const CutState& state) const;
  void lay_out(const CutState& state, AlsoLost also_lost);
  Findings look(const std::vector<std::string>& allowed,
                const std::vector<std::string>& kept) const;
  void check_names(Findings& findings) const;
  void check_kept(const std::vector<std::string>& kept, Findings& findings) const;
  void check_journal(Findings& findings) const;
  void check_chain(const CutState& state, Findings& findings) const;
  bool may_hold_head(const CutState& state) const;

  scenario::Host* host_;
  const Recording* recording_;
  Update update_;
  std::string last_hash_;
};

}  // namespace update::crash
