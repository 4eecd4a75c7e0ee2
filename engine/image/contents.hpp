#pragma once

#include <optional>

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
  /// The one file that has all the bytes, so that they can be copied in any order and together,
  /// with one close() after the last; null where each entry has its own.
  virtual os::File* whole() { return nullptr; }
  /// So many further bytes of it were copied.
  virtual void copied(std::uint64_t /*bytes*/) {}
};

/// All bytes lie in one open file: an image.
class ImageContents final : public Contents {
 public:
  /// `seen`: the image as it was before the tree was read; none: it is nobody else's.
  explicit ImageContents(os::File& image, std::optional<os::FileInfo> seen = std::nullopt)
      : image_(image), seen_(seen) {}
  Result<os::File*> open(const Tree& /*tree*/, EntryIndex /*entry*/) override { return &image_; }
  Status close(const Tree& /*tree*/, EntryIndex /*entry*/) override {
    if (!seen_) return {};
    UPDATE_TRY_ASSIGN(const os::FileInfo now, image_.info());
    if (now.identity == seen_->identity && now.changed == seen_->changed) return {};
    return fail(Error(ErrorCode::failed, "the image was changed while it was read")
                    .hint("stop the VM that uses it"));
  }
  os::File* whole() override { return &image_; }

 private:
  os::File& image_;
  std::optional<os::FileInfo> seen_;
};

}  // namespace update::image
