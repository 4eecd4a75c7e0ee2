#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "engine/image/contents.hpp"
#include "engine/image/host/folder_chain.hpp"

namespace update::image {

/// What tells whether a file is the same, and as it was: the times of a tree's entries may become
/// others (SOURCE_DATE_EPOCH).
struct SeenFile {
  os::FileIdentity identity;
  os::FileTime changed;
};

/// The files below a folder, each opened anew by its names.
class HostContents final : public Contents {
 public:
  /// `seen`: of each entry of the tree.
  HostContents(std::unique_ptr<os::Folder> top, std::vector<SeenFile> seen)
      : top_(std::move(top)), seen_(std::move(seen)), chain_(*top_) {}

  Result<os::File*> open(const Tree& tree, EntryIndex entry) override;
  Status close(const Tree& tree, EntryIndex entry) override;

 private:
  std::unique_ptr<os::Folder> top_;
  std::vector<SeenFile> seen_;
  FolderChain chain_;
  std::unique_ptr<os::File> file_;
};

/// One file that is open already.
class OneFileContents final : public Contents {
 public:
  OneFileContents(std::unique_ptr<os::File> file, const SeenFile& seen)
      : file_(std::move(file)), seen_(seen) {}

  Result<os::File*> open(const Tree& tree, EntryIndex entry) override;
  Status close(const Tree& tree, EntryIndex entry) override;

 private:
  std::unique_ptr<os::File> file_;
  SeenFile seen_;
};

}  // namespace update::image
