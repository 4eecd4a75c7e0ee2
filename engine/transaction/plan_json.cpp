// The plan as text: the first event of a transaction holds it, and the intent file. What is read
// back is believed only as far as it could have been written by this program for this
// configuration.
#include <algorithm>
#include <charconv>
#include <limits>

#include "engine/base/hex.hpp"
#include "engine/base/json.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/plan.hpp"

namespace update {
namespace {

constexpr JsonLimits kPlanLimits{.bytes = 64U << 20, .depth = 12};

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

/// The kernel takes any byte in the name of an attribute, JSON text alone: another name is written
/// in hexadecimal. Each name begins with its class and a dot (xattr(7)), so the two are told apart.
std::string attribute_to_key(const std::string& name) {
  const bool is_text = sanitize_utf8(name, name.size()) == name;
  return is_text ? name : to_hex(std::as_bytes(std::span(name)));
}

std::optional<std::string> bytes_from_hex(std::string_view hex) {
  const auto bytes = from_hex(hex);
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

std::optional<std::string> attribute_from_key(const std::string& key) {
  return key.find('.') != std::string::npos ? key : bytes_from_hex(key);
}

Json to_json(const FileState& state) {
  Json attributes = Json::object();
  for (const auto& [name, value] : state.attributes) {
    attributes[attribute_to_key(name)] = to_hex(std::as_bytes(std::span(value)));
  }
  return {{"sha256", state.sha256 ? Json(state.sha256->hex()) : Json(nullptr)},
          {"size", state.size},
          {"mode", state.mode},
          {"uid", state.uid},
          {"gid", state.gid},
          {"attributes", attributes},
          {"identity", state.identity ? identity_to_text(*state.identity) : ""}};
}

Json to_json(const Plan& plan, const PlannedFile& file) {
  return {{"name", file.name},
          {"destination", file.destination.text()},
          {"old", file.old_state ? to_json(*file.old_state) : Json(nullptr)},
          {"new", file.new_state ? to_json(*file.new_state) : Json(nullptr)},
          {"unchanged", file.unchanged},
          {"staged", plan.staged_name_of(file)},
          {"backup", plan.backup_name_of(file)}};
}

Error damaged(std::string_view what) {
  return Error(ErrorCode::journal_damaged, "the recorded plan has a bad " + std::string(what));
}

// Access to one object of the plan: the first key that is absent or of another type is remembered,
// and every read after it yields nothing.
class Reader {
 public:
  explicit Reader(const Json& object) : object_(object) {}

  std::string text(const char* key) {
    const Json* value = find(key, Json::value_t::string);
    return value ? value->get<std::string>() : std::string();
  }
  std::optional<std::string> text_or_null(const char* key) {
    return is_null(key) ? std::nullopt : std::optional(text(key));
  }
  bool flag(const char* key) {
    const Json* value = find(key, Json::value_t::boolean);
    return value != nullptr && value->get<bool>();
  }
  template <class Integer>
  Integer number(const char* key) {
    const Json* value = find(key, Json::value_t::number_unsigned);
    if (value == nullptr) return 0;
    const auto wide = value->get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())) bad_ = key;
    return static_cast<Integer>(wide);
  }
  const Json& object(const char* key) { return child(key, Json::value_t::object); }
  const Json& array(const char* key) { return child(key, Json::value_t::array); }
  bool is_null(const char* key) const { return object_.contains(key) && object_.at(key).is_null(); }

  Status status() const {
    if (bad_.empty()) return {};
    return fail(damaged("key \"" + bad_ + "\""));
  }

 private:
  const Json* find(const char* key, Json::value_t type) {
    if (!object_.is_object() || !object_.contains(key) || object_.at(key).type() != type) {
      if (bad_.empty()) bad_ = key;
      return nullptr;
    }
    return &object_.at(key);
  }
  const Json& child(const char* key, Json::value_t type) {
    static const Json kNothing;
    const Json* value = find(key, type);
    return value ? *value : kNothing;
  }

  const Json& object_;
  std::string bad_;
};

Result<FileState> state_from_json(const Json& json) {
  Reader reader(json);
  FileState state;
  if (const auto hex = reader.text_or_null("sha256")) {
    auto digest = Sha256Digest::from_hex(*hex);
    if (!digest) return fail(damaged("digest"));
    state.sha256 = *digest;
  }
  state.size = reader.number<std::uint64_t>("size");
  state.mode = reader.number<std::uint32_t>("mode");
  state.uid = reader.number<std::uint32_t>("uid");
  state.gid = reader.number<std::uint32_t>("gid");
  state.identity = identity_from_text(reader.text("identity"));
  for (const auto& [key, value] : reader.object("attributes").items()) {
    if (!value.is_string()) return fail(damaged("attribute"));
    const auto name = attribute_from_key(key);
    const auto bytes = bytes_from_hex(value.get_ref<const std::string&>());
    if (!name || !bytes) return fail(damaged("attribute"));
    state.attributes[*name] = *bytes;
  }
  UPDATE_TRY(reader.status());
  if (state.mode > 07777) return fail(damaged("mode"));
  return state;
}

Error not_configured(const std::string& destination) {
  return Error(ErrorCode::needs_operator, "the recorded plan changes '" + destination +
                                              "', which the configuration does not have")
      .hint("add its [[file]] to the configuration again, then run recover");
}

/// nullopt: its destination is not configured, and that is to be left out.
Result<std::optional<PlannedFile>> file_from_json(const Json& json, const Plan& plan,
                                                  const Configuration& config,
                                                  bool leave_out_unconfigured) {
  Reader reader(json);
  const std::string destination = reader.text("destination");
  const ConfiguredFile* configured = config.find_file(destination);
  if (configured == nullptr) {
    if (leave_out_unconfigured) return std::nullopt;
    return fail(not_configured(destination));
  }
  PlannedFile file{reader.text("name"), configured->destination, {}, {}, reader.flag("unchanged")};
  if (!reader.is_null("old")) {
    UPDATE_TRY_ASSIGN(file.old_state, state_from_json(reader.object("old")));
  }
  if (!reader.is_null("new")) {
    UPDATE_TRY_ASSIGN(file.new_state, state_from_json(reader.object("new")));
    if (!file.new_state->sha256) return fail(damaged("digest"));
  }
  if (reader.text("staged") != plan.staged_name_of(file) ||
      reader.text("backup") != plan.backup_name_of(file)) {
    return fail(damaged("file name"));
  }
  UPDATE_TRY(reader.status());
  return file;
}

Json to_json(const MainProcess& main) {
  return {{"pid", main.id.pid},
          {"start", main.id.start},
          {"boot_id", main.boot_id},
          {"destination", or_null(main.destination)}};
}

Json units_to_json(const std::vector<PlannedUnit>& units) {
  Json array = Json::array();
  for (const PlannedUnit& unit : units) {
    array.push_back({{"name", unit.name},
                     {"was_active", unit.was_active},
                     {"activity", unit.activity},
                     {"enablement", unit.enablement},
                     {"main", unit.main ? to_json(*unit.main) : Json(nullptr)}});
  }
  return array;
}

Status read_units(const Json& array, Plan& plan) {
  for (const Json& json : array) {
    Reader reader(json);
    PlannedUnit unit{reader.text("name"),
                     reader.flag("was_active"),
                     reader.text("activity"),
                     reader.text("enablement"),
                     {}};
    if (!reader.is_null("main")) {
      Reader main(reader.object("main"));
      unit.main =
          MainProcess{{main.number<std::int64_t>("pid"), main.number<std::uint64_t>("start")},
                      main.text("boot_id"),
                      main.text_or_null("destination")};
      UPDATE_TRY(main.status());
    }
    UPDATE_TRY(reader.status());
    plan.units.push_back(std::move(unit));
  }
  return {};
}

Status read_options(Reader& reader, Plan& plan) {
  const std::string kind = reader.text("kind");
  if (kind != "apply" && kind != "rollback") return fail(damaged("kind"));
  plan.kind = kind == "apply" ? TransactionKind::apply : TransactionKind::rollback;
  plan.from_version = reader.text_or_null("from_version");
  plan.to_version = reader.text_or_null("to_version");
  if (!reader.is_null("target")) {
    plan.target = TransactionId{reader.number<std::int64_t>("target")};
  }
  plan.restart = reader.flag("restart");
  plan.doctor = reader.flag("doctor");
  plan.reinstall = reader.flag("reinstall");
  plan.backup_suffix = reader.text("backup_suffix");
  plan.notes = reader.text("notes");
  plan.signed_by = reader.text_or_null("signed_by");
  if (!reader.is_null("baseline")) {
    Reader baseline(reader.object("baseline"));
    plan.baseline = BaselineResult{baseline.flag("passed"), baseline.text("summary")};
    UPDATE_TRY(baseline.status());
  }
  return {};
}

Result<Plan> read_plan(std::string_view text, const Configuration& config,
                       bool leave_out_unconfigured) {
  auto json = parse_json(text, kPlanLimits);
  if (!json) return fail(std::move(json).error().as(ErrorCode::journal_damaged));
  Reader reader(*json);
  Plan plan;
  plan.tag.id.value = reader.number<std::int64_t>("id");
  plan.tag.random = reader.number<std::uint32_t>("random");
  UPDATE_TRY(read_options(reader, plan));
  UPDATE_TRY(read_units(reader.array("units"), plan));
  plan.deadline_ms = reader.number<std::int64_t>("deadline_ms");
  for (const Json& file : reader.array("files")) {
    UPDATE_TRY_ASSIGN(std::optional<PlannedFile> planned,
                      file_from_json(file, plan, config, leave_out_unconfigured));
    if (planned) plan.files.push_back(std::move(*planned));
  }
  UPDATE_TRY(reader.status());
  if (plan.tag.id.value <= 0) return fail(damaged("id"));
  if (plan.backup_suffix.empty() || plan.backup_suffix.find('/') != std::string::npos) {
    return fail(damaged("backup suffix"));
  }
  return plan;
}

}  // namespace

std::string identity_to_text(const os::FileIdentity& identity) {
  return std::to_string(identity.device) + ":" + std::to_string(identity.inode) + ":" +
         std::to_string(identity.size) + ":" + std::to_string(identity.mtime_ns);
}

std::optional<os::FileIdentity> identity_from_text(std::string_view text) {
  os::FileIdentity identity;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  const auto number = [&](auto& into, char separator) {
    const auto parsed = std::from_chars(at, end, into);
    if (parsed.ec != std::errc()) return false;
    at = parsed.ptr;
    if (separator == '\0') return at == end;
    if (at == end || *at != separator) return false;
    ++at;
    return true;
  };
  if (!number(identity.device, ':') || !number(identity.inode, ':') ||
      !number(identity.size, ':') || !number(identity.mtime_ns, '\0')) {
    return std::nullopt;
  }
  return identity;
}

std::string plan_to_text(const Plan& plan) {
  Json files = Json::array();
  for (const PlannedFile& file : plan.files) files.push_back(to_json(plan, file));
  Json baseline = nullptr;
  if (plan.baseline) {
    baseline = {{"passed", plan.baseline->passed}, {"summary", plan.baseline->summary}};
  }
  return to_text({{"id", plan.tag.id.value},
                  {"random", plan.tag.random},
                  {"kind", name_of(plan.kind)},
                  {"from_version", or_null(plan.from_version)},
                  {"to_version", or_null(plan.to_version)},
                  {"target", plan.target ? Json(plan.target->value) : Json(nullptr)},
                  {"restart", plan.restart},
                  {"doctor", plan.doctor},
                  {"reinstall", plan.reinstall},
                  {"backup_suffix", plan.backup_suffix},
                  {"notes", plan.notes},
                  {"signed_by", or_null(plan.signed_by)},
                  {"baseline", baseline},
                  {"units", units_to_json(plan.units)},
                  {"deadline_ms", plan.deadline_ms},
                  {"files", files}});
}

Result<Plan> intended_plan(std::string_view text, const Configuration& config) {
  auto plan = read_plan(text, config, false);
  if (plan || plan.error().code() != ErrorCode::journal_damaged) return plan;
  return fail(std::move(plan)
                  .error()
                  .with("the intent file")
                  .hint("it may be a newer program's: run that one's recover")
                  .as(ErrorCode::failed));
}

std::optional<TransactionId> plan_id_from_text(std::string_view text) {
  const auto json = parse_json(text, kPlanLimits);
  if (!json) return std::nullopt;
  Reader reader(*json);
  const TransactionId id{reader.number<std::int64_t>("id")};
  if (!reader.status() || id.value <= 0) return std::nullopt;
  return id;
}

Result<Plan> plan_from_text(std::string_view text, const Configuration& config) {
  return read_plan(text, config, false);
}

Result<Plan> past_plan_from_text(std::string_view text, const Configuration& config) {
  return read_plan(text, config, true);
}

}  // namespace update
