#include "engine/image/read/read_image.hpp"

#include "engine/base/hex.hpp"
#include "engine/image/ext4/open_image.hpp"
#include "engine/image/ext4/superblock.hpp"
#include "engine/image/read/read_tree.hpp"

namespace update::image {
namespace {

// The largest table of descriptors, 16 MiB of blocks in memory, and a tree while it grows.
constexpr std::uint64_t kReaderMemory = 192U << 20;

// The child has read what it was given to read: its answer may be anything.
Status check_places(const Tree& tree, const Superblock& superblock) {
  const std::uint64_t end = superblock.blocks * superblock.block_size;
  for (const Extent& extent : tree.extents) {
    if (extent.source > end || extent.length > end - extent.source) {
      return fail(ErrorCode::not_trusted, "a file of the image lies outside of it");
    }
    if (extent.source % superblock.block_size != 0 || extent.offset % superblock.block_size != 0) {
      return fail(ErrorCode::not_trusted, "a file of the image does not begin with a block");
    }
  }
  return {};
}

std::string uuid_text(const std::array<std::uint8_t, 16>& uuid) {
  std::string text = to_hex(std::as_bytes(std::span(uuid)));
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace

Result<Tree> read_image(os::Confinement& confinement, os::File& image, std::string_view path,
                        Depth depth, const TreeLimits& limits) {
  UPDATE_TRY_ASSIGN(const Superblock superblock, read_superblock(image));
  UPDATE_TRY(check_settled(superblock, false));
  const auto work = [&]() -> Result<std::string> {
    UPDATE_TRY_ASSIGN(const Filsys fs, open_image(image, false));
    UPDATE_TRY_ASSIGN(const Tree tree, read_tree(fs.get(), path, depth, limits));
    return encode_tree(tree);
  };
  os::ConfinementLimits confined;
  confined.files = {&image};
  confined.memory_bytes = kReaderMemory;
  // The answer is gone before the tree is looked at: together they are the most that is in memory.
  const auto decoded = [&]() -> Result<Tree> {
    UPDATE_TRY_ASSIGN(const std::string answer, confinement.run(confined, work));
    return decode_tree(answer);
  };
  UPDATE_TRY_ASSIGN(Tree tree, decoded());
  UPDATE_TRY(check_tree(tree, limits));
  UPDATE_TRY(check_places(tree, superblock));
  if (tree.entries.empty()) {
    return fail(ErrorCode::not_trusted, "the answer of the reader of images is empty");
  }
  return tree;
}

Result<ImageInfo> read_image_info(os::Confinement& /*confinement*/, os::File& image) {
  // The 1024 bytes of a superblock, looked at without libext2fs, need no child.
  UPDATE_TRY_ASSIGN(const Superblock superblock, read_superblock(image));
  ImageInfo info;
  info.block_size = superblock.block_size;
  info.bytes = superblock.blocks * superblock.block_size;
  info.free_bytes = superblock.free_blocks * superblock.block_size;
  info.inodes = superblock.inodes;
  info.free_inodes = superblock.free_inodes;
  info.uuid = uuid_text(superblock.uuid);
  info.label = superblock.label;
  if (info.free_bytes > info.bytes || info.free_inodes > info.inodes) {
    return fail(ErrorCode::not_trusted, "the image says that more of it is free than it has");
  }
  return info;
}

}  // namespace update::image
