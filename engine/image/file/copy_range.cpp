#include "engine/image/file/copy_range.hpp"

#include "engine/os/check_stop.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <span>

namespace update {
namespace {

// The block of nearly every file system that can share; one with larger blocks says no by itself.
constexpr std::uint64_t kSharedBlock = 4096;
constexpr std::size_t kBufferBytes = 1U << 20;
constexpr std::uint64_t kKernelCopyMax = 32U << 20;  // at once: nobody waits long for a stop

Error became_shorter() {
  return {ErrorCode::failed, "the source became shorter while it was read"};
}

}  // namespace

void RangeCopier::Range::advance(std::uint64_t count) {
  source_offset += count;
  offset += count;
  length -= count;
}

Status RangeCopier::copy(os::File& source, std::uint64_t source_offset, os::File& target,
                         std::uint64_t offset, std::uint64_t length) {
  Range range{source_offset, offset, length};
  UPDATE_TRY(check_stop());
  if (shares_) UPDATE_TRY(share_blocks(source, target, range));
  if (kernel_copies_) UPDATE_TRY(copy_in_kernel(source, target, range));
  return copy_through_memory(source, target, range);
}

Status RangeCopier::check_stop() {
  return stop_ == nullptr ? Status{} : os::check_stop(*stop_);
}

/// Whole blocks alone: what is left of a last one is copied.
Status RangeCopier::share_blocks(os::File& source, os::File& target, Range& range) {
  const std::uint64_t whole = range.length - range.length % kSharedBlock;
  if ((range.source_offset | range.offset) % kSharedBlock != 0 || whole == 0) return {};
  UPDATE_TRY_ASSIGN(shares_, target.clone_range(source, range.source_offset, range.offset, whole));
  if (shares_) range.advance(whole);
  return {};
}

Status RangeCopier::copy_in_kernel(os::File& source, os::File& target, Range& range) {
  while (range.length > 0) {
    UPDATE_TRY(check_stop());
    const auto wanted = std::min(kKernelCopyMax, range.length);
    UPDATE_TRY_ASSIGN(const auto count,
                      target.copy_from(source, range.source_offset, range.offset, wanted));
    kernel_copies_ = count.has_value();
    if (!count) return {};
    if (*count == 0) return fail(became_shorter());
    range.advance(*count);
  }
  return {};
}

Status RangeCopier::copy_through_memory(os::File& source, os::File& target, Range& range) {
  const std::size_t most = std::min<std::uint64_t>(kBufferBytes, range.length);
  if (buffer_.size() < most) buffer_.resize(most);
  while (range.length > 0) {
    UPDATE_TRY(check_stop());
    const auto wanted = std::min<std::uint64_t>(buffer_.size(), range.length);
    const auto chunk = std::span(buffer_).first(wanted);
    UPDATE_TRY_ASSIGN(const std::size_t count, source.read_at(chunk, range.source_offset));
    if (count < wanted) return fail(became_shorter());
    UPDATE_TRY(target.write_at(chunk, range.offset));
    range.advance(wanted);
  }
  return {};
}

Status check_end(os::File& source, std::uint64_t size) {
  std::array<std::byte, 1> more{};
  UPDATE_TRY_ASSIGN(const std::size_t count, source.read_at(more, size));
  if (count == 0) return {};
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source.info());
  if (info.identity.size > size) return {};  // it grew meanwhile
  return fail(Error(ErrorCode::failed, "the source has more bytes than it says")
                  .hint("cat SOURCE > FILE makes a file of what the kernel shows"));
}

}  // namespace update
