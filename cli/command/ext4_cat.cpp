#include "cli/command.hpp"
#include "cli/image_options.hpp"
#include "cli/json_image.hpp"
#include "engine/base/text.hpp"

#include <algorithm>

namespace update::cli {
namespace {

// A multiple of three, so that pieces can be told in base64 one after the other.
constexpr std::size_t kPiece = std::size_t{3} << 17;

// The bytes of a file in pieces of `kPiece`; what lies between its extents are zeros.
class FileBytes {
 public:
  FileBytes(const image::Tree& tree, os::File& image) : tree_(tree), image_(image) {}

  std::uint64_t size() const { return entry().size; }

  Result<std::string> piece(std::uint64_t offset) {
    std::string bytes(std::min<std::uint64_t>(kPiece, size() - offset), '\0');
    const std::string_view inside = tree_.at(entry().content);
    if (offset < inside.size()) inside.copy(bytes.data(), bytes.size(), offset);
    while (next_ < entry().extents) {
      const image::Extent& extent = tree_.extents[entry().first_extent + next_];
      if (extent.offset >= offset + bytes.size()) break;
      UPDATE_TRY(read_part(extent, offset, bytes));
      if (extent.offset + extent.length > offset + bytes.size()) break;
      ++next_;
    }
    return bytes;
  }

 private:
  const image::Entry& entry() const { return tree_.entries.front(); }

  Status read_part(const image::Extent& extent, std::uint64_t offset, std::string& bytes) {
    const std::uint64_t begin = std::max(extent.offset, offset);
    const std::uint64_t end = std::min(extent.offset + extent.length, offset + bytes.size());
    const auto part = std::as_writable_bytes(std::span(bytes)).subspan(begin - offset, end - begin);
    UPDATE_TRY_ASSIGN(const std::size_t count,
                      image_.read_at(part, extent.source + (begin - extent.offset)));
    if (count == part.size()) return {};
    return fail(ErrorCode::failed, "the image became shorter while it was read");
  }

  const image::Tree& tree_;
  os::File& image_;
  std::uint32_t next_ = 0;  // the first extent that is not behind us
};

// Nobody reads any more: no error, as of any other program in a pipe.
Status print_all(const Context& context, FileBytes& bytes) {
  const bool json = context.global.json;
  for (std::uint64_t offset = 0; offset < bytes.size(); offset += kPiece) {
    UPDATE_TRY_ASSIGN(const std::string piece, bytes.piece(offset));
    if (!context.console().out(json ? base64(piece) : piece)) return {};
  }
  return {};
}

Error not_a_file(const std::string& path, const image::Tree& tree) {
  const image::Entry& entry = tree.entries.front();
  if (entry.type == image::EntryType::folder) {
    return Error(ErrorCode::usage, quote(path) + " in the image is a folder")
        .hint("banger-update ext4 ls IMAGE PATH");
  }
  return Error(ErrorCode::usage,
               quote(path) + " in the image is a symbolic link to " + quote(tree.at(entry.content)))
      .hint("name the file that it stands for");
}

Result<int> run_cat(Context& context) {
  const auto& arguments = context.options.arguments();
  UPDATE_TRY_ASSIGN(const std::string path, image_path(context, 1));
  UPDATE_TRY_ASSIGN(const OpenedFile opened, open_image_argument(context));
  UPDATE_TRY_ASSIGN(const image::Tree tree,
                    read_image_argument(context, opened, path, image::Depth::entry));
  if (tree.entries.front().type != image::EntryType::regular) {
    return fail(not_a_file(path, tree));
  }
  FileBytes bytes(tree, *opened.file);
  const ContentFrame frame = content_frame(arguments[0], path, bytes.size());
  if (context.global.json) context.console().out(frame.before);
  UPDATE_TRY(print_all(context, bytes));
  if (context.global.json) context.console().out(frame.after + "\n");
  return 0;
}

}  // namespace

const Command kExt4Cat = {"ext4 cat", "IMAGE PATH", {}, 2, 2, run_cat, true};

}  // namespace update::cli
