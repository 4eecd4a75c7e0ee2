#pragma once

#include <unordered_map>

#include "engine/image/check/check_state.hpp"

namespace update::image {

/// The extended attributes of one inode after the other, the blocks of which many may share.
class AttributeCheck {
 public:
  explicit AttributeCheck(CheckState& state) : state_(state), fs_(state.fs) {}

  /// Leaves them in `state.attributes`; how many clusters count as the inode's for them.
  std::uint64_t check(const DiskInode& inode);
  /// After all inodes: has each block as many users as it says?
  void check_users();

 private:
  struct Users {
    std::uint32_t counted = 0;  ///< as the block says
    std::uint32_t found = 0;
  };

  void check_all(const DiskInode& inode);
  void check_hashes(const DiskInode& inode);
  void check_places(const DiskInode& inode);
  bool has_encryption_context() const;
  void take_block(const DiskInode& inode);

  CheckState& state_;
  ext2_filsys fs_;
  std::uint64_t clusters_ = 0;  ///< of the inode that is looked at
  std::unordered_map<std::uint64_t, Users> blocks_;
};

}  // namespace update::image
