#pragma once

#include <functional>
#include <map>
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
  /// The whole path that the call is about: of the file that it names, or else of its descriptor.
  /// Empty where there is none. Needs a log with paths beside descriptors.
  std::string path() const;
  bool injected() const;
};

/// A host in some state, and the command that is crashed on it.
struct Scenario {
  std::function<void(Host&)> prepare;
  std::function<Arguments(const Host&)> command;
};

/// 1.0.0 is installed by an update, and 2.0.0 is about to be.
Scenario second_update();

/// What the scenario does on a host of its own. strace counts the calls of each thread alone, and
/// injects nothing into other threads and processes than the first unless it is told to follow
/// them; so only the main thread can be aimed at, which is the one that changes anything
/// (transaction.md).
struct Recording {
  Ended ended;
  std::vector<Call> calls;                 // of the main thread, from main() on
  std::map<std::string, int> before_main;  // the dynamic loader's and the C library's, by name
  std::size_t changing_elsewhere = 0;      // of other threads and of children
};
Recording record_all(const Scenario& scenario);
/// The same on this host, where its files or its disk make other calls than on a plain one.
Recording record_on(Host& host, const Scenario& scenario);

/// False where a kill before the call leaves the same as one before the next that changes
/// something.
bool changes_something(const Call& call);
std::vector<Call> changing(const Recording& recording);
/// The changing calls that the scenario makes on a host of its own, in order.
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

/// Calls of one name that end with `error` and are not executed.
struct Fault {
  std::string name;
  std::string error;
  std::string when;  // as in strace(1): "7" the seventh, "7+" that and all later ones, "7..9"
};

struct Faulted {
  Ended ended;
  std::vector<Call> calls;  // of the names that fail, and of `also`; what failed is injected()
};

/// Runs the command, already prepared, with these faults; `starter` is a program that starts it.
Faulted run_with_faults(const Host& host, const Scenario& scenario,
                        const std::vector<Fault>& faults, const std::string& also = "",
                        const Arguments& starter = {});

/// An strace command that lets `injection` happen to the program; its log goes to `log`.
Arguments strace(const std::string& log, const std::string& calls, const std::string& injection);

}  // namespace update::scenario
