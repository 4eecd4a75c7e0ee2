#include "cli/json_transaction.hpp"

#include "cli/json_parts.hpp"
#include "engine/base/json.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

Json time_or_null(const std::optional<std::int64_t>& time_us) {
  return time_us ? Json(format_time(*time_us)) : Json(nullptr);
}

Json phase_or_null(const std::optional<Phase>& phase) {
  return phase ? Json(name_of(*phase)) : Json(nullptr);
}

// A stored text as the value that it stands for; where it is none, as the text that it is.
Json stored(const std::string& text) {
  auto parsed = parse_json(text, kStoredLimits);
  return parsed ? std::move(*parsed) : Json(text);
}

Json actor_json(const std::string& actor) {
  const Json given = stored(actor);
  Json shown = {{"uid", nullptr}, {"login", nullptr}, {"command", nullptr}};
  if (!given.is_object()) return shown;
  for (const char* key : {"uid", "login", "command"}) {
    if (given.contains(key)) shown[key] = given.at(key);
  }
  return shown;
}

Json record_json(const TransactionRecord& record, const Error* error) {
  // The events still hold the recorded one.
  Json shown_error = error != nullptr ? error_json(*error)
                     : record.error   ? stored(*record.error)
                                      : Json(nullptr);
  return {{"id", record.id.value},
          {"kind", record.kind.empty() ? Json(nullptr) : Json(record.kind)},
          {"from_version", or_null(record.from_version)},
          {"to_version", or_null(record.to_version)},
          {"phase", name_of(record.phase)},
          {"outcome", or_null(record.outcome)},
          {"started_at",
           record.boot_id.empty() ? Json(nullptr) : Json(format_time(record.started_at_us))},
          {"finished_at", time_or_null(record.finished_at_us)},
          {"duration_ms", or_null(duration_of(record))},
          {"error", std::move(shown_error)},
          {"actor", actor_json(record.actor)},
          {"boot_id", record.boot_id.empty() ? Json(nullptr) : Json(record.boot_id)}};
}

Json file_json(const FileReport& report) {
  return {{"name", report.file.name},
          {"destination", report.file.destination},
          {"old_sha256", hex_or_null(report.file.old_sha256)},
          {"new_sha256", hex_or_null(report.file.new_sha256)},
          {"size", report.file.size},
          {"backup", or_null(report.backup)},
          {"state", report.state}};
}

Json event_json(const Event& event) {
  return {{"seq", event.seq},
          {"at", format_time(event.at_us)},
          {"from", phase_or_null(event.from)},
          {"to", phase_or_null(event.to)},
          {"detail", stored(event.detail)},
          {"hash", event.hash.hex()}};
}

Json view_json(const TransactionView& view, const Error* error) {
  Json json = record_json(view.record, error);
  json["files"] = Json::array();
  for (const FileReport& file : view.files) json["files"].push_back(file_json(file));
  json["events"] = Json::array();
  for (const Event& event : view.events) json["events"].push_back(event_json(event));
  return json;
}

Json view_or_null(const TransactionView* view, const Error* error = nullptr) {
  return view != nullptr ? view_json(*view, error) : Json(nullptr);
}

}  // namespace

std::string transaction_document(const TransactionView& view, const Error* error,
                                 const TransactionView* recovered) {
  Json json = view_json(view, error);
  json["recovered"] = view_or_null(recovered);
  return to_text(json);
}

std::string failure_document(const Error& error, std::optional<TransactionId> transaction,
                             const TransactionView* recovered) {
  Json json = error_object(error, transaction);
  if (recovered != nullptr) json["recovered"] = view_json(*recovered, nullptr);
  return to_text(json);
}

std::string history_entry_document(const TransactionView& view) {
  return to_text(view_json(view, nullptr));
}

std::string history_document(const std::vector<ListedTransaction>& listed) {
  Json array = Json::array();
  for (const ListedTransaction& entry : listed) {
    Json json = record_json(entry.record, nullptr);
    json["kept"] = entry.kept;
    array.push_back(std::move(json));
  }
  return to_text(array);
}

std::string recovered_document(const TransactionView* recovered, const Error* error) {
  return to_text({{"recovered", view_or_null(recovered, error)}});
}

std::string already_installed_document(const std::optional<std::string>& version,
                                       const TransactionView* recovered) {
  return to_text({{"already_installed", true},
                  {"installed_version", or_null(version)},
                  {"transaction", nullptr},
                  {"recovered", view_or_null(recovered)}});
}

std::string status_document(const StatusReport& report) {
  Json files = Json::array();
  for (const InstalledFile& file : report.files) {
    files.push_back(
        {{"name", file.name}, {"destination", file.destination}, {"state", file.state}});
  }
  return to_text({{"installed_version", or_null(report.installed_version)},
                  {"unfinished", view_or_null(report.unfinished ? &*report.unfinished : nullptr)},
                  {"recover_would", report.recover_would},
                  {"files", std::move(files)}});
}

std::string exported_event(const Event& event) {
  return to_text(
      {{"seq", event.seq},
       {"transaction", event.transaction ? Json(event.transaction->value) : Json(nullptr)},
       {"at", format_time(event.at_us)},
       {"from", phase_or_null(event.from)},
       {"to", phase_or_null(event.to)},
       {"detail", event.detail},
       {"prev_hash", event.previous_hash.hex()},
       {"hash", event.hash.hex()}});
}

}  // namespace update::cli
