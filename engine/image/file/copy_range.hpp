#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/os/host.hpp"

namespace update {

/// Copies runs of bytes between open files the cheapest way that their file systems have: shared
/// blocks, else a copy inside the kernel, else through memory. Remembers what they cannot do, so
/// that one copier is for the files of one source and one target file system.
class RangeCopier {
 public:
  /// `stop` is asked every few MiB; none: for copies that are made to their end.
  explicit RangeCopier(os::StopRequest* stop = nullptr) : stop_(stop) {}

  /// failed: `source` ends before all was copied. interrupted, terminated.
  Status copy(os::File& source, std::uint64_t source_offset, os::File& target, std::uint64_t offset,
              std::uint64_t length);

 private:
  struct Range {
    std::uint64_t source_offset;
    std::uint64_t offset;
    std::uint64_t length;
    void advance(std::uint64_t count);
  };
  Status check_stop();
  Status share_blocks(os::File& source, os::File& target, Range& range);
  Status copy_in_kernel(os::File& source, os::File& target, Range& range);
  Status copy_through_memory(os::File& source, os::File& target, Range& range);

  os::StopRequest* stop_;
  bool shares_ = true;
  bool kernel_copies_ = true;
  std::vector<std::byte> buffer_;
};

/// All of `source` up to `size`, which it said to have, was read. failed: it has more, and says
/// still that it has not, as what the kernel shows in /proc does.
Status check_end(os::File& source, std::uint64_t size);

}  // namespace update
