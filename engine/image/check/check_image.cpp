#include "engine/base/text.hpp"
#include "engine/image/check/check_state.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/ext4/superblock.hpp"
#include "engine/image/read/read_image.hpp"

#include <algorithm>

namespace update::image {
namespace {

constexpr std::uint64_t kCheckMemory = 512U << 20;
constexpr std::uint64_t kMostMemory = std::uint64_t{2} << 30;
constexpr std::int64_t kCheckSeconds = 120;

Error too_large() {
  return {ErrorCode::no_space, "the image is too large to be checked: that would take more than " +
                                   format_size(kMostMemory) + " of memory"};
}

// Two bitmaps of blocks and one of inodes, though that is what only scattered ones take
// (open_image), and what the other passes keep. More than enough: it is to stop an image that is
// made to do harm.
std::uint64_t memory_without_facts(const Superblock& superblock) {
  return kCheckMemory + superblock.blocks / 4 + superblock.inodes / 8;
}

// No inode of these has to be looked at.
bool has_unused_inodes(ext2_filsys fs, dgrp_t group) {
  return group != 0 && ext2fs_has_group_desc_csum(fs) != 0 &&
         ext2fs_bg_flags_test(fs, group, EXT2_BG_INODE_UNINIT) != 0;
}

Result<std::string> check_opened(ext2_filsys fs, std::uint64_t facts_bytes, std::size_t most) {
  if (FactsTable::most_bytes(fs) > facts_bytes) return fail(too_large());
  CheckState state(fs, most);
  if (state.used == nullptr) return fail(too_large());
  check_superblock(state);
  if (check_groups(state)) {
    check_inodes(state);
    check_journal(state);
    check_hidden(state);
    check_quotas(state);
    check_folders(state);
    check_counts(state);
  }
  std::string joined;
  for (const std::string& line : state.findings.lines()) joined.append(line).append("\n");
  return joined;
}

Status check_known(const Superblock& superblock) {
  if (superblock.unknown_features.empty()) return {};
  return fail(ErrorCode::failed,
              "the image has features that are not known: " + superblock.unknown_features);
}

std::vector<std::string> split_lines(std::string_view text, std::size_t most) {
  std::vector<std::string> lines;
  while (!text.empty() && lines.size() < most) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines.emplace_back(line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return lines;
}

}  // namespace

FactsTable::FactsTable(ext2_filsys fs)
    : count_(fs->super->s_inodes_count), parts_((count_ + kPart - 1) / kPart) {}

std::uint64_t FactsTable::most_bytes(ext2_filsys fs) {
  std::uint64_t count = 0;
  for (dgrp_t group = 0; group < fs->group_desc_count; ++group) {
    if (!has_unused_inodes(fs, group)) count += fs->super->s_inodes_per_group;
  }
  return count * sizeof(InodeFacts);
}

InodeFacts& FactsTable::at(ext2_ino_t number) {
  std::unique_ptr<Part>& part = parts_[(number - 1) / kPart];
  if (part == nullptr) part = std::make_unique<Part>();
  return (*part)[(number - 1) % kPart];
}

bool FactsTable::has_any(ext2_ino_t first, ext2_ino_t count) const {
  const auto begin = parts_.begin() + static_cast<std::ptrdiff_t>((first - 1) / kPart);
  const auto end =
      parts_.begin() + static_cast<std::ptrdiff_t>((first - 1 + count - 1) / kPart + 1);
  return std::any_of(begin, end, [](const auto& part) { return part != nullptr; });
}

CheckState::CheckState(ext2_filsys opened, std::size_t most)
    : fs(opened),
      findings(most),
      mapper(opened, ext2fs_blocks_count(opened->super)),
      attributes(opened, mapper),
      inodes(opened) {
  ext2fs_block_bitmap bitmap = nullptr;
  if (ext2fs_allocate_block_bitmap(fs, "blocks found", &bitmap) == 0) used.reset(bitmap);
}

void CheckState::take_blocks(ext2_ino_t inode, std::uint64_t first, std::uint64_t length) {
  const auto count = static_cast<unsigned int>(length);
  // Tables may share a cluster, files may not, unless the image says that they do.
  const bool alone =
      inode != 0 ? ext2fs_has_feature_shared_blocks(fs->super) == 0 : fs->cluster_ratio_bits == 0;
  if (alone && ext2fs_test_block_bitmap_range2(used.get(), first, count) == 0) {
    const std::string where = "blocks from " + std::to_string(first) + " on that are used already";
    if (inode != 0) {
      found(inode, "has " + where);
    } else {
      findings.add("the tables of the image have " + where);
    }
  }
  ext2fs_mark_block_bitmap_range2(used.get(), first, count);
}

bool CheckState::is_hidden(ext2_ino_t inode) const {
  const ext2_super_block& super = *fs->super;
  return (inode < EXT2_FIRST_INO(fs->super) && inode != EXT2_ROOT_INO) ||
         (inode == super.s_orphan_file_inum && ext2fs_has_feature_orphan_file(fs->super) != 0) ||
         is_quota_file(super, inode) ||
         (inode == super.s_journal_inum && ext2fs_has_feature_journal(fs->super) != 0);
}

Result<std::vector<std::string>> check_image(os::Confinement& confinement, os::File& image,
                                             std::size_t most) {
  const auto superblock = read_superblock(image);
  if (!superblock) {
    // That the file cannot be read, or has something that is not known, says nothing about the
    // rest.
    if (superblock.error().code() != ErrorCode::not_trusted) return fail(superblock.error());
    return std::vector<std::string>{superblock.error().message()};
  }
  // Until the journal was carried out, all else would be told of a state that is not the last one.
  UPDATE_TRY(check_settled(*superblock, false));
  // Such an image can be read, but not be judged.
  UPDATE_TRY(check_known(*superblock));
  const std::uint64_t fixed = memory_without_facts(*superblock);
  if (fixed > kMostMemory) return fail(too_large());
  const std::uint64_t facts_bytes =
      std::min(superblock->inodes * sizeof(InodeFacts), kMostMemory - fixed);
  os::ConfinementLimits confined;
  confined.files = {&image};
  confined.cpu_seconds = kCheckSeconds;
  confined.memory_bytes = fixed + facts_bytes;
  const auto work = [&]() -> Result<std::string> {
    const auto fs = open_image(image, false);
    if (!fs && fs.error().code() != ErrorCode::not_trusted) return fail(fs.error());
    if (!fs) return fs.error().message() + "\n";
    return check_opened(fs->get(), facts_bytes, most);
  };
  UPDATE_TRY_ASSIGN(const std::string answer, confinement.run(confined, work));
  std::vector<std::string> lines = split_lines(answer, most);
  const auto state = [&](bool is_so, const char* line) {
    if (is_so && lines.size() < most) lines.insert(lines.begin(), line);
  };
  state(superblock->has_orphans, "the image has deleted files that were still open");
  state(superblock->has_errors, "the image was marked as damaged by the kernel");
  return lines;
}

}  // namespace update::image
