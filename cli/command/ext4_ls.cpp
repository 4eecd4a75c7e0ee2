#include "cli/command.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "cli/json_image.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"

#include <algorithm>
#include <numeric>

namespace update::cli {
namespace {

constexpr OptionSpec kLsOptions[] = {{"l", "", 'l'}};

// What is in the folder, in byte order; what is not a folder is listed itself.
std::vector<image::EntryIndex> listed_entries(const image::Tree& tree) {
  if (tree.entries.front().type != image::EntryType::folder) return {0};
  std::vector<image::EntryIndex> shown(tree.entries.size() - 1);
  std::iota(shown.begin(), shown.end(), image::EntryIndex{1});
  std::sort(shown.begin(), shown.end(), [&](image::EntryIndex left, image::EntryIndex right) {
    return tree.name(left) < tree.name(right);
  });
  return shown;
}

std::string long_listing(const Context& context, const std::string& path, const image::Tree& tree,
                         const std::vector<image::EntryIndex>& shown) {
  Table table(context.global.colour);
  for (const image::EntryIndex index : shown) {
    const image::Entry& entry = first_name(tree, index);
    std::string name = escape(index == 0 ? path : std::string(tree.name(index)));
    if (entry.type == image::EntryType::symbolic_link) {
      name += " -> " + escape(tree.at(entry.content));
    }
    table.add({{mode_text(entry)},
               {std::to_string(entry.uid)},
               {std::to_string(entry.gid)},
               {std::to_string(entry.size)},
               {shown_time(entry.modified)},
               {std::move(name)}});
  }
  return table.text();
}

Result<int> run_ls(Context& context) {
  UPDATE_TRY_ASSIGN(const std::string path, image_path(context, 1));
  UPDATE_TRY_ASSIGN(const OpenedFile opened, open_image_argument(context));
  UPDATE_TRY_ASSIGN(const image::Tree tree,
                    read_image_argument(context, opened, path, image::Depth::children));
  const std::vector<image::EntryIndex> shown = listed_entries(tree);
  print_document(context, listing_document(path, tree, shown));
  std::string text;
  if (context.options.has("l")) {
    text = long_listing(context, path, tree, shown);
  } else {
    for (const image::EntryIndex index : shown) {
      text += escape(index == 0 ? path : std::string(tree.name(index))) + "\n";
    }
  }
  say(context, text);
  const std::string skipped = skipped_text(tree);
  if (!skipped.empty()) context.log.warning("not listed" + skipped);
  return 0;
}

}  // namespace

const Command kExt4Ls = {"ext4 ls", "IMAGE [PATH]", kLsOptions, 1, 2, run_ls, true};

}  // namespace update::cli
