#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "tests/crash/power_cut/operation.hpp"

namespace update::crash {

/// What a file system promises about what was not synced.
enum class Model : std::uint8_t {
  /// Nothing: each operation reached the disk or did not, data as well as names (fsync(2), the
  /// rationale of POSIX.1-2017). A name is safe when its folder is synced, and only then.
  posix,
  /// ext4 with data=ordered (the kernel's Documentation/filesystems/ext4/journal.rst): names, modes
  /// and sizes reach the disk in their order, and a sync of an inode takes along all of them up to
  /// the last that touched this inode; not what came after, for the journal may have been committed
  /// in between. Bytes are written late, so that they may be missing under a name that is there;
  /// but bytes that make a file longer are there only when all names before them are.
  ordered,
};

/// What a cut may leave: of the operations issued, those marked as settled are on the disk, each of
/// `free` is or is not, whatever became of the others, and the rest is lost.
struct Choice {
  std::vector<bool> settled;      ///< one for each operation issued
  std::vector<std::size_t> free;  ///< in the order in which they were issued
};

/// All that a cut may leave when the first `issued` operations were issued.
std::vector<Choice> choices(const std::vector<Operation>& operations, const Disk& before,
                            Model model, std::size_t issued);

}  // namespace update::crash
