#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "cli/trust.hpp"
#include "cli/update_result.hpp"
#include "engine/base/text.hpp"
#include "engine/transaction/small_file.hpp"
#include "recovery/update.hpp"

namespace update::cli {
namespace {

// Only to be shown, and only as not trusted.
std::optional<Manifest> unverified_manifest(const Environment& env, const std::string& release) {
  const auto folder = open_release_folder(env, release);
  if (!folder) return std::nullopt;
  const auto file = (*folder)->open_file(std::string(kManifestName));
  if (!file) return std::nullopt;
  const auto text = read_whole(**file, kManifestLimit);
  if (!text) return std::nullopt;
  auto manifest = parse_manifest(*text);
  return manifest ? std::optional(std::move(*manifest)) : std::nullopt;
}

std::string manifest_text(const Manifest& manifest, bool colours) {
  Table head(colours);
  head.add({{"product"}, {escape(manifest.product)}});
  head.add({{"version"}, {escape(manifest.version.text()), Colour::strong}});
  head.add({{"created"}, {format_time(manifest.created_us)}});
  if (manifest.expires_us) head.add({{"expires"}, {format_time(*manifest.expires_us)}});
  if (manifest.minimum_version) {
    head.add({{"needs at least"}, {escape(manifest.minimum_version->text())}});
  }
  Table files(colours);
  for (const ManifestFile& file : manifest.files) {
    files.add({{escape(file.name)}, {format_size(file.size)}, {file.sha256.hex(), Colour::dim}});
  }
  std::string text = head.text() + "files:\n" + files.text("  ");
  if (!manifest.notes.empty()) text += "notes: " + escape(manifest.notes, true) + "\n";
  return text;
}

std::string trust_text(const Inspection& inspection, bool colours) {
  std::string signature;
  if (inspection.signature) {
    signature = "signed by " + escape(inspection.signature->key_id) + " (" +
                escape(inspection.signature->trusted_comment) + ")\n";
  }
  if (const Error* distrust = inspection.distrust()) {
    return coloured(colours, Colour::bad, "not trusted") + ": " + escape(distrust->message()) +
           "\n" + signature;
  }
  if (signature.empty()) {
    return coloured(colours, Colour::doubtful, "accepted unsigned") +
           ", since the configuration asks for no signature\n";
  }
  return coloured(colours, Colour::good, "trusted") + ": " + signature;
}

// not_trusted is a finding; what keeps this command from looking is an error of its own.
Result<Inspection> inspect(const Environment& env, const std::string& path) {
  Inspection inspection;
  auto release = open_trusted_release(env, path);
  if (!release) {
    // Not a folder at all, or named in a wrong way: there is nothing to be shown.
    if (release.error().code() != ErrorCode::not_trusted) return fail(std::move(release).error());
    inspection.manifest = unverified_manifest(env, path);
    inspection.refusal = std::move(release).error();
    return inspection;
  }
  inspection.manifest = release->manifest();
  inspection.signature = release->signature();
  if (const Status checked = check_bytes(*release); !checked) {
    if (checked.error().code() != ErrorCode::not_trusted) return fail(checked.error());
    inspection.refusal = checked.error();
    return inspection;
  }
  auto plan = plan_apply_only(env, *release, {});
  if (plan) {
    inspection.plan = std::move(*plan);
  } else {
    inspection.refusal = std::move(plan).error();
  }
  return inspection;
}

Result<int> run_inspect(Context& context) {
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const Environment env, make_environment(context, silent));
  UPDATE_TRY_ASSIGN(const Inspection inspection, inspect(env, context.options.arguments().front()));
  print_document(context, inspection_document(inspection));
  std::string text = trust_text(inspection, context.global.colour);
  if (inspection.manifest) text += manifest_text(*inspection.manifest, context.global.colour);
  if (inspection.plan) {
    text += "apply would do:\n" + plan_text(*inspection.plan, env, {}, context.global.colour);
  }
  const Error* distrust = inspection.distrust();
  if (inspection.refusal && distrust == nullptr) {
    text += "apply would fail: " + escape(inspection.refusal->message()) + "\n";
  }
  say(context, text);
  if (distrust == nullptr) return 0;
  print_error(context, *distrust);
  return exit_code(distrust->code());
}

}  // namespace

const Command kReleaseInspect = {"release inspect", "RELEASE", {}, 1, 1, run_inspect, true};

}  // namespace update::cli
