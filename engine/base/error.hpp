#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace update {

/// What went wrong, in terms of what the operator does next. Frozen: a value is never renumbered or
/// reused, and exit_code() maps each to one exit code of the contract.
enum class ErrorCode {
  failed = 1,            ///< nothing was changed
  usage = 2,             ///< the command line or the configuration is wrong
  undone = 3,            ///< changed and put back: the host runs what it ran before
  needs_operator = 4,    ///< a person has to decide
  busy = 5,              ///< another update holds the lock
  refused = 6,           ///< a policy says no
  not_trusted = 7,       ///< signature, manifest, digest, owner of a folder
  no_space = 8,          ///< disk or another resource, before anything was changed
  not_found = 9,         ///< no such update or generation, or it cannot be gone back to
  unfinished = 10,       ///< stopped midway; `recover` resolves it
  interrupted = 11,      ///< SIGINT
  terminated = 12,       ///< SIGTERM
  journal_damaged = 13,  ///< the journal is not a database that can be read
  commit_unknown = 14,   ///< a COMMIT failed: it may or may not be durable (journal.md)
  newer_journal = 15,    ///< only a newer program may write the journal; this one changes nothing
};

/// The name that stands in the JSON error object, `not_trusted` for instance.
std::string_view name_of(ErrorCode code);

/// The exit status that tells it to scripts; it also stands as "code" in the JSON error object.
int exit_code(ErrorCode code);

/// An error on its way outwards: the innermost message first, then what each caller was doing.
class [[nodiscard]] Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  /// From errno: the message ends with the system's own words, and no_space stands for ENOSPC,
  /// EDQUOT, EMFILE, ENFILE and ENOMEM, so that a full disk is told apart wherever it is met.
  static Error from_errno(int number, std::string_view what);

  /// Adds what the caller was doing, "staging /usr/local/bin/banger" for instance.
  Error with(std::string context) &&;
  /// The one command or change that helps; the innermost hint wins.
  Error hint(std::string text) &&;
  /// The same error seen as another kind of end, once the caller knows what became of the host.
  Error as(ErrorCode code) &&;

  ErrorCode code() const { return code_; }
  int system_errno() const { return errno_; }
  const std::string& hint() const { return hint_; }
  /// One line, outermost context first: "staging X: writing Y: No space left on device".
  std::string message() const;

 private:
  ErrorCode code_;
  std::string message_;
  std::string hint_;
  std::vector<std::string> contexts_;
  int errno_ = 0;
};

}  // namespace update
