#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/image/host/host_tree.hpp"
#include "engine/image/work_image.hpp"

// Changing an image that exists: always a copy of it, which takes its place when it is complete.
// While that lasts the image is locked; busy if somebody else holds it. not_found: a folder on the
// way does not exist.
namespace update::image {

/// The names in a path of an image, `/` left out at both ends; empty: the top. usage: a `..`, or a
/// name that is too long or holds NUL.
Result<std::vector<std::string>> split_image_path(std::string_view path);
/// "/a/b"; "/" for none.
std::string join_image_path(const std::vector<std::string>& names);

/// What the new entries get.
struct EntryOptions {
  std::optional<std::uint32_t> mode;  ///< else 0755 for a folder, the source's for a file
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  bool parents = false;  ///< make the folders on the way too, 0755 and of the same owner
};

/// A folder. One that is there gets mode and owner, loses its access ACL and keeps what is in it.
Result<Made> make_folder(const os::System& system, const std::string& image, std::string_view path,
                         const EntryOptions& options, const IdentityRule& times);

/// A file that is to be put into an image.
struct NewFile {
  HostTree source;           ///< a top, and the file in it
  std::string default_name;  ///< for a path that is a folder; empty: such a path is an error
};
/// At `path`, or in it where it ends in `/` or is a folder. A file or a link that is there is
/// replaced.
Result<Made> put_file(const os::System& system, const std::string& image, NewFile file,
                      std::string_view path, const EntryOptions& options,
                      const ImageOptions& image_options);

/// All of `source` below the existing folder `path`.
Result<Made> add_tree(const os::System& system, const std::string& image, HostTree source,
                      std::string_view path, const ImageOptions& options);

/// `source` in folders of these names, one in the other, the last of which takes the place of its
/// top; the others are made as `folder` is.
HostTree nest(HostTree source, const std::vector<std::string>& names, const Entry& folder);

}  // namespace update::image
