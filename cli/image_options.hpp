#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cli/command.hpp"
#include "cli/progress.hpp"
#include "engine/image/edit_image.hpp"
#include "engine/image/read/read_image.hpp"

// What several commands of the images ask for in the same words.
namespace update::cli {

// Where an image is made.
inline constexpr OptionSpec kSizeOption = {"size", "SIZE"};
inline constexpr OptionSpec kGrowToOption = {"grow-to", "SIZE"};
inline constexpr OptionSpec kLabelOption = {"label", "TEXT"};
inline constexpr OptionSpec kUuidOption = {"uuid", "UUID"};
inline constexpr OptionSpec kHashSeedOption = {"hash-seed", "UUID"};
inline constexpr OptionSpec kKeepOwnerOption = {"keep-owner"};
// Where entries are made in one.
inline constexpr OptionSpec kModeOption = {"mode", "MODE"};
inline constexpr OptionSpec kOwnerOption = {"owner", "UID"};
inline constexpr OptionSpec kGroupOption = {"group", "GID"};
inline constexpr OptionSpec kParentsOption = {"parents"};

/// --size; usage where it is missing or 0, or more than a file can have.
Result<std::uint64_t> needed_size(const Context& context);
/// Identity and SOURCE_DATE_EPOCH.
Result<image::IdentityRule> identity_rule(const Context& context);
/// All the options that a command takes; the copying is shown by `progress`, which must outlive it.
Result<image::ImageOptions> image_options(const Context& context, Progress& progress);
Result<image::EntryOptions> entry_options(const Context& context);

/// A path inside an image as it was given, in its shortest form; "/" where there is none.
Result<std::string> image_path(const Context& context, std::size_t argument);

struct OpenedFile {
  std::unique_ptr<os::File> file;
  os::FileInfo info;
};
/// The image that the first argument names.
Result<OpenedFile> open_image_argument(const Context& context);
/// What is in it; errors name the image.
Result<image::Tree> read_image_argument(const Context& context, const OpenedFile& opened,
                                        const std::string& path, image::Depth depth);
/// An error that names the image.
Error about_image(const Context& context, Error error);

}  // namespace update::cli
