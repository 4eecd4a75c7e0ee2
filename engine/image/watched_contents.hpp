#pragma once

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
  Status close(const Tree& tree, EntryIndex entry) override {
    done_bytes_ += tree.entries[entry].size;
    if (observer_) observer_(done_bytes_, total_bytes_);
    return inner_.close(tree, entry);
  }

 private:
  Contents& inner_;
  const CopyObserver& observer_;
  std::uint64_t total_bytes_;
  std::uint64_t done_bytes_ = 0;
};

}  // namespace update::image
