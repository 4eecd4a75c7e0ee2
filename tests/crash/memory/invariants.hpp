#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/crash/memory/disk_printer.hpp"
#include "tests/crash/memory/story.hpp"

namespace update::crash {

using Findings = std::vector<std::string>;

/// At which moment a host is looked at.
enum class Look : std::uint8_t {
  stopped,    ///< at work or stopped anywhere
  recovered,  ///< `recover` has returned 0
};

/// What was there to go by when the journal was taken away.
struct Remains {
  std::optional<Phase> lost_phase;  ///< what the journal said of the story's own transaction
  bool tell_of_updates = false;     ///< intent, head or generations do
};

/// Looks at the hosts that a story may come to, and says each invariant of transaction.md that is
/// broken in one sentence. The one place that knows them. Many hosts differ in their files only, so
/// what a journal says is remembered by its print.
class Judge {
 public:
  explicit Judge(const Story& story) : story_(story) {}

  /// 1. at every moment each destination that existed holds exactly the old or the new bytes;
  /// 3. at every moment the disk holds what the journal's phase allows: no file is new before the
  ///    intent to swap, all are new and durable once new code may run, and an outcome says what is
  ///    there;
  /// 2, 8. after `recover`: one version, the journal says the same as the disk, `.previous` and
  ///    generations keep what they kept, nothing is left behind.
  ///
  /// `told`: what a command had said before, which must still be true.
  Findings broken_invariants(World& world, Look look, Told told);

  Remains remains_of(World& world);

  /// What must be true of a host whose recovery returned an error: it asks a person, by naming
  /// files, and it may do that only where a `rollback` was resumed before (transaction.md, "A
  /// crashed `rollback` command").
  Findings broken_by_giving_up(World& world, const Error& error);

  /// What must be true of a host that recovered after its journal was lost: one version. A person
  /// may be asked, by naming files, only where no intent can be expected: what the lost journal
  /// said is not between the intent to swap and the outcome. Where nothing tells of an update, a
  /// backup is one that nobody explains, which is kept and reported (journal.md, "Backups").
  Findings broken_without_journal(World& world, const Result<RecoverReport>& report,
                                  const Remains& remains, Told told) const;

 private:
  struct Known {
    std::string unreadable;  ///< why the journal cannot be read; empty: it can, or there is none
    std::optional<TransactionRecord> record;  ///< the newest transaction, if it is the story's own
  };

  const Known& known_of(World& world);
  Known read_journal(World& world) const;

  const Story& story_;
  DiskPrinter printer_;
  std::unordered_map<std::uint64_t, Known> known_;
};

/// Of a host that recovered (4): the audit chain is whole.
Findings broken_history(World& world);

/// Of a host that recovered (7): a second `recover` changes nothing, the next update succeeds and
/// leaves a whole chain, and a power cut right after it takes nothing back.
Findings of_no_use(World& world);

}  // namespace update::crash
