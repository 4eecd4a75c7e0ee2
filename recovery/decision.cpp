#include "recovery/decision.hpp"

#include <algorithm>

namespace update {
namespace {

// The fifth resumption that finds everything as the one before it is not going to help either.
constexpr std::int64_t kResumptionsWithoutProgress = 4;

struct Picture {
  bool all_old = true;
  bool all_new = true;
  bool any_foreign = false;
  bool new_complete = true;  ///< each file's new bytes are in place or staged
  bool old_complete = true;  ///< each file's old bytes are in place or backed up
};

Picture picture_of(const std::vector<Observation>& files) {
  Picture picture;
  for (const Observation& file : files) {
    if (file.unchanged) continue;
    picture.all_old = picture.all_old && file.destination == Holds::old_bytes;
    picture.all_new = picture.all_new && file.destination == Holds::new_bytes;
    picture.any_foreign = picture.any_foreign || file.destination == Holds::foreign;
    picture.new_complete = picture.new_complete && file.new_available;
    picture.old_complete = picture.old_complete && file.old_available;
  }
  return picture;
}

Decision ask(std::string reason) {
  return {Action::ask_operator, std::move(reason)};
}

Decision put_back(const Picture& picture, std::string reason) {
  if (picture.any_foreign) return ask("a destination was changed by somebody else");
  if (!picture.old_complete) return ask("a backup is gone or damaged");
  return {Action::put_back, std::move(reason)};
}

/// Whose operator wants the "new" version back: a rollback command goes forward, unless told
/// otherwise on the command line.
bool goes_forward(const Situation& now) {
  return now.kind == TransactionKind::rollback &&
         !(now.policy_from_command_line && now.policy == RecoveryPolicy::rollback);
}

/// Whoever changed a destination meanwhile did so on their own: nothing of ours was renamed, so
/// nothing is to be undone.
Decision decide_before_swap() {
  return {Action::discard, "stopped before a destination was changed"};
}

/// Made again from the intent: whether new code has run is not known, so mixed files are not simply
/// finished.
Decision decide_reconstructed(const Situation& now, const Picture& picture) {
  if (picture.any_foreign) return ask("a destination was changed by somebody else");
  if (picture.all_old) return {Action::stay_old, "the journal was lost; all files are old"};
  if (picture.all_new) return {Action::replay_swap, "the journal was lost; all files are new"};
  if (now.kind == TransactionKind::apply) {
    return put_back(picture, "the journal was lost and the files are mixed");
  }
  if (picture.new_complete) {
    return {Action::replay_swap, "the journal was lost during a rollback"};
  }
  return ask("the journal was lost during a rollback, and not all of its files are there");
}

Decision decide_swap(const Situation& now, const Picture& picture) {
  if (now.reconstructed) return decide_reconstructed(now, picture);
  if (picture.any_foreign) {
    if (std::none_of(now.files.begin(), now.files.end(), was_renamed)) {
      return {Action::discard, "a destination was changed by somebody else before the swap"};
    }
    return ask("a destination was changed by somebody else");
  }
  const bool forward = goes_forward(now);
  if (forward && now.resumptions >= 1) {
    return ask("the rollback was resumed before and stopped again");
  }
  if (picture.new_complete && (forward || now.policy != RecoveryPolicy::rollback)) {
    return {Action::replay_swap, "stopped during the swap, every new file is there"};
  }
  if (picture.all_old) return {Action::put_back, "stopped before the first rename"};
  if (!picture.new_complete && (now.policy == RecoveryPolicy::replay || forward)) {
    return ask("not every new file is there to finish the swap");
  }
  return put_back(picture, "stopped during the swap");
}

/// New code has run: the release may be the reason of the crash.
Decision decide_after_new_code(const Situation& now, const Picture& picture) {
  if (now.waits_in_this_boot) {
    if (now.at_boot) return {Action::wait, "waits for the services"};
    if (now.policy == RecoveryPolicy::rollback && !goes_forward(now)) {
      return put_back(picture, "the policy is rollback");
    }
    return {Action::verify, "left for the doctor by recover --boot"};
  }
  if (goes_forward(now)) {
    if (now.resumptions >= 1) {
      return ask("the rollback was resumed before and stopped again");
    }
    if (!picture.all_new) return ask("a destination was changed by somebody else");
    return {Action::replay_restart, "a rollback goes forward"};
  }
  // Counted before its first side effect: the second that finds that new code has run gives up on
  // the release.
  const bool once_more =
      now.policy == RecoveryPolicy::replay && now.resumptions_after_new_code == 0;
  if (once_more && picture.all_new) return {Action::replay_restart, "the policy is replay"};
  return put_back(picture, "stopped after the new version was started");
}

Decision decide_needs_operator(const Situation& now, const Picture& picture) {
  if (picture.all_old) return {Action::conclude_old, "all files are old again"};
  if (picture.all_new && now.found_well) return {Action::conclude_new, "all files are new again"};
  if (picture.all_new) return ask("all files are new, and nothing has found them well yet");
  return ask("the files still hold no one version");
}

Decision decide_by_phase(const Situation& now, const Picture& picture) {
  switch (now.phase) {
    case Phase::stage:
    case Phase::backup: return decide_before_swap();
    case Phase::swap: return decide_swap(now, picture);
    case Phase::restart:
    case Phase::doctor: return decide_after_new_code(now, picture);
    case Phase::rollback:
      if (now.discarding) return {Action::finish_discard, "stopped while tidying up"};
      if (now.at_boot && now.waits_in_this_boot) return {Action::wait, "waits for the services"};
      return {Action::finish_rollback, "stopped while rolling back"};
    case Phase::needs_operator: return decide_needs_operator(now, picture);
    case Phase::committed:
    case Phase::rolled_back:
    case Phase::abandoned: break;
  }
  return {Action::wait, "finished"};
}

}  // namespace

std::string_view name_of(Action action) {
  switch (action) {
    case Action::wait: return "nothing";
    case Action::discard:
    case Action::finish_discard: return "discard";
    case Action::replay_swap:
    case Action::replay_restart: return "replay";
    case Action::put_back:
    case Action::stay_old:
    case Action::finish_rollback:
    case Action::conclude_old: return "rollback";
    case Action::verify:
    case Action::conclude_new: return "verify";
    case Action::ask_operator: return "needs_operator";
  }
  return "";
}

Decision decide(const Situation& situation) {
  Decision decision = decide_by_phase(situation, picture_of(situation.files));
  const bool acts = decision.action != Action::wait && decision.action != Action::ask_operator &&
                    situation.phase != Phase::needs_operator;
  if (acts && situation.without_progress >= kResumptionsWithoutProgress) {
    return ask("it was resumed " + std::to_string(situation.resumptions) +
               " times without getting any further");
  }
  return decision;
}

}  // namespace update
