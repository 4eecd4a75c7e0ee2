#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// Copies runs of bytes between open files the cheapest way that their file systems have: shared
/// blocks, else a copy inside the kernel, else through memory. Remembers what they cannot do, so
/// that one copier is for the files of one source and one target file system.
class RangeCopier {
 public:
  /// failed: `source` ends before all was copied.
  Status copy(os::File& source, std::uint64_t source_offset, os::File& target, std::uint64_t offset,
              std::uint64_t length);

 private:
  struct Range {
    std::uint64_t source_offset;
    std::uint64_t offset;
    std::uint64_t length;
    void advance(std::uint64_t count);
  };
  Status share_blocks(os::File& source, os::File& target, Range& range);
  Status copy_in_kernel(os::File& source, os::File& target, Range& range);
  Status copy_through_memory(os::File& source, os::File& target, Range& range);

  bool shares_ = true;
  bool kernel_copies_ = true;
  std::vector<std::byte> buffer_;
};

}  // namespace update
