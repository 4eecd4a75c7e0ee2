#pragma once

#include <string>
#include <string_view>

#include "engine/image/tree.hpp"
#include "engine/os/confinement.hpp"
#include "engine/os/filesystem.hpp"

// Reading an ext4 image that may be made to do harm.
namespace update::image {

/// How the rest of a folder's subtree is wanted.
enum class Depth : std::uint8_t {
  entry,     ///< the named entry alone
  children,  ///< and, of a folder, what is in it
  tree,      ///< and everything below
  contents,  ///< the same for what becomes the top of an image: without a `lost+found` in it
};

/// The subtree at `path` ("/root", "/" for all; a symbolic link on the way or at the end is not
/// followed) of an open image: its top becomes entry 0, whatever its type. `lost+found` in the
/// image's own top is left out where Depth is `tree`. In a confined child, whatever is in the
/// image. not_found: no such path. not_trusted: damaged, encrypted, or made to do harm; names the
/// inode or the path. failed: a journal that needs recovery (hint: stop the VM or run e2fsck), a
/// feature that is not known, more than `limits` take.
Result<Tree> read_image(os::Confinement& confinement, os::File& image, std::string_view path,
                        Depth depth, const TreeLimits& limits = {});

/// Geometry and identity, for `ext4 stat` of an image and for those who write one.
struct ImageInfo {
  std::uint64_t bytes = 0;  ///< of the file system
  std::uint64_t free_bytes = 0;
  std::uint64_t inodes = 0;
  std::uint64_t free_inodes = 0;
  std::uint32_t block_size = 0;
  std::string uuid;  ///< in its usual spelling
  std::string label;
};
Result<ImageInfo> read_image_info(os::Confinement& confinement, os::File& image);

/// The whole file system looked at, as `e2fsck -fn` does: nothing is changed. Empty: consistent.
/// Otherwise what is wrong, one line each, the first `most`. An image that is no ext4 at all, or
/// whose superblock is damaged, is one such line. failed: as read_image. no_space: one that needs
/// more than 2 GiB of memory to be checked.
Result<std::vector<std::string>> check_image(os::Confinement& confinement, os::File& image,
                                             std::size_t most = 20);

}  // namespace update::image
