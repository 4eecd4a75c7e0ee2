#include "cli/command.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "cli/json_image.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

Result<int> tell_geometry(Context& context, const OpenedFile& opened) {
  const std::string& path = context.options.arguments().front();
  const auto read = image::read_image_info(context.system().confinement, *opened.file);
  if (!read) return fail(about_image(context, read.error()));
  const image::ImageInfo& info = *read;
  print_document(context, geometry_document(path, info));
  Table table(context.global.colour);
  table.add({{"image"}, {escape(path)}});
  table.add({{"size"}, {format_size(info.bytes)}});
  table.add({{"free"}, {format_size(info.free_bytes)}});
  table.add({{"inodes"}, {std::to_string(info.inodes)}});
  table.add({{"free inodes"}, {std::to_string(info.free_inodes)}});
  table.add({{"block size"}, {std::to_string(info.block_size)}});
  table.add({{"uuid"}, {escape(info.uuid)}});
  if (!info.label.empty()) table.add({{"label"}, {escape(info.label)}});
  say(context, table.text());
  return 0;
}

std::string attributes_text(const image::Tree& tree, const image::Entry& entry) {
  std::string text;
  for (std::uint32_t at = 0; at < entry.attributes; ++at) {
    const image::Attribute& attribute = tree.attributes[entry.first_attribute + at];
    text.append(text.empty() ? "" : ", ").append(escape(tree.at(attribute.name)));
  }
  return text;
}

std::string entry_table(const Context& context, const std::string& path, const image::Tree& tree) {
  const image::Entry& entry = tree.entries.front();
  Table table(context.global.colour);
  table.add({{"path"}, {escape(path)}});
  table.add({{"type"}, {std::string(name_of(entry.type))}});
  if (entry.type == image::EntryType::symbolic_link) {
    table.add({{"target"}, {escape(tree.at(entry.content))}});
  }
  table.add({{"mode"}, {mode_text(entry)}});
  table.add({{"owner"}, {std::to_string(entry.uid) + ":" + std::to_string(entry.gid)}});
  if (entry.type == image::EntryType::regular) {
    table.add({{"size"}, {std::to_string(entry.size)}});
  }
  table.add({{"modified"}, {shown_time(entry.modified)}});
  table.add({{"accessed"}, {shown_time(entry.accessed)}});
  table.add({{"changed"}, {shown_time(entry.changed)}});
  table.add({{"inode"}, {std::to_string(entry.inode)}});
  table.add({{"links"}, {std::to_string(entry.links)}});
  if (entry.attributes != 0) table.add({{"attributes"}, {attributes_text(tree, entry)}});
  return table.text();
}

Result<int> run_stat(Context& context) {
  UPDATE_TRY_ASSIGN(const OpenedFile opened, open_image_argument(context));
  if (context.options.arguments().size() == 1) return tell_geometry(context, opened);
  UPDATE_TRY_ASSIGN(const std::string path, image_path(context, 1));
  UPDATE_TRY_ASSIGN(const image::Tree tree,
                    read_image_argument(context, opened, path, image::Depth::entry));
  print_document(context, entry_document(path, tree));
  say(context, entry_table(context, path, tree));
  return 0;
}

}  // namespace

const Command kExt4Stat = {"ext4 stat", "IMAGE [PATH]", {}, 1, 2, run_stat, true};

}  // namespace update::cli
