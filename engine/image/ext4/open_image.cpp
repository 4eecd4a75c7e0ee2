#include "engine/image/ext4/open_image.hpp"

#include "engine/image/ext4/channel.hpp"
#include "engine/image/ext4/superblock.hpp"

#include <et/com_err.h>

#include <cerrno>
#include <string>

namespace update::image {
namespace {

// The library's own numbers begin here; smaller ones are errno (ext2_err.et).
constexpr errcode_t kFirstOwnError = EXT2_ET_BASE;

ErrorCode class_of(errcode_t code) {
  switch (code) {
    case EXT2_ET_BLOCK_ALLOC_FAIL:
    case EXT2_ET_INODE_ALLOC_FAIL:
    case EXT2_ET_NO_MEMORY: return ErrorCode::no_space;
    case EXT2_ET_UNSUPP_FEATURE:
    case EXT2_ET_RO_UNSUPP_FEATURE:
    case EXT2_ET_REV_TOO_HIGH:
    case EXT2_ET_UNIMPLEMENTED:
    case EXT2_ET_OP_NOT_SUPPORTED:
    case EXT2_ET_INVALID_ARGUMENT:
    case EXT2_ET_TOOSMALL:
    case EXT2_ET_TOO_MANY_INODES:
    case EXT2_ET_EA_NO_SPACE:
    case EXT2_ET_MMP_FAILED:
    case EXT2_ET_MMP_FSCK_ON: return ErrorCode::failed;
    // All the others say that something in the image is not as it has to be.
    default: return ErrorCode::not_trusted;
  }
}

// An array of bits takes as much as the image has blocks; a tree of runs takes as much as these are
// scattered, and little for what is not used. Arrays are for images where they are small.
std::uint16_t bitmap_type(ext2_filsys fs) {
  constexpr std::uint64_t kMostArrayBytes = 4U << 20;
  const std::uint64_t bytes = ext2fs_blocks_count(fs->super) / 8;
  return bytes > kMostArrayBytes ? EXT2FS_BMAP64_RBTREE : EXT2FS_BMAP64_BITARRAY;
}

}  // namespace

Error ext2_error(errcode_t code, std::string_view what) {
  if (code < kFirstOwnError) return Error::from_errno(static_cast<int>(code), what);
  initialize_ext2_error_table();
  return {class_of(code), std::string(what) + ": " + error_message(code)};
}

Status ext2_status(errcode_t code, std::string_view what) {
  if (code == 0) return {};
  return fail(ext2_error(code, what));
}

Result<Filsys> open_image(os::File& file, bool writes) {
  UPDATE_TRY(read_superblock(file).map([](const Superblock&) {}));
  ChannelOpening opening(&file, writes ? Channel::Use::changing : Channel::Use::reading);
  const int flags = EXT2_FLAG_64BITS | (writes ? EXT2_FLAG_RW : EXT2_FLAG_SKIP_MMP);
  ext2_filsys fs = nullptr;
  UPDATE_TRY(
      ext2_status(ext2fs_open2("image", nullptr, flags, 0, 0, ChannelOpening::manager(), &fs),
                  "opening the image"));
  Filsys opened(fs);
  fs->default_bitmap_type = bitmap_type(fs);
  if (writes) UPDATE_TRY(ext2_status(ext2fs_read_bitmaps(fs), "reading the image's bitmaps"));
  return opened;
}

Status flush_image(ext2_filsys fs) {
  UPDATE_TRY(ext2_status(ext2fs_write_bitmaps(fs), "writing the image's bitmaps"));
  UPDATE_TRY(ext2_status(ext2fs_flush2(fs, EXT2_FLAG_FLUSH_NO_SYNC), "writing the image"));
  return channel_of(fs).write_out();
}

}  // namespace update::image
