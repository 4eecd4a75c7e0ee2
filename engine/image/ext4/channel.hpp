#pragma once

#include <ext2fs/ext2fs.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// What libext2fs reads and writes, kept in memory: it asks for one block at a time, and many times
/// for the same one. What it writes reaches the file sorted and in long runs: by write_out(), or
/// earlier where the memory would not hold it.
class Channel {
 public:
  enum class Use : std::uint8_t {
    reading,   ///< what is written is refused
    changing,  ///< a file that has contents
    filling,   ///< a file that has none yet: it reads as zeros, and zeros need no writing
    planning,  ///< as filling, in memory alone: there is no file, and write_out() writes nothing
  };

  /// `file` is null for planning.
  Channel(os::File* file, Use use) : file_(file), use_(use) {}

  Status read(std::span<std::byte> into, std::uint64_t offset);
  Status write(std::span<const std::byte> bytes, std::uint64_t offset);
  Status zero(std::uint64_t offset, std::uint64_t length);
  /// All that was written is in the file, though not durable.
  Status write_out();

 private:
  struct Page {
    std::unique_ptr<std::byte[]> bytes;
    bool dirty = false;
  };
  using Pages = std::unordered_map<std::uint64_t, Page>;

  Result<Page*> page(std::uint64_t number, bool whole);
  Status make_room();
  Status write_run(std::span<const std::pair<std::uint64_t, Page*>> run);
  bool reads_file() const;
  bool needs_writing(const Page& page) const;

  os::File* file_;
  Use use_;
  bool spilled_ = false;  ///< something was written: what is not in memory has to be read
  Pages pages_;
  std::vector<std::byte> staging_;  ///< a run of pages on its way to the file
};

/// Gives a channel to the functions of libext2fs that open one by its manager (ext2fs_open2,
/// ext2fs_initialize): the next to do so, while this object lives, takes it. They name no file.
class ChannelOpening {
 public:
  ChannelOpening(os::File* file, Channel::Use use);
  ~ChannelOpening();
  ChannelOpening(const ChannelOpening&) = delete;
  ChannelOpening& operator=(const ChannelOpening&) = delete;

  static io_manager manager();
};

/// The channel behind an open file system.
Channel& channel_of(ext2_filsys fs);

}  // namespace update::image
