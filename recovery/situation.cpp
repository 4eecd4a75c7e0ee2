#include "recovery/situation.hpp"

#include <algorithm>

namespace update {
namespace {

std::string fingerprint_of(Phase phase, const std::vector<Observation>& files) {
  std::string text(name_of(phase));
  text.push_back(':');
  for (const Observation& file : files) {
    const char letter = file.unchanged                         ? '='
                        : file.destination == Holds::old_bytes ? 'o'
                        : file.destination == Holds::new_bytes ? 'n'
                                                               : 'f';
    text.push_back(letter);
  }
  return text;
}

std::int64_t equal_at_the_end(const std::vector<std::string>& fingerprints,
                              const std::string& now) {
  const auto differing = std::find_if(fingerprints.rbegin(), fingerprints.rend(),
                                      [&](const std::string& other) { return other != now; });
  return differing - fingerprints.rbegin();
}

/// What the plan says of services was true where and when it was made. This may be a rescue system
/// that has only the files of that host, and the configuration may have lost a command since.
void narrow_to_what_is_here(const Environment& env, Plan& plan) {
  if (env.offline()) plan.units.clear();
  plan.restart = plan.restart && (env.has_restart() || !plan.units.empty());
  plan.doctor = plan.doctor && env.has_doctor();
}

bool found_well(const TransactionRecord& record) {
  return record.verdict == std::string(name_of(Verdict::passed)) ||
         record.verdict == std::string(name_of(Verdict::skipped));
}

}  // namespace

Result<Case> look_at_case(const Environment& env, Journal& journal, const TransactionRecord& record,
                          const RecoverRequest& request) {
  UPDATE_TRY_ASSIGN(const std::vector<Event> events, journal.events_of(record.id));
  UPDATE_TRY_ASSIGN(TransactionStory story, story_of(events));
  UPDATE_TRY_ASSIGN(Plan plan, plan_from_text(story.plan_text, env.config));
  if (plan.tag.id != record.id) {
    return fail(ErrorCode::journal_damaged, "the recorded plan is of another transaction");
  }
  narrow_to_what_is_here(env, plan);
  UPDATE_TRY_ASSIGN(TargetFolders folders, TargetFolders::open(env.root, destinations_of(plan)));
  Case found{record, std::move(story), std::move(plan), std::move(folders), {}, {}};
  Situation& now = found.situation;
  UPDATE_TRY_ASSIGN(now.files, observe_all(found.folders, found.plan));
  now.phase = record.phase;
  now.kind = found.plan.kind;
  now.policy = request.policy.value_or(env.config.recovery_policy);
  now.policy_from_command_line = request.policy.has_value();
  now.at_boot = request.boot;
  now.waits_in_this_boot = found.story.waits_boot == env.system.host.boot_id();
  now.found_well = found_well(record);
  now.discarding = found.story.discard;
  now.reconstructed = found.story.reconstructed;
  now.resumptions = found.story.resumptions;
  now.resumptions_after_new_code = found.story.resumptions_after_new_code;
  found.fingerprint = fingerprint_of(record.phase, now.files);
  now.without_progress = equal_at_the_end(found.story.fingerprints, found.fingerprint);
  return found;
}

}  // namespace update
