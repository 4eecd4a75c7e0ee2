#pragma once

#include <algorithm>

#include "engine/image/work_image.hpp"

namespace update::image {

/// Tells how far the copying of a tree's bytes has come.
class WatchedContents final : public Contents {
 public:
  WatchedContents(Contents& inner, const CopyObserver& observer, std::uint64_t total_bytes)
      : inner_(inner), observer_(observer), total_bytes_(total_bytes) {}
  Result<os::File*> open(const Tree& tree, EntryIndex entry) override {
    return inner_.open(tree, entry);
  }
  Status close(const Tree& tree, EntryIndex entry) override { return inner_.close(tree, entry); }
  // Without it each file of an image would be copied by itself, and share no last block.
  os::File* whole() override { return inner_.whole(); }
  void copied(std::uint64_t bytes) override {
    // Whole blocks are more than what is in them.
    done_bytes_ = std::min(total_bytes_, done_bytes_ + bytes);
    if (observer_) observer_(done_bytes_, total_bytes_);
  }

 private:
  Contents& inner_;
  const CopyObserver& observer_;
  std::uint64_t total_bytes_;
  std::uint64_t done_bytes_ = 0;
};

}  // namespace update::image
