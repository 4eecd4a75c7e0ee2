#include "engine/transaction/events.hpp"

#include <algorithm>
#include <array>

#include "engine/base/json.hpp"
#include "engine/base/text.hpp"
#include "engine/installation/accounts.hpp"

namespace update {
namespace {

constexpr JsonLimits kDetailLimits{.bytes = 64U << 20, .depth = 16};

Json actor_json(const Environment& env) {
  const auto login = env.system.host.login_uid();
  const std::string name = login ? user_name(env.root, *login) : "";
  return {{"uid", env.system.host.uid()},
          {"login", name.empty() ? Json(nullptr) : Json(name)},
          {"command", env.command_line}};
}

Json plan_json(const Plan& plan) {
  return Json::parse(plan_to_text(plan));
}

Json installed_json(const Plan& plan) {
  Json installed = Json::array();
  for (const PlannedFile& file : plan.files) {
    const auto& state = file.unchanged ? file.old_state : file.new_state;
    if (!state || !state->identity) continue;
    installed.push_back({{"name", file.name}, {"identity", identity_to_text(*state->identity)}});
  }
  return installed;
}

std::string text_at(const Json& object, const char* key) {
  return object.contains(key) && object.at(key).is_string() ? object.at(key).get<std::string>()
                                                            : std::string();
}

bool flag_at(const Json& object, const char* key) {
  return object.contains(key) && object.at(key).is_boolean() && object.at(key).get<bool>();
}

std::int64_t number_at(const Json& object, const char* key) {
  return object.contains(key) && object.at(key).is_number_integer()
             ? object.at(key).get<std::int64_t>()
             : 0;
}

void read_note(const Json& detail, TransactionStory& story) {
  const std::string note = text_at(detail, "note");
  if (note == "waits") story.waits_boot = text_at(detail, "boot_id");
  if (note == "armed") {
    story.armed = ArmedProcess{
        {number_at(detail, "pid"), static_cast<std::uint64_t>(number_at(detail, "start"))},
        text_at(detail, "boot_id"),
        number_at(detail, "monotonic_ms"),
        static_cast<std::uint32_t>(number_at(detail, "timer"))};
  }
  if (note != "resumed") return;
  // Whoever took it up after the services owns it from then on: what waited, waits no more.
  if (!flag_at(detail, "at_boot")) story.waits_boot.reset();
  ++story.resumptions;
  story.fingerprints.push_back(text_at(detail, "fingerprint"));
  if (flag_at(detail, "new_code_has_run")) ++story.resumptions_after_new_code;
}

}  // namespace

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return "passed";
    case Verdict::skipped: return "skipped";
    case Verdict::forced: return "forced";
  }
  return "";
}

std::string begin_detail(const Plan& plan, const Environment& env, bool reconstructed) {
  return to_text({{"plan", plan_json(plan)},
                  {"actor", actor_json(env)},
                  {"boot_id", env.system.host.boot_id()},
                  {"reconstructed", reconstructed}});
}

std::string staged_detail(const Plan& plan) {
  Json files = Json::array();
  for (const PlannedFile& file : plan.files) {
    if (!file.old_state || !file.old_state->sha256) continue;
    files.push_back({{"name", file.name}, {"old_sha256", file.old_state->sha256->hex()}});
  }
  return to_text({{"files", files}});
}

std::string swap_detail(const Plan& plan, bool reconstructed) {
  return to_text({{"plan", plan_json(plan)}, {"reconstructed", reconstructed}});
}

std::string note_detail(std::string_view note) {
  return to_text({{"note", note}});
}

std::string restarting_detail(const std::string& unit) {
  return to_text({{"note", "restarting"}, {"unit", unit}});
}

std::string armed_detail(const ArmedProcess& armed) {
  return to_text({{"note", "armed"},
                  {"pid", armed.id.pid},
                  {"start", armed.id.start},
                  {"boot_id", armed.boot_id},
                  {"monotonic_ms", armed.since_ms},
                  {"timer", armed.timer}});
}

std::string run_detail(std::string_view note, const std::string& command,
                       const Result<os::ProcessResult>& result) {
  Json detail = {{"note", note}, {"command", command}};
  if (!result) {
    detail["result"] = "not started: " + result.error().message();
    return to_text(detail);
  }
  detail["result"] = describe(*result);
  detail["passed"] = result->passed();
  detail["duration_ms"] = result->duration_ms;
  detail["output_bytes"] = result->output_bytes;
  detail["output"] = sanitize_utf8(result->output, kKeptOutputBytes);
  return to_text(detail);
}

std::string resumed_detail(std::string_view fingerprint, bool new_code_has_run, bool at_boot) {
  return to_text({{"note", "resumed"},
                  {"fingerprint", fingerprint},
                  {"new_code_has_run", new_code_has_run},
                  {"at_boot", at_boot}});
}

std::string waits_detail(const std::string& boot_id) {
  return to_text({{"note", "waits"}, {"boot_id", boot_id}});
}

std::string kept_detail(const Sha256Digest& digest, std::string_view destination) {
  return to_text({{"note", "kept"}, {"sha256", digest.hex()}, {"destination", destination}});
}

std::string pruned_detail(const Sha256Digest& digest) {
  return to_text({{"note", "pruned"}, {"sha256", digest.hex()}});
}

std::string lost_detail(const std::optional<Sha256Digest>& lost, const std::optional<Head>& head) {
  Json last = nullptr;
  if (head) {
    last = {
        {"seq", head->seq}, {"hash", head->hash.hex()}, {"transaction", head->last_final.value}};
  }
  return to_text({{"note", "journal_lost"},
                  {"lost_sha256", lost ? Json(lost->hex()) : Json(nullptr)},
                  {"head", last}});
}

std::string error_detail(const Error& error, std::optional<Verdict> verdict) {
  Json detail = {{"error", error_json(error)}};
  if (verdict) detail["verdict"] = name_of(*verdict);
  return to_text(detail);
}

std::string rollback_detail(const Error& error, bool discard) {
  return to_text({{"error", error_json(error)}, {"discard", discard}});
}

namespace {

Json decision(std::string_view what, const std::string& reason, const Environment& env) {
  return {{"forced", what},
          {"reason", sanitize_utf8(reason, kKeptOutputBytes)},
          {"actor", actor_json(env)}};
}

}  // namespace

std::string abandoned_detail(const std::string& reason, const Environment& env,
                             const std::vector<std::string_view>& states) {
  Json detail = decision("abandon", reason, env);
  detail["left"] = states;
  return to_text(detail);
}

std::string forced_detail(std::string_view what, const std::string& reason, const Environment& env,
                          std::optional<Verdict> verdict, const Plan& plan) {
  Json detail = decision(what, reason, env);
  if (verdict) {
    detail["verdict"] = name_of(*verdict);
    detail["installed"] = installed_json(plan);
  }
  return to_text(detail);
}

std::string commit_detail(Verdict verdict, const Plan& plan) {
  return to_text({{"verdict", name_of(verdict)}, {"installed", installed_json(plan)}});
}

namespace {

std::vector<std::string> states_in(const Json& detail) {
  std::vector<std::string> states;
  if (!detail.contains("left") || !detail.at("left").is_array()) return states;
  for (const Json& state : detail.at("left")) {
    constexpr std::array<std::string_view, 5> kStates = {"old", "new", "unchanged", "absent",
                                                         "foreign"};
    const bool known =
        state.is_string() && std::find(kStates.begin(), kStates.end(),
                                       state.get_ref<const std::string&>()) != kStates.end();
    if (!known) return {};
    states.push_back(state.get<std::string>());
  }
  return states;
}

}  // namespace

Result<TransactionStory> story_of(const std::vector<Event>& events) {
  TransactionStory story;
  for (const Event& event : events) {
    auto detail = parse_json(event.detail, kDetailLimits);
    if (!detail || !detail->is_object()) {
      return fail(ErrorCode::journal_damaged,
                  "event " + std::to_string(event.seq) + " holds no JSON object");
    }
    if (detail->contains("plan")) story.plan_text = to_text(detail->at("plan"));
    if (flag_at(*detail, "reconstructed")) story.reconstructed = true;
    if (flag_at(*detail, "discard")) story.discard = true;
    if (event.from != event.to) story.waits_boot.reset();
    if (event.to == Phase::restart || event.to == Phase::doctor) story.new_code_has_run = true;
    if (event.to == Phase::abandoned) story.left = states_in(*detail);
    read_note(*detail, story);
  }
  if (story.plan_text.empty()) {
    return fail(ErrorCode::journal_damaged, "the transaction has no recorded plan");
  }
  return story;
}

}  // namespace update
