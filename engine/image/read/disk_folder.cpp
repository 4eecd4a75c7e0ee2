#include "engine/image/read/disk_folder.hpp"

#include <cstring>
#include <string>

#include "engine/image/ext4/open_image.hpp"

namespace update::image {
namespace {

constexpr std::size_t kEntryHead = 8;
constexpr std::size_t kLeastEntry = 12;
constexpr std::size_t kInlineParent = 4;  // instead of "." and ".."

class FolderReader {
 public:
  FolderReader(ext2_filsys fs, const DiskInode& inode, const FolderVisitor& visitor,
               FolderDots& dots)
      : fs_(fs), inode_(inode), visitor_(visitor), dots_(dots) {}

  Status read_blocks(BlockMapper& mapper) {
    const std::uint64_t size = inode_.size();
    if (size == 0 || size % fs_->blocksize != 0) return fail(damaged("has an illegal size"));
    BlockMap map;
    UPDATE_TRY(mapper.map(inode_, map));
    std::uint64_t logical = 0;
    std::string block(fs_->blocksize, '\0');
    for (const BlockRun& run : map.runs) {
      if (run.logical != logical || !run.written) return fail(damaged("has holes"));
      for (std::uint64_t done = 0; done < run.length; ++done, ++logical) {
        if (logical >= size / fs_->blocksize) return fail(damaged("is longer than its size"));
        UPDATE_TRY(ext2_status(
            ext2fs_read_dir_block4(fs_, run.physical + done, block.data(), 0, inode_.number()),
            "reading the folder that is inode " + std::to_string(inode_.number())));
        UPDATE_TRY(read_block(block, logical == 0));
      }
    }
    if (logical != size / fs_->blocksize) return fail(damaged("is shorter than its size"));
    return {};
  }

  Status read_inline(DiskAttributes& attributes) {
    UPDATE_TRY(attributes.read(inode_));
    const auto area = inode_.block_area();
    const std::string_view head(reinterpret_cast<const char*>(area.data()), area.size());
    std::memcpy(&dots_.above, head.data(), sizeof(dots_.above));
    // Entries never pass from the one part to the other.
    UPDATE_TRY(read_block(head.substr(kInlineParent), false));
    const auto rest = attributes.inline_data();
    return rest ? read_block(*rest, false) : Status{};
  }

 private:
  Error damaged(std::string_view problem) const {
    return damaged_inode(inode_.number(), "is a folder that " + std::string(problem));
  }

  Status read_block(std::string_view block, bool first) {
    for (unsigned position = 0; !block.empty(); ++position) {
      if (block.size() < kEntryHead) return fail(damaged("has an incomplete entry"));
      ext2_dir_entry_2 entry;
      std::memcpy(&entry, block.data(), kEntryHead);
      const std::size_t length = entry_length(entry.rec_len);
      if (length < kLeastEntry || length % 4 != 0 || length > block.size() ||
          kEntryHead + entry.name_len > length) {
        return fail(damaged("has an entry of an illegal length"));
      }
      const std::string_view name = block.substr(kEntryHead, entry.name_len);
      if (first && position < 2) {
        UPDATE_TRY(read_dots(position, name, entry));
        // The shortest entry has room for four bytes of a name.
        dots_.are_ended = dots_.are_ended && block[kEntryHead + name.size()] == '\0';
      } else if (entry.inode != 0) {
        UPDATE_TRY(read_entry(name, entry));
      }
      block.remove_prefix(length);
      if (first && position == 0 && block.empty()) return fail(damaged("has no '..'"));
    }
    return {};
  }

  // Of blocks of 64 KiB the whole does not fit into 16 bits: its lowest two bits are the highest.
  std::size_t entry_length(std::uint16_t raw) const {
    if (fs_->blocksize < (64U << 10)) return raw;
    if (raw == 0 || raw == UINT16_MAX) return fs_->blocksize;
    return (raw & 0xFFFCU) | ((raw & 3U) << 16);
  }

  Status read_dots(unsigned position, std::string_view name, const ext2_dir_entry_2& entry) {
    if (position == 0 && (name != "." || entry.inode != inode_.number())) {
      return fail(damaged("does not begin with itself"));
    }
    if (position == 1) {
      if (name != ".." || entry.inode == 0) return fail(damaged("has no '..'"));
      dots_.above = entry.inode;
    }
    const bool is_folder = entry.file_type == EXT2_FT_DIR || entry.file_type == EXT2_FT_UNKNOWN;
    dots_.are_folders = dots_.are_folders && is_folder;
    dots_.have_type = dots_.have_type || entry.file_type != EXT2_FT_UNKNOWN;
    return {};
  }

  Status read_entry(std::string_view name, const ext2_dir_entry_2& entry) {
    const bool is_text =
        name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
    // What the cipher makes of a name is of any bytes.
    const bool legal = is_text || inode_.has_flag(EXT4_ENCRYPT_FL);
    if (name.empty() || name == "." || name == ".." || !legal) {
      return fail(damaged("has an entry with an illegal name"));
    }
    if (entry.inode > fs_->super->s_inodes_count) {
      return fail(damaged("names an inode that is not there"));
    }
    return visitor_({name, entry.inode, entry.file_type});
  }

  ext2_filsys fs_;
  const DiskInode& inode_;
  const FolderVisitor& visitor_;
  FolderDots& dots_;
};

}  // namespace

Status read_disk_folder(ext2_filsys fs, const DiskInode& inode, BlockMapper& mapper,
                        DiskAttributes& attributes, const FolderVisitor& visitor,
                        FolderDots* dots) {
  FolderDots unwanted;
  FolderReader reader(fs, inode, visitor, dots == nullptr ? unwanted : *dots);
  return inode.has_flag(EXT4_INLINE_DATA_FL) ? reader.read_inline(attributes)
                                             : reader.read_blocks(mapper);
}

}  // namespace update::image
