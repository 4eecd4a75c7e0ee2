#pragma once

#include <memory>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/image/tree.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// The folders of a tree as they lie on the host, each opened by its one name below the one before,
/// so that no link is followed. The way to the last one stays open: entries come folder by folder.
class FolderChain {
 public:
  /// `top` is the tree's entry 0, and outlives the chain.
  explicit FolderChain(os::Folder& top) : top_(top) {}

  /// Valid until the next call.
  Result<os::Folder*> at(const Tree& tree, EntryIndex folder);

 private:
  struct Link {
    EntryIndex entry;
    std::unique_ptr<os::Folder> folder;
  };

  os::Folder& top_;
  std::vector<Link> open_;
};

}  // namespace update::image
