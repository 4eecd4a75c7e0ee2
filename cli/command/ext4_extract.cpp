#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "cli/json_image.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"
#include "engine/image/watched_contents.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kExtractOptions[] = {kKeepOwnerOption, {"keep-setid"}};

Result<int> run_extract(Context& context) {
  const auto& arguments = context.options.arguments();
  const std::string& folder = arguments[2];
  UPDATE_TRY_ASSIGN(const std::string path, image_path(context, 1));
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  progress.begin("extracting " + arguments[0]);
  UPDATE_TRY_ASSIGN(const OpenedFile opened, open_image_argument(context));
  UPDATE_TRY_ASSIGN(image::Tree tree,
                    read_image_argument(context, opened, path, image::Depth::tree));
  if (tree.entries.front().type != image::EntryType::folder) {
    return fail(Error(ErrorCode::usage, quote(path) + " in the image is not a folder")
                    .hint("banger-update ext4 cat IMAGE PATH > FILE"));
  }
  image::ImageContents contents(*opened.file, opened.info);
  const image::CopyObserver observer = [&](std::uint64_t done, std::uint64_t total) {
    progress.progress(done, total);
  };
  image::WatchedContents watched(contents, observer, tree.total_size());
  const image::ExtractOptions options{context.options.has(kKeepOwnerOption.name),
                                      context.options.has("keep-setid")};
  UPDATE_TRY(image::extract_tree(context.system().files, tree, watched, folder, options,
                                 context.system().stop));
  progress.clear();
  const image::Made made = image::made_of(tree, opened.info.identity.size);
  print_document(context, extracted_document(arguments[0], path, folder, made));
  say(context, "extracted " + escape(arguments[0]) + " " + escape(path) + " to " + escape(folder) +
                   ": " + contents_text(made) + "\n");
  return 0;
}

}  // namespace

const Command kExt4Extract = {"ext4 extract", "IMAGE PATH FOLDER", kExtractOptions, 3, 3,
                              run_extract};

}  // namespace update::cli
