#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "engine/image/read/disk_attributes.hpp"
#include "engine/image/read/disk_inode.hpp"

namespace update::image {

/// One entry of a folder of an image. The name is legal for a file; the inode is only a number.
struct FolderEntry {
  std::string_view name;  ///< valid during the call
  ext2_ino_t inode = 0;
  std::uint8_t type = 0;  ///< EXT2_FT_*, as the folder says
};

/// What "." and ".." say.
struct FolderDots {
  ext2_ino_t above = 0;     ///< the inode that ".." stands for
  bool are_folders = true;  ///< or of no type
  bool have_type = false;   ///< one of them at least
  bool are_ended = true;    ///< a NUL is behind each
};

using FolderVisitor = std::function<Status(const FolderEntry&)>;

/// Reads the folder `inode` once through: "." and ".." are checked to be there and then left out.
/// not_trusted: anything illegal, duplicates and what `dots` tells aside; of an encrypted folder
/// the names are of any bytes. `attributes` are for a folder that is kept within its inode.
Status read_disk_folder(ext2_filsys fs, const DiskInode& inode, BlockMapper& mapper,
                        DiskAttributes& attributes, const FolderVisitor& visitor,
                        FolderDots* dots = nullptr);

}  // namespace update::image
