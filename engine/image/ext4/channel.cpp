#include "engine/image/ext4/channel.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

namespace update::image {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMostPages = 4096;  // 16 MiB
constexpr std::size_t kRunPages = 64;

bool all_zero(std::span<const std::byte> bytes) {
  return bytes.front() == std::byte{0} &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

errcode_t channel_error(const Status& status) {
  if (status) return 0;
  const int number = status.error().system_errno();
  return number != 0 ? number : EIO;
}

/// What the C side holds: a channel is closed when its last user is gone.
struct OpenChannel {
  struct_io_channel io{};
  Channel channel;
};

// libext2fs opens channels by name; ours have none (ChannelOpening).
thread_local OpenChannel* waiting = nullptr;

Channel& channel_behind(io_channel io) {
  return static_cast<OpenChannel*>(io->private_data)->channel;
}

struct ByteRange {
  std::uint64_t offset = 0;
  std::size_t length = 0;
};

// A negative count means bytes.
ByteRange range_of(io_channel io, unsigned long long block, int count) {
  const auto size = static_cast<std::uint64_t>(io->block_size);
  const auto length = count < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(count)
                                : static_cast<std::uint64_t>(count) * size;
  return {block * size, length};
}

errcode_t open_channel(const char* /*name*/, int /*flags*/, io_channel* io) {
  if (waiting == nullptr) return ENOENT;
  *io = &std::exchange(waiting, nullptr)->io;
  return 0;
}

errcode_t close_channel(io_channel io) {
  if (--io->refcount == 0) delete static_cast<OpenChannel*>(io->private_data);
  return 0;
}

errcode_t set_block_size(io_channel io, int size) {
  io->block_size = size;
  return 0;
}

errcode_t read_blocks(io_channel io, unsigned long long block, int count, void* data) {
  const ByteRange range = range_of(io, block, count);
  return channel_error(
      channel_behind(io).read({static_cast<std::byte*>(data), range.length}, range.offset));
}

errcode_t write_blocks(io_channel io, unsigned long long block, int count, const void* data) {
  const ByteRange range = range_of(io, block, count);
  return channel_error(
      channel_behind(io).write({static_cast<const std::byte*>(data), range.length}, range.offset));
}

errcode_t read_blocks_32(io_channel io, unsigned long block, int count, void* data) {
  return read_blocks(io, block, count, data);
}

errcode_t write_blocks_32(io_channel io, unsigned long block, int count, const void* data) {
  return write_blocks(io, block, count, data);
}

errcode_t write_bytes(io_channel io, unsigned long offset, int count, const void* data) {
  return channel_error(channel_behind(io).write(
      {static_cast<const std::byte*>(data), static_cast<std::size_t>(count)}, offset));
}

// Durable is what the caller of the whole job makes it, once, at its end.
errcode_t flush_nothing(io_channel /*io*/) {
  return 0;
}

errcode_t zero_blocks(io_channel io, unsigned long long block, unsigned long long count) {
  const auto size = static_cast<std::uint64_t>(io->block_size);
  return channel_error(channel_behind(io).zero(block * size, count * size));
}

struct_io_manager make_manager() {
  struct_io_manager manager{};
  manager.magic = EXT2_ET_MAGIC_IO_MANAGER;
  manager.name = "memory before a file";
  manager.open = open_channel;
  manager.close = close_channel;
  manager.set_blksize = set_block_size;
  manager.read_blk = read_blocks_32;
  manager.write_blk = write_blocks_32;
  manager.flush = flush_nothing;
  manager.write_byte = write_bytes;
  manager.read_blk64 = read_blocks;
  manager.write_blk64 = write_blocks;
  manager.zeroout = zero_blocks;
  return manager;
}

}  // namespace

Result<Channel::Page*> Channel::page(std::uint64_t number, bool whole) {
  if (const auto found = pages_.find(number); found != pages_.end()) return &found->second;
  if (pages_.size() >= kMostPages) UPDATE_TRY(make_room());
  Page fresh{std::make_unique<std::byte[]>(kPage), false};
  if (reads_file() && !whole) {
    // A part that is past the end of the file stays zero: libext2fs reads whole blocks.
    UPDATE_TRY_ASSIGN(const std::size_t count,
                      file_->read_at({fresh.bytes.get(), kPage}, number * kPage));
    if (count == 0 && use_ == Use::reading) {
      return fail(Error::from_errno(EIO, "reading past the end of the image"));
    }
  }
  return &pages_.emplace(number, std::move(fresh)).first->second;
}

Status Channel::read(std::span<std::byte> into, std::uint64_t offset) {
  while (!into.empty()) {
    const std::uint64_t within = offset % kPage;
    const auto length = std::min<std::size_t>(into.size(), kPage - within);
    UPDATE_TRY_ASSIGN(const Page* const from, page(offset / kPage, false));
    std::memcpy(into.data(), from->bytes.get() + within, length);
    into = into.subspan(length);
    offset += length;
  }
  return {};
}

Status Channel::write(std::span<const std::byte> bytes, std::uint64_t offset) {
  if (use_ == Use::reading) return fail(Error::from_errno(EROFS, "writing to the image"));
  while (!bytes.empty()) {
    const std::uint64_t within = offset % kPage;
    const auto length = std::min<std::size_t>(bytes.size(), kPage - within);
    UPDATE_TRY_ASSIGN(Page* const into, page(offset / kPage, length == kPage));
    std::memcpy(into->bytes.get() + within, bytes.data(), length);
    into->dirty = true;
    bytes = bytes.subspan(length);
    offset += length;
  }
  return {};
}

Status Channel::zero(std::uint64_t offset, std::uint64_t length) {
  static constexpr std::byte kZeros[kPage] = {};
  while (length > 0) {
    const auto step = std::min<std::uint64_t>(length, kPage - offset % kPage);
    // Where nothing was written yet, a file that is being filled has zeros.
    if (reads_file() || pages_.contains(offset / kPage)) {
      UPDATE_TRY(write(std::span(kZeros).first(step), offset));
    }
    offset += step;
    length -= step;
  }
  return {};
}

bool Channel::reads_file() const {
  return use_ == Use::reading || use_ == Use::changing || spilled_;
}

bool Channel::needs_writing(const Page& page) const {
  return page.dirty && (reads_file() || !all_zero({page.bytes.get(), kPage}));
}

Status Channel::write_run(std::span<const std::pair<std::uint64_t, Page*>> run) {
  staging_.resize(kRunPages * kPage);
  std::size_t filled = 0;
  for (const auto& [number, page] : run) {
    std::memcpy(staging_.data() + filled, page->bytes.get(), kPage);
    filled += kPage;
  }
  return file_->write_at(std::span(staging_).first(filled), run.front().first * kPage);
}

Status Channel::write_out() {
  if (use_ == Use::planning) return {};
  std::vector<std::pair<std::uint64_t, Page*>> dirty;
  for (auto& [number, page] : pages_) {
    if (needs_writing(page)) dirty.emplace_back(number, &page);
  }
  std::sort(dirty.begin(), dirty.end());
  for (std::size_t begin = 0; begin < dirty.size();) {
    std::size_t end = begin + 1;
    while (end < dirty.size() && end - begin < kRunPages &&
           dirty[end].first == dirty[end - 1].first + 1) {
      ++end;
    }
    UPDATE_TRY(write_run(std::span(dirty).subspan(begin, end - begin)));
    begin = end;
  }
  for (auto& [number, page] : pages_) page.dirty = false;
  spilled_ = spilled_ || !dirty.empty();
  return {};
}

Status Channel::make_room() {
  if (use_ == Use::planning) return fail(Error::from_errno(ENOMEM, "planning the image"));
  UPDATE_TRY(write_out());
  pages_.clear();
  return {};
}

ChannelOpening::ChannelOpening(os::File* file, Channel::Use use) {
  waiting = new OpenChannel{{}, Channel(file, use)};
  waiting->io.magic = EXT2_ET_MAGIC_IO_CHANNEL;
  waiting->io.manager = manager();
  waiting->io.block_size = 1024;
  waiting->io.refcount = 1;
  waiting->io.private_data = waiting;
}

ChannelOpening::~ChannelOpening() {
  delete std::exchange(waiting, nullptr);
}

io_manager ChannelOpening::manager() {
  static struct_io_manager manager = make_manager();
  return &manager;
}

Channel& channel_of(ext2_filsys fs) {
  return channel_behind(fs->io);
}

}  // namespace update::image
