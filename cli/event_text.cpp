#include "cli/event_text.hpp"

#include "cli/json_parts.hpp"
#include "engine/base/json.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

Json object_of(const std::string& text) {
  auto parsed = parse_json(text, kStoredLimits);
  return parsed && parsed->is_object() ? std::move(*parsed) : Json::object();
}

const Json* find(const Json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

// The value of a key as one safe line; empty where it is absent, null or no plain value.
std::string value_at(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || value->is_null() || value->is_structured()) return "";
  return value->is_string() ? escape(value->get_ref<const std::string&>()) : to_text(*value);
}

std::string lines_at(const Json& object, const char* key) {
  const Json* value = find(object, key);
  if (value == nullptr || !value->is_string()) return "";
  std::string lines = escape(value->get_ref<const std::string&>(), true);
  while (lines.ends_with('\n')) lines.pop_back();
  return lines.empty() ? "" : lines + "\n";
}

std::string run_text(const Json& detail) {
  std::string text = value_at(detail, "command") + " " + value_at(detail, "result");
  const std::string took_ms = value_at(detail, "duration_ms");
  if (!took_ms.empty()) text += " after " + took_ms + " ms";
  return text + "\n" + lines_at(detail, "output");
}

std::string note_text(const Json& detail) {
  std::string text = value_at(detail, "note");
  if (text.empty()) return "";
  if (find(detail, "result") != nullptr) return text + ": " + run_text(detail);
  for (const auto& [key, value] : detail.items()) {
    const std::string shown = value_at(detail, key.c_str());
    if (key != "note" && !shown.empty()) text += ", " + escape(key) + " " + shown;
  }
  return text + "\n";
}

std::string error_lines(const Json& error) {
  std::string text = value_at(error, "message") + "\n";
  const std::string hint = value_at(error, "hint");
  return hint.empty() ? text : text + "hint: " + hint + "\n";
}

std::string actor_line(const Json& actor) {
  const std::string login = value_at(actor, "login");
  return (login.empty() ? "" : login + ", ") + "uid " + value_at(actor, "uid") + ": " +
         value_at(actor, "command");
}

}  // namespace

std::string event_text(const Event& event) {
  const Json detail = object_of(event.detail);
  std::string text = note_text(detail);
  if (const Json* error = find(detail, "error")) text += "error: " + error_lines(*error);
  if (find(detail, "forced") != nullptr) {
    const Json* actor = find(detail, "actor");
    text += "forced: " + value_at(detail, "forced") + "\nreason: " + value_at(detail, "reason") +
            "\nby: " + (actor != nullptr ? actor_line(*actor) : "") + "\n";
  }
  const std::string verdict = value_at(detail, "verdict");
  if (!verdict.empty()) text += "verdict: " + verdict + "\n";
  const Json* reconstructed = find(detail, "reconstructed");
  if (reconstructed != nullptr && *reconstructed == true) text += "reconstructed\n";
  return text;
}

PlanSummary plan_summary(const Event& event) {
  const Json detail = object_of(event.detail);
  const Json* plan = find(detail, "plan");
  if (plan == nullptr) return {};
  PlanSummary summary{lines_at(*plan, "notes"), value_at(*plan, "signed_by"), ""};
  if (const Json* baseline = find(*plan, "baseline"); baseline != nullptr && !baseline->is_null()) {
    const bool passed = value_at(*baseline, "passed") == "true";
    summary.baseline = passed ? std::string("passed") : "failed: " + value_at(*baseline, "summary");
  }
  return summary;
}

std::string stored_error_text(const std::string& error) {
  return error_lines(object_of(error));
}

std::string actor_text(const std::string& actor) {
  return actor_line(object_of(actor));
}

}  // namespace update::cli
