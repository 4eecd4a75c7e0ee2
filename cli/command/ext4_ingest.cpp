#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "cli/standard_input.hpp"
#include "engine/base/text.hpp"
#include "engine/image/file/entry_list.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kIngestOptions[] = {
    {"at", "PATH"}, {"files-from", "LIST"}, kKeepOwnerOption, kSizeOption,
    kUuidOption,    kHashSeedOption,        kLabelOption,     kGrowToOption,
};
constexpr std::uint32_t kIngestedMode = 0600;  // the folder may have held what is private

// Reading a file sets its access time, and putting it where it lies sets its change time: neither
// is the same on a second run.
void settle_times(image::Tree& tree) {
  for (image::Entry& entry : tree.entries) entry.accessed = entry.changed = entry.modified;
}

Result<std::vector<std::string>> read_list(const Context& context, const std::string& path) {
  if (path != kStandardInput) return read_entry_list(context.system().files, path);
  std::string text;
  UPDATE_TRY(read_input(context, [&](std::span<const std::byte> piece) -> Status {
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
    if (text.size() <= kEntryListLimit) return {};
    // The parser says so.
    return parse_entry_list(text, path).map([](const auto&) {});
  }));
  return parse_entry_list(text, path);
}

Result<image::HostTree> read_source(const Context& context, const std::string& folder) {
  os::FileSystem& files = context.system().files;
  const auto list = context.options.value("files-from");
  if (!list) return image::read_folder(files, folder);
  UPDATE_TRY_ASSIGN(const std::vector<std::string> entries, read_list(context, *list));
  return image::read_listed(files, folder, entries);
}

// The options of a new image mean nothing for one that exists.
Status check_new_image_options(const Context& context) {
  for (const OptionSpec& option : {kUuidOption, kHashSeedOption, kLabelOption, kGrowToOption}) {
    if (context.options.has(option.name)) {
      return fail(
          Error(ErrorCode::usage, "--" + std::string(option.name) + " is for an image that is made")
              .hint("--size SIZE makes one"));
    }
  }
  return {};
}

Result<image::Made> ingest(const Context& context, image::HostTree source,
                           const image::ImageOptions& options) {
  const std::string& path = context.options.arguments().front();
  const std::string at = context.options.value("at").value_or("/");
  if (!context.options.has(kSizeOption.name)) {
    UPDATE_TRY(check_new_image_options(context));
    return image::add_tree(context.system(), path, std::move(source), at, options);
  }
  UPDATE_TRY_ASSIGN(const std::uint64_t bytes, needed_size(context));
  UPDATE_TRY_ASSIGN(const auto names, image::split_image_path(at));
  const image::Entry top = source.tree.entries.front();
  const image::HostTree nested = image::nest(std::move(source), names, top);
  auto made = image::make_image(context.system(), path, kIngestedMode, bytes, nested.tree,
                                *nested.contents, options);
  if (made) return made;
  return fail(std::move(made).error().with("making " + escape(path)));
}

Result<int> run_ingest(Context& context) {
  const std::string& path = context.options.arguments()[0];
  const std::string& folder = context.options.arguments()[1];
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const image::ImageOptions options, image_options(context, progress));
  progress.begin("ingesting " + folder);
  UPDATE_TRY_ASSIGN(image::HostTree source, read_source(context, folder));
  if (options.identity.epoch_s) settle_times(source.tree);
  UPDATE_TRY_ASSIGN(const image::Made made, ingest(context, std::move(source), options));
  progress.clear();
  tell_image(context, context.options.has(kSizeOption.name) ? "made" : "changed", path, made);
  return 0;
}

}  // namespace

const Command kExt4Ingest = {"ext4 ingest", "IMAGE FOLDER", kIngestOptions, 2, 2, run_ingest};

}  // namespace update::cli
