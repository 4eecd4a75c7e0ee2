#pragma once

#include "engine/image/tree.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// Where the bytes of a tree's files are.
class Contents {
 public:
  virtual ~Contents() = default;
  /// The open file that the entry's extents (Extent::source) point into; valid until the next call.
  /// failed: the file is another one by now, or was changed since the tree was read.
  virtual Result<os::File*> open(const Tree& tree, EntryIndex entry) = 0;
  /// To be called when the bytes of `entry` were copied: failed if they were changed meanwhile.
  virtual Status close(const Tree& tree, EntryIndex entry) = 0;
  /// The one file that has all the bytes, so that they can be copied in any order and together;
  /// null where each entry has its own.
  virtual os::File* whole() { return nullptr; }
  /// So many further bytes of it were copied.
  virtual void copied(std::uint64_t /*bytes*/) {}
};

/// All bytes lie in one open file: an image.
class ImageContents final : public Contents {
 public:
  explicit ImageContents(os::File& image) : image_(image) {}
  Result<os::File*> open(const Tree& /*tree*/, EntryIndex /*entry*/) override { return &image_; }
  Status close(const Tree& /*tree*/, EntryIndex /*entry*/) override { return {}; }
  os::File* whole() override { return &image_; }

 private:
  os::File& image_;
};

}  // namespace update::image
