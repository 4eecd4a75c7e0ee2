#include "engine/release/manifest.hpp"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "engine/base/json.hpp"
#include "engine/base/text.hpp"
#include "engine/base/types.hpp"

namespace update {
namespace {

constexpr std::uint64_t kFormat = 1;
// The greatest number that every JSON reader keeps exactly (RFC 8259, section 6: a double's 53
// bits).
constexpr std::uint64_t kSizeLimit = std::uint64_t{1} << 53;
constexpr std::size_t kNotesLimit = 64U << 10;
constexpr std::size_t kProductLimit = 64;
// The manifest, its list of files, a file, and room to name an unknown key that holds something.
constexpr std::size_t kDepthLimit = 8;

tl::unexpected<Error> refuse(std::string where, std::string why) {
  return fail(Error(ErrorCode::not_trusted, std::move(why)).with(std::move(where)));
}

// One object of the manifest. Once check_keys() passed, each getter finds its key.
class Fields {
 public:
  Fields(const Json& object, std::string place) : object_(object), place_(std::move(place)) {}

  Status check_keys(std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : object_.items()) {
      if (std::find(known.begin(), known.end(), key) == known.end()) {
        Error error(ErrorCode::not_trusted, "unknown key " + quote(key));
        return fail(place_.empty() ? std::move(error) : std::move(error).with(place_));
      }
    }
    for (const std::string_view key : known) {
      if (!object_.contains(std::string(key))) return refuse(where(key), "this key is missing");
    }
    return {};
  }

  std::string where(std::string_view key) const {
    std::string path = place_.empty() ? "" : place_ + ".";
    return path.append(key);
  }

  const Json& at(std::string_view key) const { return *object_.find(std::string(key)); }

  Result<std::string> text(std::string_view key) const {
    const Json& value = at(key);
    if (!value.is_string()) return refuse(where(key), "must be a string");
    return value.get_ref<const std::string&>();
  }

  Result<std::uint64_t> number(std::string_view key) const {
    const Json& value = at(key);
    if (!value.is_number_unsigned()) return refuse(where(key), "must be a whole number");
    return value.get<std::uint64_t>();
  }

  // A date alone, which parse_time also takes, would leave open which end of the day is meant.
  Result<std::int64_t> time(std::string_view key) const {
    UPDATE_TRY_ASSIGN(const std::string written, text(key));
    const auto time = parse_time(written);
    if (!time || written.find_first_of("Tt") == std::string::npos) {
      return refuse(where(key), "must be a time of RFC 3339");
    }
    return *time;
  }

  Result<Version> version(std::string_view key) const {
    UPDATE_TRY_ASSIGN(const std::string written, text(key));
    auto version = Version::parse(written);
    if (!version) return fail(std::move(version).error().with(where(key)));
    return version;
  }

 private:
  const Json& object_;
  std::string place_;
};

// Names and products are shown and stored; one that can change what a person sees is refused
// outright.
bool shows_as_written(const std::string& text) {
  return escape(text) == text;
}

Status check_format(const Json& document) {
  if (!document.is_object()) return fail(ErrorCode::not_trusted, "must be a JSON object");
  const auto format = document.find("format");
  if (format == document.end()) return refuse("format", "this key is missing");
  if (!format->is_number_unsigned()) return refuse("format", "must be a whole number");
  const auto number = format->get<std::uint64_t>();
  if (number > kFormat) {
    return fail(Error(ErrorCode::not_trusted, "format " + std::to_string(number) +
                                                  " is newer than this program, which reads " +
                                                  std::to_string(kFormat))
                    .with("format")
                    .hint("install a newer banger-update first"));
  }
  if (number != kFormat) return refuse("format", "there is no such format");
  return {};
}

Result<std::string> read_product(const Fields& fields) {
  UPDATE_TRY_ASSIGN(std::string product, fields.text("product"));
  if (product.empty() || product.size() > kProductLimit || !shows_as_written(product)) {
    return refuse("product", "must be a name of at most 64 bytes without control characters");
  }
  return product;
}

Result<std::string> read_name(const Fields& fields) {
  UPDATE_TRY_ASSIGN(std::string name, fields.text("name"));
  if (!is_plain_file_name(name) || !shows_as_written(name)) {
    return refuse(fields.where("name"), quote(name) + " is not a plain file name");
  }
  if (name == kManifestName || name == kSignatureName) {
    return refuse(fields.where("name"), "no file of a release can be called " + quote(name));
  }
  return name;
}

Result<std::uint32_t> read_mode(const Fields& fields) {
  UPDATE_TRY_ASSIGN(const std::string written, fields.text("mode"));
  const bool octal = std::all_of(written.begin(), written.end(),
                                 [](char digit) { return digit >= '0' && digit <= '7'; });
  if (written.size() != 4 || !octal || written[0] != '0') {
    return refuse(fields.where("mode"), "must be four octal digits from \"0000\" to \"0777\"");
  }
  std::uint32_t mode = 0;
  for (const char digit : written) mode = mode * 8 + static_cast<std::uint32_t>(digit - '0');
  return mode;
}

Result<ManifestFile> read_file(const Json& object, std::string place) {
  if (!object.is_object()) return refuse(std::move(place), "must be an object");
  const Fields fields(object, std::move(place));
  UPDATE_TRY(fields.check_keys({"name", "sha256", "size", "mode"}));
  UPDATE_TRY_ASSIGN(std::string name, read_name(fields));
  UPDATE_TRY_ASSIGN(const std::string hex, fields.text("sha256"));
  const auto digest = Sha256Digest::from_hex(hex);
  if (!digest) return fail(Error(digest.error()).with(fields.where("sha256")));
  UPDATE_TRY_ASSIGN(const std::uint64_t size, fields.number("size"));
  if (size > kSizeLimit) return refuse(fields.where("size"), "must be at most 2^53");
  UPDATE_TRY_ASSIGN(const std::uint32_t mode, read_mode(fields));
  return ManifestFile{std::move(name), *digest, size, mode};
}

Result<std::vector<ManifestFile>> read_files(const Fields& fields) {
  const Json& list = fields.at("files");
  if (!list.is_array()) return refuse("files", "must be a list");
  if (list.empty()) return refuse("files", "must not be empty");
  if (list.size() > kManifestFilesLimit) {
    return refuse("files", "more than " + std::to_string(kManifestFilesLimit) + " files");
  }
  std::vector<ManifestFile> files;
  for (std::size_t at = 0; at < list.size(); ++at) {
    const std::string place = "files[" + std::to_string(at) + "]";
    UPDATE_TRY_ASSIGN(ManifestFile file, read_file(list[at], place));
    const bool taken = std::any_of(files.begin(), files.end(), [&](const ManifestFile& other) {
      return other.name == file.name;
    });
    if (taken) return refuse(place + ".name", quote(file.name) + " stands there twice");
    files.push_back(std::move(file));
  }
  return files;
}

}  // namespace

Result<Manifest> parse_manifest(std::string_view bytes) {
  UPDATE_TRY_ASSIGN(const Json document, parse_json(bytes, {kManifestLimit, kDepthLimit}));
  // First of all, since another format has other keys.
  UPDATE_TRY(check_format(document));
  const Fields fields(document, "");
  UPDATE_TRY(fields.check_keys(
      {"format", "product", "version", "created", "expires", "minimum_version", "notes", "files"}));
  UPDATE_TRY_ASSIGN(std::string product, read_product(fields));
  UPDATE_TRY_ASSIGN(Version version, fields.version("version"));
  Manifest manifest{std::move(product), std::move(version), 0, {}, {}, {}, {}};
  UPDATE_TRY_ASSIGN(manifest.created_us, fields.time("created"));
  if (!fields.at("expires").is_null()) {
    UPDATE_TRY_ASSIGN(manifest.expires_us, fields.time("expires"));
  }
  if (!fields.at("minimum_version").is_null()) {
    UPDATE_TRY_ASSIGN(manifest.minimum_version, fields.version("minimum_version"));
  }
  UPDATE_TRY_ASSIGN(manifest.notes, fields.text("notes"));
  if (manifest.notes.size() > kNotesLimit) return refuse("notes", "more than 64 KiB");
  UPDATE_TRY_ASSIGN(manifest.files, read_files(fields));
  return manifest;
}

std::string format_manifest(const Manifest& manifest) {
  Json files = Json::array();
  for (const ManifestFile& file : manifest.files) {
    const char mode[] = {'0', static_cast<char>('0' + (file.mode >> 6 & 7)),
                         static_cast<char>('0' + (file.mode >> 3 & 7)),
                         static_cast<char>('0' + (file.mode & 7))};
    Json entry = Json::object();
    entry["name"] = file.name;
    entry["sha256"] = file.sha256.hex();
    entry["size"] = file.size;
    entry["mode"] = std::string(mode, sizeof mode);
    files.push_back(std::move(entry));
  }
  Json document = Json::object();
  document["format"] = kFormat;
  document["product"] = manifest.product;
  document["version"] = manifest.version.text();
  document["created"] = format_time(manifest.created_us);
  document["expires"] =
      manifest.expires_us ? Json(format_time(*manifest.expires_us)) : Json(nullptr);
  document["minimum_version"] =
      manifest.minimum_version ? Json(manifest.minimum_version->text()) : Json(nullptr);
  document["notes"] = manifest.notes;
  document["files"] = std::move(files);
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace update
