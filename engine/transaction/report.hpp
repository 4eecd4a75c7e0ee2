#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/transaction/environment.hpp"
#include "schema/journal.hpp"

// What the commands that only read say of files. Nothing here takes the lock or changes anything.
namespace update {

/// One file of one transaction, as cli.md's JSON has it.
struct FileReport {
  JournalFile file;
  std::string state;                  ///< old, new, unchanged, absent, foreign
  std::optional<std::string> backup;  ///< where the old bytes are now
};

/// A finished transaction's states follow from its outcome; those of one that is not, from the
/// disk. A folder may be missing.
Result<std::vector<FileReport>> report_files(const Environment& env, os::Folder& state,
                                             Journal& journal, const TransactionRecord& record);

/// ok, changed, missing.
struct InstalledFile {
  std::string name;
  std::string destination;
  std::string state;
  std::optional<Sha256Digest>
      expected;  ///< none: the journal does not know (then the state is ok if it is there)
};

/// Compares every configured destination with what was installed. `journal` is null before the
/// first update. `thorough` (the command `verify`) reads all bytes; otherwise an identity that the
/// last commit recorded is believed.
Result<std::vector<InstalledFile>> report_installed(const Environment& env, Journal* journal,
                                                    bool thorough);

/// What a rollback could use now.
struct WayBack {
  /// By configured destination: what is in place, beside it and among the generations. The names
  /// are believed; only a rollback reads what they lead to.
  std::map<std::string, std::set<Sha256Digest>> digests;
  std::vector<std::string> unconfigured;  ///< destinations of earlier updates: none may change
};
Result<WayBack> find_way_back(const Environment& env, os::Folder& state, Journal& journal);

/// Can the state of all files right after `record` still be gone back to?
Result<bool> can_go_back_to(Journal& journal, const TransactionRecord& record, const WayBack& way);

/// Of the configured destinations, those that dpkg or rpm owns: "path (package)". For the plan of a
/// dry run (F10).
std::vector<std::string> package_owned(const Environment& env);

}  // namespace update
