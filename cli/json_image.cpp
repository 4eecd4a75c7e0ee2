#include "cli/json_image.hpp"

#include "cli/image_output.hpp"
#include "cli/json_parts.hpp"
#include "engine/base/hex.hpp"
#include "engine/base/text.hpp"

#include <iterator>

namespace update::cli {
namespace {

Json skipped_json(const image::Tree& tree) {
  Json json = Json::object();
  for (std::size_t kind = 0; kind < image::kSkippedKinds; ++kind) {
    json[std::string(name_of(static_cast<image::Skipped>(kind)))] = tree.skipped[kind];
  }
  return json;
}

std::string hex_of(std::string_view bytes) {
  return to_hex(std::as_bytes(std::span(bytes)));
}

bool is_utf8(std::string_view bytes) {
  return sanitize_utf8(bytes, bytes.size()) == bytes;
}

std::string joined(const std::string& path, const image::Tree& tree, image::EntryIndex index) {
  if (index == 0) return path;
  return (path == "/" ? "" : path) + tree.path(index);
}

Json entry_json(const std::string& path, const image::Tree& tree, image::EntryIndex index) {
  const image::Entry& entry = first_name(tree, index);
  const std::string whole = joined(path, tree, index);
  const std::string name = whole.substr(whole.rfind('/') + 1);
  Json json = {{"name", name},
               {"path", whole},
               {"type", name_of(entry.type)},
               {"mode", octal(entry.mode)},
               {"uid", entry.uid},
               {"gid", entry.gid},
               {"size", entry.size},
               {"modified", shown_time(entry.modified)}};
  if (!is_utf8(name)) json["name_hex"] = hex_of(name);
  if (entry.type == image::EntryType::symbolic_link) json["target"] = tree.at(entry.content);
  return json;
}

}  // namespace

std::string_view name_of(image::EntryType type) {
  switch (type) {
    case image::EntryType::folder: return "folder";
    case image::EntryType::regular: return "regular";
    case image::EntryType::symbolic_link: return "symbolic_link";
  }
  return "";
}

std::string_view name_of(image::Skipped kind) {
  switch (kind) {
    case image::Skipped::device: return "device";
    case image::Skipped::socket: return "socket";
    case image::Skipped::pipe: return "pipe";
    case image::Skipped::attribute: return "attribute";
    case image::Skipped::owner: return "owner";
    case image::Skipped::set_id_bits: return "set_id_bits";
    case image::Skipped::mount_point: return "mount_point";
  }
  return "";
}

std::string image_document(const std::string& image, const image::Made& made) {
  return to_text({{"image", image},
                  {"bytes", made.bytes},
                  {"entries", made.entries},
                  {"content_bytes", made.content_bytes},
                  {"skipped", skipped_json(made.skipped)}});
}

std::string extracted_document(const std::string& image, const std::string& path,
                               const std::string& folder, const image::Made& made) {
  return to_text({{"image", image},
                  {"path", path},
                  {"folder", folder},
                  {"bytes", made.bytes},
                  {"entries", made.entries},
                  {"content_bytes", made.content_bytes},
                  {"skipped", skipped_json(made.skipped)}});
}

std::string cloned_document(const std::string& source, const std::string& target,
                            std::uint64_t bytes) {
  return to_text({{"source", source}, {"target", target}, {"bytes", bytes}});
}

std::string listing_document(const std::string& path, const image::Tree& tree,
                             const std::vector<image::EntryIndex>& shown) {
  Json entries = Json::array();
  for (const image::EntryIndex index : shown) entries.push_back(entry_json(path, tree, index));
  return to_text({{"entries", std::move(entries)}, {"skipped", skipped_json(tree)}});
}

std::string entry_document(const std::string& path, const image::Tree& tree) {
  const image::Entry& entry = tree.entries.front();
  Json json = entry_json(path, tree, 0);
  json["inode"] = entry.inode;
  json["links"] = entry.links;
  json["accessed"] = shown_time(entry.accessed);
  json["changed"] = shown_time(entry.changed);
  json["extents"] = entry.extents;
  std::uint64_t data = entry.type == image::EntryType::regular ? entry.content.length : 0;
  for (std::uint32_t at = 0; at < entry.extents; ++at) {
    data += tree.extents[entry.first_extent + at].length;
  }
  json["data_bytes"] = data;
  json["attributes"] = Json::array();
  for (std::uint32_t at = 0; at < entry.attributes; ++at) {
    const image::Attribute& attribute = tree.attributes[entry.first_attribute + at];
    json["attributes"].push_back(
        {{"name", tree.at(attribute.name)}, {"value_hex", hex_of(tree.at(attribute.value))}});
  }
  return to_text(json);
}

std::string geometry_document(const std::string& image, const image::ImageInfo& info) {
  return to_text({{"image", image},
                  {"bytes", info.bytes},
                  {"free_bytes", info.free_bytes},
                  {"inodes", info.inodes},
                  {"free_inodes", info.free_inodes},
                  {"block_size", info.block_size},
                  {"uuid", info.uuid},
                  {"label", info.label}});
}

ContentFrame content_frame(const std::string& image, const std::string& path, std::uint64_t size) {
  const std::string text = to_text(
      {{"image", image}, {"path", path}, {"size", size}, {"encoding", "base64"}, {"content", ""}});
  constexpr std::string_view kEnd = "\"}";
  return {text.substr(0, text.size() - kEnd.size()), std::string(kEnd)};
}

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t byte = 0; byte < 3; ++byte) {
      bits = bits << 8U | (byte < group.size() ? static_cast<unsigned char>(group[byte]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      text += digit <= group.size() ? kDigits[bits >> (18 - 6 * digit) & 63U] : '=';
    }
  }
  return text;
}

std::string check_document(const std::string& image, const std::vector<std::string>& findings,
                           const Error* error) {
  Json json = {{"image", image}, {"consistent", findings.empty()}, {"findings", Json(findings)}};
  if (error != nullptr) json["error"] = error_json(*error);
  return to_text(json);
}

}  // namespace update::cli
