#include "cli/json_documents.hpp"

#include "cli/json_parts.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

Json plan_json(const PlannedUpdate& planned) {
  const Plan& plan = planned.plan;
  Json files = Json::array();
  for (const PlannedFile& file : plan.files) {
    files.push_back(
        {{"name", file.name},
         {"destination", file.destination.text()},
         {"change", name_of(file.change())},
         {"old_sha256", file.old_state ? hex_or_null(file.old_state->sha256) : Json(nullptr)},
         {"new_sha256", file.new_state ? hex_or_null(file.new_state->sha256) : Json(nullptr)},
         {"size", file.new_state ? file.new_state->size : 0}});
  }
  Json units = Json::array();
  for (const PlannedUnit& unit : plan.units) {
    units.push_back({{"name", unit.name}, {"was_active", unit.was_active}});
  }
  return {{"id", nullptr},
          {"kind", name_of(plan.kind)},
          {"from_version", or_null(plan.from_version)},
          {"to_version", or_null(plan.to_version)},
          {"nothing_to_do", planned.nothing_to_do},
          {"restart", plan.restart},
          {"units", std::move(units)},
          {"doctor", plan.doctor},
          {"signed_by", or_null(plan.signed_by)},
          {"notes", plan.notes},
          {"files", std::move(files)}};
}

Json manifest_json(const Manifest& manifest) {
  auto parsed = parse_json(format_manifest(manifest));
  return parsed ? std::move(*parsed) : Json(nullptr);
}

std::string duration(std::int64_t duration_ms) {
  return duration_ms % 1000 == 0 ? std::to_string(duration_ms / 1000) + "s"
                                 : std::to_string(duration_ms) + "ms";
}

Json paths_json(const std::vector<AbsolutePath>& paths) {
  Json array = Json::array();
  for (const AbsolutePath& path : paths) array.push_back(path.text());
  return array;
}

Json files_json(const Configuration& config) {
  Json array = Json::array();
  for (const ConfiguredFile& file : config.files) {
    array.push_back({{"name", file.name},
                     {"destination", file.destination.text()},
                     {"optional", file.optional},
                     {"mode", file.mode ? Json(octal(*file.mode)) : Json(nullptr)},
                     {"owner", or_null(file.owner)},
                     {"group", or_null(file.group)}});
  }
  return array;
}

}  // namespace

std::string octal(std::uint32_t mode) {
  std::string digits;
  for (int shift = 9; shift >= 0; shift -= 3) {
    digits += static_cast<char>('0' + (mode >> static_cast<unsigned>(shift) & 7U));
  }
  return digits;
}

// Both readings of the contract's sentence find the transaction: beside the error and in it.
Json error_object(const Error& error, std::optional<TransactionId> transaction) {
  const Json id = transaction ? Json(transaction->value) : Json(nullptr);
  Json inside = error_json(error);
  inside["transaction"] = id;
  return {{"error", std::move(inside)}, {"transaction", id}};
}

std::string error_document(const Error& error) {
  return to_text(error_object(error, std::nullopt));
}

std::string plan_document(const PlannedUpdate& planned, const std::vector<std::string>& packages) {
  return to_text(
      {{"dry_run", true}, {"plan", plan_json(planned)}, {"package_owned", Json(packages)}});
}

std::string recover_would_document(const std::string& would) {
  return to_text({{"recover_would", would}});
}

std::string verify_document(const std::vector<InstalledFile>& files, const Error* error) {
  Json json = error != nullptr ? error_object(*error, std::nullopt) : Json::object();
  json["verified"] = error == nullptr;
  json["files"] = Json::array();
  for (const InstalledFile& file : files) {
    json["files"].push_back({{"name", file.name},
                             {"destination", file.destination},
                             {"state", file.state},
                             {"expected_sha256", hex_or_null(file.expected)}});
  }
  return to_text(json);
}

std::string audit_document(const AuditReport& audit, const Error* error) {
  Json json = error != nullptr ? error_object(*error, std::nullopt) : Json::object();
  json["verified"] = error == nullptr;
  json["events"] = audit.events;
  json["first_bad_seq"] = or_null(audit.first_bad_seq);
  json["begins_after_lost_journal"] = or_null(audit.begins_after_lost_journal);
  json["newer_schema"] = or_null(audit.newer_schema);
  return to_text(json);
}

std::string pruned_document(const Pruned& pruned) {
  Json digests = Json::array();
  for (const Sha256Digest& digest : pruned.digests) digests.push_back({{"sha256", digest.hex()}});
  return to_text({{"pruned", std::move(digests)}, {"bytes", pruned.bytes}});
}

std::string made_document(const Manifest& manifest, const std::string& path, bool is_signed) {
  return to_text({{"path", path}, {"signed", is_signed}, {"manifest", manifest_json(manifest)}});
}

std::string inspection_document(const Inspection& inspection) {
  const Error* distrust = inspection.distrust();
  Json json = distrust != nullptr ? error_object(*distrust, std::nullopt) : Json::object();
  json["trusted"] = distrust == nullptr;
  json["signed_by"] = inspection.signature ? Json(inspection.signature->key_id) : Json(nullptr);
  json["trusted_comment"] =
      inspection.signature ? Json(inspection.signature->trusted_comment) : Json(nullptr);
  json["manifest"] = inspection.manifest ? manifest_json(*inspection.manifest) : Json(nullptr);
  json["plan"] = inspection.plan ? plan_json(*inspection.plan) : Json(nullptr);
  json["apply_would_fail"] = inspection.refusal ? error_json(*inspection.refusal) : Json(nullptr);
  return to_text(json);
}

std::string checked_document(const std::string& origin, bool present) {
  return to_text({{"valid", true}, {"path", present ? Json(origin) : Json(nullptr)}});
}

std::string unit_files_document(const std::vector<UnitFile>& files) {
  Json array = Json::array();
  for (const UnitFile& file : files) {
    array.push_back({{"path", file.folder + "/" + file.name}, {"text", file.text}});
  }
  return to_text({{"files", std::move(array)}});
}

std::string configuration_document(const Configuration& config) {
  return to_text({{"product", config.product},
                  {"paths",
                   {{"state", config.state.text()},
                    {"staging", config.staging.text()},
                    {"backup_suffix", config.backup_suffix}}},
                  {"file", files_json(config)},
                  {"restart",
                   {{"units", Json(config.restart.units)},
                    {"command", Json(config.restart.command)},
                    {"timeout", duration(config.restart.timeout_ms)},
                    {"keep_processes", Json(config.restart.keep_processes)}}},
                  {"doctor",
                   {{"command", Json(config.doctor.command)},
                    {"timeout", duration(config.doctor.timeout_ms)},
                    {"attempts", config.doctor.attempts},
                    {"passes", config.doctor.passes},
                    {"interval", duration(config.doctor.interval_ms)},
                    {"soak", duration(config.doctor.soak_ms)},
                    {"baseline", name_of(config.doctor.baseline)}}},
                  {"trust",
                   {{"require_signature", config.trust.require_signature},
                    {"keys", paths_json(config.trust.keys)},
                    {"allow_downgrade", config.trust.allow_downgrade}}},
                  {"recovery", {{"policy", name_of(config.recovery_policy)}}},
                  {"retention", {{"generations", config.generations}}}});
}

}  // namespace update::cli
