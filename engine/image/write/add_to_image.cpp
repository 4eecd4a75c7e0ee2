#include "engine/base/text.hpp"
#include "engine/image/ext4/channel.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/ext4/superblock.hpp"
#include "engine/image/write/copy_data.hpp"
#include "engine/image/write/layout.hpp"
#include "engine/image/write/mkfs.hpp"
#include "engine/image/write/place_tree.hpp"
#include "engine/image/write/write_image.hpp"
#include "engine/image/write/write_tree.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace update::image {
namespace {

// The names of folders, the tree's and the pages of the channel; both bitmaps and what libext2fs
// makes of them. With a ceiling, since a small file can claim many blocks.
std::uint64_t memory_for(const Superblock& superblock) {
  constexpr std::uint64_t kWriterMemory = 384U << 20;
  constexpr std::uint64_t kMemoryCeiling = std::uint64_t{1} << 30;
  const std::uint64_t bitmaps = superblock.blocks / 8 + superblock.inodes / 8;
  return std::min(kWriterMemory + 2 * bitmaps, kMemoryCeiling);
}

Status check_has_extents(ext2_filsys fs) {
  if (ext2fs_has_feature_extents(fs->super) != 0) return {};
  return fail(ErrorCode::failed, "the image has no extents, and is not written to");
}

// What a tree needs is known for our own size of blocks; elsewhere the image is full when it is.
Status check_still_fits(ext2_filsys fs, const Tree& tree) {
  if (fs->blocksize != kBlock) return {};
  const std::uint64_t bytes = ext2fs_blocks_count(fs->super) * kBlock;
  return check_room(needed_for(tree), {.bytes = bytes, .grow_to_bytes = 0, .label = {}}, fs);
}

std::string encode_runs(const std::vector<DataRun>& runs) {
  static_assert(std::is_trivially_copyable_v<DataRun>);
  const auto bytes = std::as_bytes(std::span(runs));
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// What lies deeper could not be read again.
Status check_depth(const Tree& tree, std::string_view path) {
  const std::size_t most = TreeLimits().depth;
  std::vector<std::size_t> depths(tree.entries.size());
  for (std::size_t at = 0; at < path.size(); ++at) {
    if (path[at] != '/' && (at == 0 || path[at - 1] == '/')) ++depths[0];
  }
  for (EntryIndex index = 1; index < tree.entries.size(); ++index) {
    depths[index] = depths[tree.entries[index].parent] + 1;
    if (depths[index] > most) {
      return fail(ErrorCode::failed, quote(tree.image_path(index)) + " would lie in more than " +
                                         std::to_string(most) + " folders of the image");
    }
  }
  return {};
}

/// What the confined child does: all but the bytes of the files.
Result<std::string> change_metadata(os::File& target, std::string_view path, const Tree& tree,
                                    OwnerRule owners, std::int64_t now_s) {
  UPDATE_TRY_ASSIGN(const Filsys fs, open_image(target, true));
  UPDATE_TRY(check_has_extents(fs.get()));
  fs->now = library_time(now_s);
  UPDATE_TRY_ASSIGN(const ext2_ino_t top, find_folder(fs.get(), path));
  UPDATE_TRY_ASSIGN(const Placement placement, place_tree(fs.get(), tree, top));
  UPDATE_TRY(drop_replaced(fs.get(), placement));
  UPDATE_TRY(check_still_fits(fs.get(), tree));
  TreeWriter writer(fs.get(), tree, owners, false);
  UPDATE_TRY_ASSIGN(const std::vector<DataRun> runs, writer.write(placement.folders));
  UPDATE_TRY(flush_image(fs.get()));
  return encode_runs(runs);
}

Error bad_answer() {
  return {ErrorCode::not_trusted, "the image is made to do harm: it led to an answer that is none"};
}

/// Do the runs together bring each byte of the tree's data, in its order, to a place in the file
/// that is nobody else's?
Status check_runs(const std::vector<DataRun>& runs, const Tree& tree, std::uint64_t file_bytes) {
  auto run = runs.begin();
  std::uint64_t done = 0;
  for (EntryIndex index = 0; index < tree.entries.size(); ++index) {
    const Entry& entry = tree.entries[index];
    if (entry.link_to != kNoEntry) continue;
    for (std::uint32_t at = 0; at < entry.extents; ++at) {
      const Extent& extent = tree.extents[entry.first_extent + at];
      for (done = 0; done < extent.length; done += run++->length) {
        if (run == runs.end() || run->entry != index || run->source != extent.source + done ||
            run->length == 0 || run->length > extent.length - done) {
          return fail(bad_answer());
        }
      }
    }
  }
  if (run != runs.end()) return fail(bad_answer());
  std::vector<std::pair<std::uint64_t, std::uint64_t>> places;
  places.reserve(runs.size());
  for (const DataRun& one : runs) places.emplace_back(one.target, one.length);
  std::sort(places.begin(), places.end());
  std::uint64_t free_from = 0;
  for (const auto& [begin, length] : places) {
    if (begin < free_from || begin > file_bytes || length > file_bytes - begin) {
      return fail(bad_answer());
    }
    free_from = begin + length;
  }
  return {};
}

Result<std::vector<DataRun>> decode_runs(std::string_view answer, const Tree& tree,
                                         std::uint64_t file_bytes) {
  if (answer.size() % sizeof(DataRun) != 0) return fail(bad_answer());
  std::vector<DataRun> runs(answer.size() / sizeof(DataRun));
  if (!runs.empty()) std::memcpy(runs.data(), answer.data(), answer.size());
  UPDATE_TRY(check_runs(runs, tree, file_bytes));
  return runs;
}

}  // namespace

Status add_to_image(os::Confinement& confinement, os::File& target, std::string_view path,
                    const Tree& tree, Contents& contents, OwnerRule owners, os::StopRequest& stop,
                    std::int64_t now_s) {
  UPDATE_TRY_ASSIGN(const Superblock superblock, read_superblock(target));
  UPDATE_TRY(check_settled(superblock, true));
  UPDATE_TRY(check_depth(tree, path));
  os::ConfinementLimits limits;
  limits.memory_bytes = memory_for(superblock);
  limits.files = {&target};
  limits.writes = true;
  UPDATE_TRY_ASSIGN(const std::string answer, confinement.run(limits, [&] {
    return change_metadata(target, path, tree, owners, now_s);
  }));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, target.info());
  UPDATE_TRY_ASSIGN(std::vector<DataRun> runs, decode_runs(answer, tree, info.identity.size));
  return copy_data(std::move(runs), tree, contents, target, LastBlocks::data_alone, stop);
}

}  // namespace update::image
