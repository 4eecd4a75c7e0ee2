#include "cli/caller_path.hpp"
#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/release/release.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kReleaseMakeOptions[] = {
    {"release-version", "VERSION", '\0', "version"},
    {"product", "NAME"},
    {"notes", "TEXT"},
    {"notes-file", "FILE"},
    {"minimum-version", "VERSION"},
    {"expires", "TIME"},
    {"created", "TIME"},
    {"sign", "KEY"},
};

constexpr std::int64_t kSecondUs = 1'000'000;
constexpr std::int64_t kSignTimeoutMs = 60'000;
constexpr std::size_t kNotesBytes = 256 * 1024;
constexpr std::uint32_t kManifestMode = 0644;

Result<std::int64_t> created_us(const Context& context) {
  UPDATE_TRY_ASSIGN(const auto given, context.options.time("created"));
  if (given) return *given;
  // Reproducible builds: https://reproducible-builds.org/specs/source-date-epoch/
  if (const auto& epoch = context.invocation.build_time) {
    constexpr std::int64_t kYear9999 = 253'402'300'799;
    UPDATE_TRY_ASSIGN(const std::int64_t seconds,
                      parse_integer(*epoch, "SOURCE_DATE_EPOCH", 0, kYear9999));
    return seconds * kSecondUs;
  }
  const std::int64_t now_us = context.system().clock.wall_us();
  return now_us - now_us % kSecondUs;
}

Result<std::string> notes_of(const Context& context) {
  const auto text = context.options.value("notes");
  const auto path = context.options.value("notes-file");
  if (text && path) return fail(ErrorCode::usage, "only one of --notes and --notes-file");
  if (!path) return text.value_or("");
  auto read = read_caller_file(context.system().files, *path, kNotesBytes);
  if (!read) return fail(std::move(read).error().with("--notes-file"));
  return read;
}

// A release is often made where banger-update is not configured.
std::string configured_product(const Context& context) {
  const auto root = installation_root(context);
  if (!root) return "banger";
  const auto loaded = load_configuration(context, *root);
  return loaded ? loaded->config.product : "banger";
}

Result<Version> version_of(const std::string& text, std::string_view option) {
  auto version = Version::parse(text);
  if (version) return version;
  return fail(std::move(version).error().with(std::string(option)).as(ErrorCode::usage));
}

Result<ReleaseDescription> description_of(const Context& context) {
  const Options& options = context.options;
  const auto version = options.value("release-version");
  if (!version) {
    return fail(
        Error(ErrorCode::usage, "a release needs a version").hint("--release-version 1.2.3"));
  }
  UPDATE_TRY_ASSIGN(Version parsed, version_of(*version, "--release-version"));
  ReleaseDescription description{
      options.value("product").value_or(""), std::move(parsed), 0, {}, {}, {}};
  if (description.product.empty()) description.product = configured_product(context);
  UPDATE_TRY_ASSIGN(description.created_us, created_us(context));
  UPDATE_TRY_ASSIGN(description.expires_us, options.time("expires"));
  if (const auto minimum = options.value("minimum-version")) {
    UPDATE_TRY_ASSIGN(description.minimum_version, version_of(*minimum, "--minimum-version"));
  }
  UPDATE_TRY_ASSIGN(description.notes, notes_of(context));
  return description;
}

Status write_new(os::Folder& folder, const std::string& name, std::string_view text) {
  UPDATE_TRY_ASSIGN(const auto file, folder.create_file(name, kManifestMode));
  UPDATE_TRY(file->write_at(std::as_bytes(std::span(text)), 0));
  return file->sync();
}

// If the machine stops here, the old release.json is there, or the new one; a signature is never
// beside a manifest that it was not made for.
Status write_manifest(const Context& context, os::Folder& folder, const std::string& text) {
  const std::string temporary =
      helper_temporary_name(kManifestName, context.system().host.random_u32());
  auto written = write_new(folder, temporary, text);
  if (written) {
    auto removed = folder.unlink(std::string(kSignatureName));
    written = removed ? Status() : Status(fail(std::move(removed).error()));
  }
  if (written) written = folder.rename(temporary, std::string(kManifestName));
  if (written) return folder.sync();
  if (auto removed = folder.unlink(temporary); !removed) {
    context.log.warning(escape(temporary) + " is left in the folder");
  }
  return written;
}

Status sign(const Context& context, const std::string& key, const std::string& folder) {
  UPDATE_TRY_ASSIGN(const AbsolutePath key_path, absolute_path(key));
  UPDATE_TRY_ASSIGN(const AbsolutePath folder_path, absolute_path(folder));
  const std::string manifest = (folder_path / kManifestName).text();
  os::Command command;
  command.argv = {"minisign", "-S", "-s", key_path.text(), "-m", manifest};
  command.environment = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}, {"LANG", "C.UTF-8"}};
  command.timeout_ms = kSignTimeoutMs;
  const auto result = context.system().processes.run(command);
  if (result && result->passed()) return {};
  const std::string why = !result ? result.error().message()
                                  : os::describe(*result) + ": " + result->output.substr(0, 1000);
  return fail(Error(ErrorCode::failed, "release.json was written, but not signed: minisign " + why)
                  .hint("a key with a password is used by hand: minisign -S -s " + key + " -m " +
                        manifest));
}

Result<int> run_make(Context& context) {
  const std::string& path = context.options.arguments().front();
  UPDATE_TRY_ASSIGN(const ReleaseDescription description, description_of(context));
  UPDATE_TRY_ASSIGN(const auto folder, context.system().files.open_folder(path));
  UPDATE_TRY_ASSIGN(const Manifest manifest, describe_release(*folder, description));
  const std::string text = format_manifest(manifest);
  // What would be refused by everybody must not be written.
  if (auto read_back = parse_manifest(text); !read_back) {
    return fail(std::move(read_back).error().as(ErrorCode::usage));
  }
  UPDATE_TRY(write_manifest(context, *folder, text));
  const auto key = context.options.value("sign");
  if (key) UPDATE_TRY(sign(context, *key, path));
  print_document(context, made_document(manifest, path, key.has_value()));
  say(context, "made " + escape(path) + "/" + std::string(kManifestName) + ": " +
                   escape(manifest.product) + " " + escape(manifest.version.text()) + ", " +
                   counted(manifest.files.size(), "file") +
                   (key ? ", signed\n" : ", not signed\n"));
  return 0;
}

}  // namespace

const Command kReleaseMake = {"release make", "DIR", kReleaseMakeOptions, 1, 1, run_make};

}  // namespace update::cli
