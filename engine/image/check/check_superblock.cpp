#include "engine/image/check/check_state.hpp"

#include <algorithm>

namespace update::image {
namespace {

bool names_a_journal(const ext2_super_block& super) {
  return super.s_journal_inum != 0 || super.s_journal_dev != 0 ||
         std::any_of(std::begin(super.s_journal_uuid), std::end(super.s_journal_uuid),
                     [](std::uint8_t byte) { return byte != 0; });
}

}  // namespace

void check_superblock(CheckState& state) {
  ext2_super_block* const super = state.fs->super;
  if (ext2fs_has_feature_journal(super) == 0 && names_a_journal(*super)) {
    state.findings.add("the image has a journal, which it says it has not");
  }
  if (ext2fs_has_feature_orphan_file(super) == 0 && super->s_orphan_file_inum != 0) {
    state.findings.add("the image has a file of orphans, which it says it has not");
  }
  if (ext2fs_r_blocks_count(super) > ext2fs_blocks_count(super) / 2) {
    state.findings.add("the image reserves more than half of its blocks");
  }
}

}  // namespace update::image
