#pragma once

#include <string>
#include <string_view>

#include "cli/command.hpp"
#include "engine/image/work_image.hpp"

// Text and documents about images.
namespace update::cli {

/// "; skipped: 2 devices, 1 socket"; empty where nothing was.
std::string skipped_text(const image::Tree& tree);

/// "6 entries with 12.3 KiB", and what was skipped.
std::string contents_text(const image::Made& made);

/// The entry that says all of a file: a further name says only which that is.
const image::Entry& first_name(const image::Tree& tree, image::EntryIndex index);
/// RFC 3339 with microseconds.
std::string shown_time(const image::Time& time);
/// "drwxr-xr-x", as ls(1).
std::string mode_text(const image::Entry& entry);

/// "made x.ext4: 512.0 MiB, 6 entries with 12.3 KiB", and what was skipped; or the document.
void tell_image(const Context& context, std::string_view verb, const std::string& image,
                const image::Made& made);

}  // namespace update::cli
