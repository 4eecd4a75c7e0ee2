#pragma once

#include <memory>
#include <utility>

#include "engine/image/contents.hpp"
#include "engine/image/host/folder_chain.hpp"

namespace update::image {

/// The files below a folder, each opened anew by its names.
class HostContents final : public Contents {
 public:
  explicit HostContents(std::unique_ptr<os::Folder> top) : top_(std::move(top)), chain_(*top_) {}

  Result<os::File*> open(const Tree& tree, EntryIndex entry) override;
  Status close(const Tree& tree, EntryIndex entry) override;

 private:
  std::unique_ptr<os::Folder> top_;
  FolderChain chain_;
  std::unique_ptr<os::File> file_;
};

/// One file that is open already.
class OneFileContents final : public Contents {
 public:
  explicit OneFileContents(std::unique_ptr<os::File> file) : file_(std::move(file)) {}

  Result<os::File*> open(const Tree& tree, EntryIndex entry) override;
  Status close(const Tree& tree, EntryIndex entry) override;

 private:
  std::unique_ptr<os::File> file_;
};

}  // namespace update::image
