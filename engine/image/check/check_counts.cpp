#include "engine/image/check/check_state.hpp"
#include "engine/image/ext4/open_image.hpp"

#include <algorithm>
#include <bit>

namespace update::image {
namespace {

constexpr std::uint32_t kMostFolderLinks = 65'000;  // beyond, a folder's count is 1

class CountCheck {
 public:
  explicit CountCheck(CheckState& state) : state_(state), fs_(state.fs) {}

  void run() {
    check_links();
    const errcode_t code = ext2fs_read_bitmaps(fs_);
    if (code != 0) {
      return state_.findings.add(ext2_error(code, "reading the image's bitmaps").message());
    }
    if ((fs_->flags & (EXT2_FLAG_BBITMAP_TAIL_PROBLEM | EXT2_FLAG_IBITMAP_TAIL_PROBLEM)) != 0 ||
        last_group_has_free_padding()) {
      state_.findings.add("a bitmap of the image marks what is behind its end as free");
    }
    // The superblock's own sums are not looked at: kernels leave them behind, e2fsck makes them
    // anew.
    for (dgrp_t group = 0; group < fs_->group_desc_count && !state_.findings.full(); ++group) {
      check_blocks_of(group);
      check_inodes_of(group);
    }
  }

 private:
  static std::string difference(const std::string& who, std::uint64_t found, std::uint64_t counted,
                                std::string_view what) {
    return who + " " + std::to_string(found) + " free " + std::string(what) + " and counts " +
           std::to_string(counted);
  }
  static std::string group_has(dgrp_t group) {
    return "group " + std::to_string(group) + " of the image has";
  }

  void check_links();
  void check_links_of(ext2_ino_t number);
  bool last_group_has_free_padding();
  void check_blocks_of(dgrp_t group);
  void check_inodes_of(dgrp_t group);
  bool are_marked_free(ext2_ino_t first, ext2_ino_t count) const {
    return ext2fs_test_inode_bitmap_range(fs_->inode_map, first, static_cast<int>(count)) != 0;
  }

  CheckState& state_;
  ext2_filsys fs_;
};

void CountCheck::check_links() {
  state_.inodes.for_each([&](ext2_ino_t number) { check_links_of(number); },
                         [&] { return !state_.findings.full(); });
}

void CountCheck::check_links_of(ext2_ino_t number) {
  const InodeFacts facts = state_.inodes.get(number);
  if (facts.use == InodeUse::free || state_.is_hidden(number)) return;
  if (facts.found_links == 0) {
    return state_.found(number, facts.use == InodeUse::attribute
                                    ? "is in use for an attribute, but no file has that"
                                    : "is in use, but in no folder");
  }
  if (facts.use == InodeUse::attribute) return;
  const bool uncounted = facts.use == InodeUse::folder && facts.found_links > kMostFolderLinks;
  if (facts.links == (uncounted ? 1 : facts.found_links)) return;
  state_.found(number, "has " + std::to_string(facts.found_links) + " names and counts " +
                           std::to_string(facts.links));
}

// The library sees what is behind a whole group; the last one may have fewer blocks.
bool CountCheck::last_group_has_free_padding() {
  const dgrp_t group = fs_->group_desc_count - 1;
  const bool never_written = ext2fs_has_group_desc_csum(fs_) != 0 &&
                             ext2fs_bg_flags_test(fs_, group, EXT2_BG_BLOCK_UNINIT) != 0;
  if (never_written) return false;
  std::vector<std::uint8_t> bitmap(fs_->blocksize);
  if (io_channel_read_blk64(fs_->io, ext2fs_block_bitmap_loc(fs_, group), 1, bitmap.data()) != 0) {
    return false;
  }
  const auto blocks = static_cast<std::uint64_t>(ext2fs_group_blocks_count(fs_, group));
  std::uint64_t bit =
      (blocks + static_cast<std::uint64_t>(EXT2FS_CLUSTER_MASK(fs_))) >> fs_->cluster_ratio_bits;
  for (; bit < fs_->super->s_clusters_per_group; ++bit) {
    if ((bitmap[bit / 8] >> (bit % 8) & 1U) == 0) return true;
  }
  return false;
}

void CountCheck::check_blocks_of(dgrp_t group) {
  const std::uint64_t per_group = fs_->super->s_clusters_per_group;
  const std::uint64_t first =
      (fs_->super->s_first_data_block >> fs_->cluster_ratio_bits) + group * per_group;
  const std::uint64_t end = ((ext2fs_blocks_count(fs_->super) - 1) >> fs_->cluster_ratio_bits) + 1;
  const std::size_t count = std::min(per_group, end - first);
  std::vector<std::uint8_t> said(per_group / 8);
  std::vector<std::uint8_t> found(per_group / 8);
  ext2fs_get_block_bitmap_range2(fs_->block_map, first, count, said.data());
  ext2fs_get_block_bitmap_range2(state_.used.get(), first, count, found.data());
  // Whole bytes are given; of the last group's last one, what is behind its end is no block.
  for (std::size_t bit = count; bit % 8 != 0; ++bit) {
    const auto kept = static_cast<std::uint8_t>(~(1U << (bit % 8)));
    said[bit / 8] &= kept;
    found[bit / 8] &= kept;
  }
  std::uint64_t used = 0;
  for (const std::uint8_t byte : found) used += static_cast<unsigned>(std::popcount(byte));
  const auto [differs, in_found] = std::mismatch(said.begin(), said.end(), found.begin());
  if (differs != said.end()) {
    const auto bit =
        static_cast<std::uint64_t>(differs - said.begin()) * 8 +
        static_cast<unsigned>(std::countr_zero(static_cast<unsigned>(*differs ^ *in_found)));
    const bool taken = (*in_found >> (bit % 8) & 1) != 0;
    state_.findings.add(group_has(group) + " block " +
                        std::to_string((first + bit) << fs_->cluster_ratio_bits) +
                        (taken ? " in use and marks it as free" : " free and marks it as in use"));
  }
  const std::uint64_t counted = ext2fs_bg_free_blocks_count(fs_, group);
  if (counted != count - used) {
    state_.findings.add(difference(group_has(group), count - used, counted, "blocks"));
  }
}

void CountCheck::check_inodes_of(dgrp_t group) {
  const ext2_ino_t per_group = fs_->super->s_inodes_per_group;
  const ext2_ino_t first = group * per_group + 1;
  // Most groups of a large image have nothing to look at.
  const bool in_use =
      group == 0 || state_.inodes.has_any(first, per_group) || !are_marked_free(first, per_group);
  std::uint64_t free = in_use ? 0 : per_group;
  std::uint64_t folders = 0;
  ext2_ino_t differs = 0;
  for (ext2_ino_t number = first; in_use && number - first < per_group; ++number) {
    const InodeFacts facts = state_.inodes.get(number);
    const bool used = facts.use != InodeUse::free || number < EXT2_FIRST_INO(fs_->super);
    if (!used) ++free;
    if (facts.use == InodeUse::folder) ++folders;
    const bool said = ext2fs_test_inode_bitmap2(fs_->inode_map, number) != 0;
    if (said != used && differs == 0) differs = number;
  }
  if (differs != 0) state_.found(differs, "is marked as free and in use, or the other way round");
  if (ext2fs_bg_free_inodes_count(fs_, group) != free) {
    state_.findings.add(
        difference(group_has(group), free, ext2fs_bg_free_inodes_count(fs_, group), "inodes"));
  }
  if (ext2fs_bg_used_dirs_count(fs_, group) != folders) {
    state_.findings.add(group_has(group) + " " + std::to_string(folders) + " folders and counts " +
                        std::to_string(ext2fs_bg_used_dirs_count(fs_, group)));
  }
}

}  // namespace

void check_counts(CheckState& state) {
  CountCheck(state).run();
}

}  // namespace update::image
