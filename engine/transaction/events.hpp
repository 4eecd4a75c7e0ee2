#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/error.hpp"
#include "engine/os/process.hpp"
#include "engine/os/process_table.hpp"
#include "engine/transaction/environment.hpp"
#include "engine/transaction/head.hpp"
#include "engine/transaction/plan.hpp"
#include "schema/journal.hpp"

// What events say, as JSON objects. The keys that the schema's triggers read are described in
// schema/README.md.
namespace update {

enum class Verdict : std::uint8_t { passed, skipped, forced };
std::string_view name_of(Verdict verdict);

/// How many bytes of a doctor's or a restart command's output the journal keeps.
inline constexpr std::size_t kKeptOutputBytes = 64 * 1024;

/// The plan, who asked for it and in which boot. `reconstructed`: made from the intent file after
/// the journal was lost.
std::string begin_detail(const Plan& plan, const Environment& env, bool reconstructed = false);
/// Old digests that became known beside the staging.
std::string staged_detail(const Plan& plan);
/// The plan once more, now with the identity of each staged file: the intent to swap.
std::string swap_detail(const Plan& plan, bool reconstructed = false);
/// A note: its name, and what a command printed, if one ran.
std::string note_detail(std::string_view note);
std::string restarting_detail(const std::string& unit);
std::string run_detail(std::string_view note, const std::string& command,
                       const Result<os::ProcessResult>& result);
/// A resumption, with the fingerprint by which lack of progress is recognised.
std::string resumed_detail(std::string_view fingerprint, bool new_code_has_run, bool at_boot);
std::string waits_detail(const std::string& boot_id);
std::string kept_detail(const Sha256Digest& digest, std::string_view destination);
std::string pruned_detail(const Sha256Digest& digest);
std::string lost_detail(const std::optional<Sha256Digest>& lost, const std::optional<Head>& head);
/// Why a transaction goes to needs_operator; with the verdict, if there was one already.
std::string error_detail(const Error& error, std::optional<Verdict> verdict = {});
/// Why it goes to rollback. `discard`: no destination was changed, so none is looked at when this
/// is finished.
std::string rollback_detail(const Error& error, bool discard);
/// A person's decision, who and why.
std::string forced_detail(std::string_view what, const std::string& reason, const Environment& env,
                          std::optional<Verdict> verdict, const Plan& plan);
/// The decision to leave everything as it is: `states` is what was found of each file, in the
/// plan's order.
std::string abandoned_detail(const std::string& reason, const Environment& env,
                             const std::vector<std::string_view>& states);
/// The commit: the verdict, and the identities of what is installed now.
std::string commit_detail(Verdict verdict, const Plan& plan);

/// The dead-man's switch: which process has to end the update, from now on.
struct ArmedProcess {
  os::ProcessId id;
  std::string boot_id;
  std::int64_t since_ms = 0;  ///< os::Clock::monotonic_ms of that boot
  std::uint32_t timer = 0;    ///< what sets the timer's name apart (expiry_unit_name)
};
std::string armed_detail(const ArmedProcess& armed);

/// What recovery reads back from a transaction's events.
struct TransactionStory {
  std::string plan_text;  ///< the newest that an event holds
  bool reconstructed = false;
  bool discard = false;  ///< rolling back without having changed a destination
  std::optional<std::string>
      waits_boot;  ///< the boot id of the newest `waits` note of the present phase
  std::vector<std::string> fingerprints;  ///< of the resumptions, oldest first
  std::int64_t resumptions = 0;
  std::int64_t resumptions_after_new_code = 0;
  std::optional<ArmedProcess> armed;  ///< by the newest note
  bool new_code_has_run = false;      ///< the intent to restart, or to run the doctor, is recorded
  std::vector<std::string> left;      ///< what each file was when the update was abandoned
};

/// journal_damaged if there is no plan.
Result<TransactionStory> story_of(const std::vector<Event>& events);

}  // namespace update
