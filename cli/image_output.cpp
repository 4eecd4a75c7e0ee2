#include "cli/image_output.hpp"

#include "cli/json_image.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

// "entry" is the one noun here whose plural is irregular.
std::string counted_entries(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " entry" : " entries");
}

std::string_view noun_of(image::Skipped kind) {
  switch (kind) {
    case image::Skipped::device: return "device";
    case image::Skipped::socket: return "socket";
    case image::Skipped::pipe: return "pipe";
    case image::Skipped::attribute: return "attribute";
    case image::Skipped::owner: return "owner";
    case image::Skipped::set_id_bits: return "set-id mode";
    case image::Skipped::mount_point: return "mount point";
  }
  return "";
}

}  // namespace

std::string skipped_text(const image::Tree& tree) {
  std::string text;
  for (std::size_t kind = 0; kind < image::kSkippedKinds; ++kind) {
    if (tree.skipped[kind] == 0) continue;
    text += text.empty() ? "; skipped: " : ", ";
    text += counted(tree.skipped[kind], noun_of(static_cast<image::Skipped>(kind)));
  }
  return text;
}

std::string contents_text(const image::Made& made) {
  return counted_entries(made.entries) + " with " + format_size(made.content_bytes) +
         skipped_text(made.skipped);
}

const image::Entry& first_name(const image::Tree& tree, image::EntryIndex index) {
  const image::Entry& entry = tree.entries[index];
  return entry.link_to == image::kNoEntry ? entry : tree.entries[entry.link_to];
}

std::string shown_time(const image::Time& time) {
  constexpr std::int64_t kSecondUs = 1'000'000;
  return format_time(time.seconds * kSecondUs + time.nanoseconds / 1000);
}

std::string mode_text(const image::Entry& entry) {
  constexpr std::string_view kBits = "rwxrwxrwx";
  std::string text = entry.type == image::EntryType::folder          ? "d"
                     : entry.type == image::EntryType::symbolic_link ? "l"
                                                                     : "-";
  for (unsigned bit = 0; bit < kBits.size(); ++bit) {
    text += (entry.mode >> (8 - bit) & 1U) != 0 ? kBits[bit] : '-';
  }
  const auto mark = [&](unsigned bit, std::size_t at, char with_x, char without) {
    if ((entry.mode & bit) != 0) text[at] = text[at] == 'x' ? with_x : without;
  };
  mark(04000, 3, 's', 'S');
  mark(02000, 6, 's', 'S');
  mark(01000, 9, 't', 'T');
  return text;
}

void tell_image(const Context& context, std::string_view verb, const std::string& image,
                const image::Made& made) {
  print_document(context, image_document(image, made));
  say(context, std::string(verb) + " " + escape(image) + ": " + format_size(made.bytes) + ", " +
                   contents_text(made) + "\n");
}

}  // namespace update::cli
