#pragma once

#include <string>
#include <vector>

#include "engine/base/json.hpp"
#include "engine/image/read/read_image.hpp"
#include "engine/image/work_image.hpp"

// The JSON documents of the images. Names in an image may be any bytes: what is not UTF-8 in one
// becomes U+FFFD, and `name_hex` then stands beside it.
namespace update::cli {

/// What a command made or changed; `image` is its path.
std::string image_document(const std::string& image, const image::Made& made);
std::string extracted_document(const std::string& image, const std::string& path,
                               const std::string& folder, const image::Made& made);
std::string cloned_document(const std::string& source, const std::string& target,
                            std::uint64_t bytes);

/// Entries of a tree that was read at `path`.
std::string listing_document(const std::string& path, const image::Tree& tree,
                             const std::vector<image::EntryIndex>& shown);
std::string entry_document(const std::string& path, const image::Tree& tree);
std::string geometry_document(const std::string& image, const image::ImageInfo& info);
/// What stands before and after the bytes of a file in base64, which may be too many for the
/// memory.
struct ContentFrame {
  std::string before;
  std::string after;
};
ContentFrame content_frame(const std::string& image, const std::string& path, std::uint64_t size);
std::string base64(std::string_view bytes);

std::string check_document(const std::string& image, const std::vector<std::string>& findings,
                           const Error* error);

std::string_view name_of(image::EntryType type);
/// For JSON: "set_id_bits".
std::string_view name_of(image::Skipped kind);

}  // namespace update::cli
