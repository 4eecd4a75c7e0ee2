#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/scenario/host.hpp"

namespace update::scenario {

/// One recorded system call of the main thread: the `nth` of its `name`.
struct Call {
  std::string name;
  int nth = 0;
  std::string text;  // arguments and result, as strace prints them

  /// The base name of the last path among the arguments: what a rename or a link makes.
  std::string target() const;
};

/// A host in some state, and the command that is crashed on it.
struct Scenario {
  std::function<void(Host&)> prepare;
  std::function<Arguments(const Host&)> command;
};

/// 1.0.0 is installed by an update, and 2.0.0 is about to be.
Scenario second_update();

/// The changing calls that the scenario makes on a host of its own, in order. strace without -f
/// sees the main thread only, and that is the one that changes anything (transaction.md).
std::vector<Call> record(const Scenario& scenario);

/// The calls that give a destination its new bytes (or, in an undo, its old ones).
std::vector<Call> swaps(const std::vector<Call>& calls);
/// The calls whose target matches: ends_with(target, ending).
std::vector<Call> making(const std::vector<Call>& calls, const std::string& ending);

/// Runs the command, already prepared, and kills it on entry to `call`, which is not executed.
Ended kill_at(const Host& host, const Scenario& scenario, const Call& call);
/// prepare and kill_at, which must have come to that call.
void crash(Host& host, const Scenario& scenario, const Call& call);

/// 2.0.0 over 1.0.0, crashed when `swapped` of the three files are new.
void crash_in_swap(Host& host, std::size_t swapped);

/// An strace command that lets `injection` happen to the program; its log goes to `log`.
Arguments strace(const std::string& log, const std::string& calls, const std::string& injection);

}  // namespace update::scenario
