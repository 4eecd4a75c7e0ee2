#pragma once

#include <vector>

#include "engine/image/write/write_tree.hpp"

namespace update::image {

/// Where a tree meets a file system.
struct Placement {
  PresentFolders folders;
  std::vector<ext2_ino_t> replaced;  ///< loses a name each
};

/// Looks for the names of `tree` below the folder `top`. failed: a name exists and is of another
/// kind, or has attributes that cannot be freed; names it. not_trusted: the file system is damaged.
Result<Placement> place_tree(ext2_filsys fs, const Tree& tree, ext2_ino_t top);

/// Takes a name from each that is replaced, and frees what has none left; and the blocks of the
/// attributes that the folders lose.
Status drop_replaced(ext2_filsys fs, const Placement& placement);

/// The inode of the folder at `path`, links not followed. not_found.
Result<ext2_ino_t> find_folder(ext2_filsys fs, std::string_view path);

}  // namespace update::image
