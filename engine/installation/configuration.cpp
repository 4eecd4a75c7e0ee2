#include "engine/installation/configuration.hpp"

#include "engine/base/text.hpp"
#include "engine/installation/configuration_checks.hpp"
#include "engine/installation/configuration_section.hpp"

#include <algorithm>
#include <utility>

namespace update {
namespace {

using config::error_at;
using config::Problem;
using config::quoted;
using config::Section;

constexpr std::int64_t kTriesMax = 100;
constexpr std::int64_t kGenerationsMax = 100;

/// The end of the string that begins at `at`, quotes included; or of its line, if it stays open.
std::size_t string_end(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const std::string triple(3, quote);
  const bool multi_line = text.substr(at).starts_with(triple);
  at += multi_line ? 3 : 1;
  for (; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (!multi_line && (text[at] == quote || text[at] == '\n')) {
      return text[at] == quote ? at + 1 : at;
    } else if (multi_line && text.substr(at).starts_with(triple)) {
      at += 3;
      for (int more = 0; more < 2 && at < text.size() && text[at] == quote; ++more) ++at;
      return at;
    }
  }
  return text.size();
}

/// toml++ bounds the depth of values (TOML_MAX_NESTED_VALUES) but not the parts of a dotted key,
/// each of which is a table, and it frees tables recursively: half a million dots in one line would
/// overflow the stack.
Status check_dotted_keys(std::string_view text, const std::string& origin) {
  constexpr unsigned kDotsInLine = 8;  // our longest key has one
  toml::source_position where{1, 1};
  unsigned dots = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    std::size_t next = at + 1;
    if (c == '#') next = std::min(text.find('\n', at), text.size());
    if (c == '"' || c == '\'') next = std::min(string_end(text, at), text.size());
    const auto lines = std::count(text.begin() + static_cast<std::ptrdiff_t>(at),
                                  text.begin() + static_cast<std::ptrdiff_t>(next), '\n');
    where.line += static_cast<toml::source_index>(lines);
    if (lines > 0) dots = 0;
    if (c == '.' && ++dots > kDotsInLine) {
      return fail(error_at(origin, where, "too many dots outside of strings in this line"));
    }
    at = next;
  }
  return {};
}

AbsolutePath known_path(std::string_view text) {
  return *AbsolutePath::parse(text);
}

/// cli.md, Configuration: what an empty file means.
Configuration defaults() {
  Configuration configuration{"banger",
                              known_path("/var/lib/banger/update"),
                              known_path("/var/cache/banger/updates"),
                              ".previous",
                              {},
                              {},
                              {},
                              {},
                              RecoveryPolicy::automatic,
                              3};
  for (const std::string name : {"banger", "bangerd", "banger-vsock-agent"}) {
    configuration.files.push_back({name, known_path("/usr/local/bin") / name, false, {}, {}, {}});
  }
  configuration.restart.units = {"bangerd.service"};
  configuration.restart.timeout_ms = 30'000;
  configuration.doctor.command = {"/usr/local/bin/banger", "doctor"};
  configuration.doctor.timeout_ms = 60'000;
  configuration.doctor.attempts = 3;
  configuration.doctor.interval_ms = 2'000;
  configuration.trust.keys = {known_path("/etc/banger/update-keys")};
  return configuration;
}

Status check_command(const Section& section, const std::vector<std::string>& command) {
  if (command.empty() || command.front().starts_with('/')) return {};
  return fail(section.error(
      "command", "its first element, " + quoted(command.front()) + ", must be an absolute path"));
}

Result<ConfiguredFile> read_file(const Section& section) {
  UPDATE_TRY(section.allow_only({"name", "destination", "optional", "mode", "owner", "group"}));
  for (const std::string_view key : {"name", "destination"}) {
    if (section.has(key)) continue;
    return fail(section.error(nullptr, "this file has no \"" + std::string(key) + "\""));
  }
  ConfiguredFile file{{}, known_path("/"), false, {}, {}, {}};
  UPDATE_TRY(section.read("name", file.name, config::problem_of_file_name));
  UPDATE_TRY(section.read("destination", file.destination));
  UPDATE_TRY(section.read("optional", file.optional));
  UPDATE_TRY(section.read_mode("mode", file.mode));
  for (auto [key, account] : {std::pair("owner", &file.owner), std::pair("group", &file.group)}) {
    std::string given;
    UPDATE_TRY(section.read(key, given, config::problem_of_account));
    if (section.has(key)) *account = given;
  }
  return file;
}

Status read_files(const Section& top, const std::string& origin, Configuration& configuration) {
  const toml::node* node = top.find("file");
  if (node == nullptr) return {};
  const toml::array* tables = node->as_array();
  if (tables == nullptr || tables->empty()) {
    return fail(
        top.error("file", "write one [[file]] for each file, or none for the three of banger"));
  }
  configuration.files.clear();
  std::vector<Section> sections;
  for (const toml::node& element : *tables) {
    if (!element.is_table())
      return fail(top.error(&element, "file: each must be a table, [[file]]"));
    const Section& section = sections.emplace_back(origin, element.as_table());
    UPDATE_TRY_ASSIGN(ConfiguredFile file, read_file(section));
    const Problem problem = config::problem_of_destination(file.destination, configuration);
    if (!problem.empty()) return fail(section.error("destination", problem));
    configuration.files.push_back(std::move(file));
  }
  if (const auto conflict = config::find_conflict(configuration)) {
    const auto line = tables->get(conflict->first)->source().begin.line;
    return fail(sections[conflict->second].error(nullptr, "this [[file]] and the one in line " +
                                                              std::to_string(line) + " share " +
                                                              conflict->problem));
  }
  return {};
}

Status read_paths(const Section& top, Configuration& configuration) {
  UPDATE_TRY_ASSIGN(const Section section, top.table("paths"));
  UPDATE_TRY(section.allow_only({"state", "staging", "backup_suffix"}));
  UPDATE_TRY(section.read("state", configuration.state));
  UPDATE_TRY(section.read("staging", configuration.staging));
  UPDATE_TRY(
      section.read("backup_suffix", configuration.backup_suffix, config::problem_of_backup_suffix));
  // Files of the text are checked where they stand; those of the default stand nowhere.
  if (top.has("file")) return {};
  for (const ConfiguredFile& file : configuration.files) {
    const Problem problem = config::problem_of_destination(file.destination, configuration);
    if (!problem.empty()) return fail(section.error(nullptr, problem));
  }
  if (const auto conflict = config::find_conflict(configuration)) {
    return fail(
        section.error("backup_suffix", "two of the default files share " + conflict->problem));
  }
  return {};
}

Status read_restart(const Section& top, RestartConfiguration& restart) {
  UPDATE_TRY_ASSIGN(const Section section, top.table("restart"));
  UPDATE_TRY(section.allow_only({"units", "command", "timeout", "keep_processes"}));
  UPDATE_TRY(section.read("units", restart.units, config::problem_of_unit));
  UPDATE_TRY(section.read("command", restart.command, config::problem_of_argument));
  UPDATE_TRY(check_command(section, restart.command));
  UPDATE_TRY(section.read_duration("timeout", restart.timeout_ms, 1));
  UPDATE_TRY(
      section.read("keep_processes", restart.keep_processes, config::problem_of_process_name));
  restart.given = section.has("units") || section.has("command");
  for (auto unit = restart.units.begin(); unit != restart.units.end(); ++unit) {
    if (std::find(restart.units.begin(), unit, *unit) == unit) continue;
    return fail(section.error("units", quoted(*unit) + " stands here twice"));
  }
  if (restart.command.empty()) return {};
  if (section.has("units") && !restart.units.empty()) {
    return fail(section.error("command", "stands instead of units: give one of the two"));
  }
  restart.units.clear();
  return {};
}

Status read_doctor(const Section& top, bool has_units, DoctorConfiguration& doctor) {
  UPDATE_TRY_ASSIGN(const Section section, top.table("doctor"));
  UPDATE_TRY(section.allow_only(
      {"command", "timeout", "attempts", "passes", "interval", "soak", "baseline"}));
  // A unit can come up and fall again; where none is restarted, one pass says it all.
  doctor.passes = has_units ? 2 : 1;
  doctor.soak_ms = has_units ? 5'000 : 0;
  UPDATE_TRY(section.read("command", doctor.command, config::problem_of_argument));
  UPDATE_TRY(check_command(section, doctor.command));
  UPDATE_TRY(section.read_duration("timeout", doctor.timeout_ms, 1));
  UPDATE_TRY(section.read("attempts", doctor.attempts, {1, kTriesMax}));
  UPDATE_TRY(section.read("passes", doctor.passes, {1, kTriesMax}));
  UPDATE_TRY(section.read_duration("interval", doctor.interval_ms, 0));
  UPDATE_TRY(section.read_duration("soak", doctor.soak_ms, 0));
  UPDATE_TRY(section.read_word("baseline", doctor.baseline,
                               {Baseline::record, Baseline::excuse, Baseline::require}));
  doctor.given = section.has("command");
  return {};
}

Status read_the_rest(const Section& top, Configuration& configuration) {
  UPDATE_TRY_ASSIGN(const Section trust, top.table("trust"));
  UPDATE_TRY(trust.allow_only({"require_signature", "keys", "allow_downgrade"}));
  UPDATE_TRY(trust.read("require_signature", configuration.trust.require_signature));
  UPDATE_TRY(trust.read("keys", configuration.trust.keys));
  UPDATE_TRY(trust.read("allow_downgrade", configuration.trust.allow_downgrade));
  UPDATE_TRY_ASSIGN(const Section recovery, top.table("recovery"));
  UPDATE_TRY(recovery.allow_only({"policy"}));
  UPDATE_TRY(recovery.read_word(
      "policy", configuration.recovery_policy,
      {RecoveryPolicy::automatic, RecoveryPolicy::rollback, RecoveryPolicy::replay}));
  UPDATE_TRY_ASSIGN(const Section retention, top.table("retention"));
  UPDATE_TRY(retention.allow_only({"generations"}));
  return retention.read("generations", configuration.generations, {0, kGenerationsMax});
}

/// [policy] hold, pin and window: to pass over one that this version does not know would be to
/// break it.
Status refuse_reserved(const Section& top) {
  if (!top.has("policy")) return {};
  UPDATE_TRY_ASSIGN(const Section policy, top.table("policy"));
  UPDATE_TRY(policy.allow_only({"hold", "pin", "window"}));
  for (const std::string_view key : {"hold", "pin", "window"}) {
    if (policy.has(key)) return fail(policy.error(key, "reserved for a later version"));
  }
  return fail(policy.error(nullptr, "[policy] is reserved for a later version"));
}

}  // namespace

std::string_view name_of(Baseline baseline) {
  switch (baseline) {
    case Baseline::record: return "record";
    case Baseline::excuse: return "excuse";
    case Baseline::require: return "require";
  }
  return "";
}

std::string_view name_of(RecoveryPolicy policy) {
  switch (policy) {
    case RecoveryPolicy::automatic: return "auto";
    case RecoveryPolicy::rollback: return "rollback";
    case RecoveryPolicy::replay: return "replay";
  }
  return "";
}

std::optional<RecoveryPolicy> recovery_policy_of(std::string_view name) {
  for (const RecoveryPolicy policy :
       {RecoveryPolicy::automatic, RecoveryPolicy::rollback, RecoveryPolicy::replay}) {
    if (name_of(policy) == name) return policy;
  }
  return std::nullopt;
}

const ConfiguredFile* Configuration::find_file(const std::string& destination) const {
  const auto found = std::find_if(files.begin(), files.end(), [&](const ConfiguredFile& file) {
    return file.destination.text() == destination;
  });
  return found == files.end() ? nullptr : &*found;
}

Result<Configuration> parse_configuration(std::string_view text, const std::string& origin) {
  if (text.size() > kConfigurationLimit) {
    return fail(ErrorCode::usage,
                origin + ": more than " + std::to_string(kConfigurationLimit) + " bytes");
  }
  UPDATE_TRY(check_dotted_keys(text, origin));
  const toml::parse_result parsed = toml::parse(text, std::string_view());
  if (!parsed) {
    return fail(
        error_at(origin, parsed.error().source().begin, escape(parsed.error().description())));
  }
  const Section top(origin, &parsed.table());
  UPDATE_TRY(refuse_reserved(top));
  UPDATE_TRY(top.allow_only(
      {"product", "paths", "file", "restart", "doctor", "trust", "recovery", "retention"}));
  Configuration configuration = defaults();
  UPDATE_TRY(top.read("product", configuration.product, config::problem_of_product));
  UPDATE_TRY(read_paths(top, configuration));
  UPDATE_TRY(read_files(top, origin, configuration));
  UPDATE_TRY(read_restart(top, configuration.restart));
  UPDATE_TRY(read_doctor(top, !configuration.restart.units.empty(), configuration.doctor));
  UPDATE_TRY(read_the_rest(top, configuration));
  return configuration;
}

}  // namespace update
