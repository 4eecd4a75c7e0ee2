// The real program, with an error at each of its system calls, once and from then on: the exit code
// says what is true of the host, the message names the path, a failed sync is believed, and a
// `recover` without the error ends in one version. What the dynamic loader and the C library do
// before main() is left out, and counted.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "tests/crash/host_invariants.hpp"
#include "tests/crash/program/cases.hpp"
#include "tests/crash/program/error_points.hpp"
#include "tests/crash/program/truth.hpp"
#include "tests/crash/sampling.hpp"

namespace update::crash {
namespace {

using scenario::Call;
using scenario::contains;
using scenario::Faulted;
using scenario::Host;
using scenario::Recording;

constexpr std::size_t kFailuresShown = 10;

bool is_sync(const Call& call) {
  return call.name == "fsync" || call.name == "fdatasync";
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::vector<Call> injected_among(const std::vector<Call>& calls) {
  std::vector<Call> found;
  std::copy_if(calls.begin(), calls.end(), std::back_inserter(found),
               [](const Call& call) { return call.injected(); });
  return found;
}

/// The journal's side files are SQLite's own; its errors name the database. A folder is opened
/// again as "." to be listed.
std::string named_as(const std::string& path) {
  if (ends_with(path, "/.")) return path.substr(0, path.size() - 2);
  for (const std::string suffix : {"-wal", "-shm", "-journal"}) {
    const std::string side = "journal.db" + suffix;
    if (ends_with(path, side)) return path.substr(0, path.size() - suffix.size());
  }
  return path;
}

/// Folder and name, in whatever words they stand in the message.
bool is_named(const std::string& message, const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = path.substr(0, slash);
  return contains(message, path) ||
         (contains(message, folder) && contains(message, path.substr(slash + 1)));
}

/// One error that ended the command is told with the path that it was met at.
Findings path_is_named(const ErrorPoint& point, const Recording& recording, const Faulted& run) {
  const std::vector<Call> met = injected_among(run.calls);
  const bool told = run.ended.code > 0 && run.ended.code != recording.ended.code &&
                    point.lasting == Lasting::once && met.size() == 1;
  if (!told) return {};
  const std::string path = named_as(met[0].path());
  if (path.empty() || is_named(run.ended.err, path)) return {};
  return {path + " is not named: " + run.ended.err};
}

bool swaps(const Call& call) {
  return call.name == "renameat" && contains(call.text, ".staged\"") && !call.injected();
}

bool empties(const Call& call) {
  return call.name == "ftruncate" && contains(call.text, ">, 0)") && !call.injected();
}

/// After a failed sync the pages are clean and may be lost (fsync(2), "Errors"): no file is synced
/// again as if nothing had happened, and nothing of the update is put in place any more. All of our
/// own syncs are fsync(2).
Findings failed_sync_is_believed(const Faulted& run) {
  const auto failed = std::find_if(run.calls.begin(), run.calls.end(), [](const Call& call) {
    return call.name == "fsync" && call.injected();
  });
  Findings findings;
  if (failed == run.calls.end()) return findings;
  // A folder may be synced again: after names were put back, for these.
  const bool is_file = !std::filesystem::is_directory(failed->path());
  for (auto call = std::next(failed); call != run.calls.end(); ++call) {
    if (swaps(*call)) findings.push_back("swapped after a failed sync: " + call->text);
    if (is_file && is_sync(*call) && call->path() == failed->path()) {
      findings.push_back("synced again after a failed sync: " + call->text);
    }
  }
  return findings;
}

/// fdatasync(2) is SQLite's. What it could not sync of its log is on the disk once a checkpoint has
/// written it into the database, synced that, and emptied the log; no file is moved before
/// (journal.md). A log that holds no frame yet is emptied only.
Findings failed_commit_is_believed(const Faulted& run) {
  bool believed = true;
  Findings findings;
  for (const Call& call : run.calls) {
    const bool of_journal = contains(call.text, "/journal.db");
    if (of_journal && call.name == "fdatasync" && call.injected()) believed = false;
    if (of_journal && empties(call)) believed = true;
    if (!believed && swaps(call)) findings.push_back("swapped after a failed COMMIT: " + call.text);
  }
  return findings;
}

/// A signal at a call that can be made again is no error at all.
Findings interruption_is_survived(const ErrorPoint& point, const Recording& recording,
                                  const Faulted& run) {
  if (point.error != "EINTR" || run.ended.code == recording.ended.code) return {};
  // fsync(2) is never made again, whatever its error.
  const std::vector<Call> met = injected_among(run.calls);
  if (std::any_of(met.begin(), met.end(), is_sync)) return {};
  return {"EINTR was not survived: exit code " + std::to_string(run.ended.code) + ": " +
          run.ended.err};
}

/// Whether a hook's end or its closed output is seen first, and how often it is waited for, is a
/// matter of time: such a call may have been made in the recording only.
bool depends_on_a_hook(const Call& call) {
  return call.name == "poll" || contains(call.text, "<pipe:");
}

struct Tried {
  bool reached = false;
  Findings findings;
};

Tried try_point(const Case& one, const Recording& recording, const ErrorPoint& point) {
  Host host;
  one.scenario.prepare(host);
  const auto before = destinations_now(host);
  const bool syncs = is_sync(recording.calls[point.call]);
  const Faulted run = scenario::run_with_faults(host, one.scenario, faults_of(point, recording),
                                                syncs ? "renameat,fsync,fdatasync,ftruncate" : "");
  Tried tried;
  tried.reached = !injected_among(run.calls).empty();
  tried.findings = each_file_whole(host, one.versions());
  append(tried.findings, exit_code_is_true(host, one, run.ended, before));
  append(tried.findings, path_is_named(point, recording, run));
  if (syncs) {
    append(tried.findings, failed_sync_is_believed(run));
    append(tried.findings, failed_commit_is_believed(run));
  }
  append(tried.findings, interruption_is_survived(point, recording, run));
  append(tried.findings, recovers_to_one(host, one.versions()));
  return tried;
}

void tell_what_is_left_out(const Case& one, const Recording& recording) {
  std::size_t early = 0;
  for (const auto& [name, count] : recording.before_main) early += static_cast<std::size_t>(count);
  const auto without_errors =
      std::count_if(recording.calls.begin(), recording.calls.end(),
                    [](const Call& call) { return errors_of(call).empty(); });
  std::cout << one.name << ": " << recording.calls.size() << " calls; " << early
            << " before main() and " << without_errors << " that cannot fail are left out\n";
}

/// About `sample` of the points, or all in the full mode.
void sweep(const Case& one, std::size_t sample) {
  const Recording recording = scenario::record_all(one.scenario);
  tell_what_is_left_out(one, recording);
  const std::vector<ErrorPoint> points = error_points(recording.calls);
  Tally tally{"errors at " + one.name};
  tally.recorded = points.size();
  std::size_t shown = 0;
  for (const std::size_t index : chosen_points(points.size(), points.size() / sample)) {
    const ErrorPoint& point = points[index];
    Tried tried = try_point(one, recording, point);
    if (!tried.reached) tried = try_point(one, recording, point);
    if (!tried.reached && depends_on_a_hook(recording.calls[point.call])) {
      std::cout << "was not made this time: " << to_text(point, recording) << "\n";
      continue;
    }
    ++tally.tried;
    tally.reached += tried.reached ? 1U : 0U;
    if (!tried.reached) tried.findings.push_back("not reached");
    tally.held += tried.findings.empty() ? 1U : 0U;
    if (tried.findings.empty() || ++shown > kFailuresShown) continue;
    ADD_FAILURE() << one.name << ", point " << index << ": " << to_text(point, recording) << "\n"
                  << to_message(tried.findings);
  }
  tally.report();
}

TEST(ErrorSweep, OfAnApply) {
  sweep(good_apply(), 30);
}

TEST(ErrorSweep, OfAnApplyThatIsUndone) {
  sweep(undone_apply(), 24);
}

TEST(ErrorSweep, OfARollback) {
  sweep(rollback(), 24);
}

TEST(ErrorSweep, OfARecover) {
  sweep(recovery_of("swap_1_renamed"), 24);
}

TEST(ErrorSweep, OfAFirstInstall) {
  sweep(first_install(), 24);
}

}  // namespace
}  // namespace update::crash
