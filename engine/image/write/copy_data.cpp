#include "engine/image/write/copy_data.hpp"

#include "engine/base/text.hpp"
#include "engine/image/ext4/superblock.hpp"
#include "engine/image/file/copy_range.hpp"
#include "engine/image/write/mkfs.hpp"

#include <algorithm>
#include <span>

namespace update::image {
namespace {

constexpr std::uint64_t kMostAtOnce = 256U << 20;
constexpr std::uint64_t kWritebackStep = 4U << 20;

bool continues(const DataRun& run, const DataRun& next) {
  return run.source + run.length == next.source && run.target + run.length == next.target &&
         run.length + next.length <= kMostAtOnce;
}

// Smaller blocks than ours: behind the end of a file may be another one's bytes.
bool has_whole_blocks(os::File& image) {
  const auto superblock = read_superblock(image);
  return superblock && superblock->block_size % kBlock == 0;
}

// The blocks of a file are its own up to their ends: with whole ones, what lies side by side is
// copied at once, and blocks can be shared with the source.
std::vector<DataRun> join(std::vector<DataRun> runs, std::uint64_t source_bytes,
                          bool whole_blocks) {
  std::sort(runs.begin(), runs.end(),
            [](const DataRun& one, const DataRun& other) { return one.source < other.source; });
  std::vector<DataRun> joined;
  for (DataRun run : runs) {
    const std::uint64_t whole = (run.length + kBlock - 1) / kBlock * kBlock;
    if (whole_blocks && run.source % kBlock == 0 && run.target % kBlock == 0 &&
        run.source + whole <= source_bytes) {
      run.length = whole;
    }
    if (!joined.empty() && continues(joined.back(), run)) {
      joined.back().length += run.length;
    } else {
      joined.push_back(run);
    }
  }
  return joined;
}

/// Copies in steps, so that the disk writes one while the next is copied: the sync at the end then
/// has little left to wait for.
class Copying {
 public:
  Copying(os::File& target, Contents& contents, os::StopRequest& stop)
      : target_(target), contents_(contents), copier_(&stop) {}

  Status copy(os::File& source, const DataRun& run) {
    for (std::uint64_t done = 0; done < run.length;) {
      const std::uint64_t step = std::min(kWritebackStep, run.length - done);
      UPDATE_TRY(copier_.copy(source, run.source + done, target_, run.target + done, step));
      wrote(run.target + done, step);
      contents_.copied(step);
      done += step;
    }
    return {};
  }

 private:
  void wrote(std::uint64_t offset, std::uint64_t length) {
    // The rest of a file's last block may be left out.
    const bool goes_on = offset >= end_ && offset - end_ < kBlock;
    if (!goes_on) begin_ = offset;
    end_ = offset + length;
    if (end_ - begin_ < kWritebackStep) return;
    target_.start_writeback(begin_, end_ - begin_);
    begin_ = end_;
  }

  os::File& target_;
  Contents& contents_;
  RangeCopier copier_;
  std::uint64_t begin_ = 0;
  std::uint64_t end_ = 0;
};

Status copy_joined(std::vector<DataRun> runs, const Tree& tree, os::File& source,
                   Contents& contents, os::File& target, LastBlocks last_blocks,
                   os::StopRequest& stop) {
  if (runs.empty()) return {};
  const EntryIndex last = runs.back().entry;
  UPDATE_TRY_ASSIGN(const os::FileInfo info, source.info());
  const bool whole_blocks = last_blocks == LastBlocks::whole && has_whole_blocks(source);
  Copying copying(target, contents, stop);
  for (const DataRun& run : join(std::move(runs), info.identity.size, whole_blocks)) {
    UPDATE_TRY(copying.copy(source, run));
  }
  return contents.close(tree, last);
}

Status copy_entry(std::span<const DataRun> runs, const Tree& tree, Contents& contents,
                  Copying& copying) {
  const EntryIndex entry = runs.front().entry;
  UPDATE_TRY_ASSIGN(os::File* const source, contents.open(tree, entry));
  for (const DataRun& run : runs) {
    UPDATE_TRY(copying.copy(*source, run));
  }
  return contents.close(tree, entry);
}

}  // namespace

Status copy_data(std::vector<DataRun> runs, const Tree& tree, Contents& contents, os::File& target,
                 LastBlocks last_blocks, os::StopRequest& stop) {
  if (os::File* const source = contents.whole()) {
    return copy_joined(std::move(runs), tree, *source, contents, target, last_blocks, stop);
  }
  Copying copying(target, contents, stop);
  for (std::size_t begin = 0; begin < runs.size();) {
    std::size_t end = begin;
    while (end < runs.size() && runs[end].entry == runs[begin].entry) ++end;
    Status copied =
        copy_entry(std::span(runs).subspan(begin, end - begin), tree, contents, copying);
    if (!copied) {
      return fail(std::move(copied).error().with("copying " + quote(tree.path(runs[begin].entry))));
    }
    begin = end;
  }
  return {};
}

}  // namespace update::image
