#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "engine/os/filesystem.hpp"

// What open files, open folders and the names in a folder have in common.
namespace update::os {

FileInfo file_info_of(const struct stat& status);

/// What an open descriptor stands for, or a name in the folder that it stands for; no link is
/// followed. Made for one call: it points to its caller's texts.
struct InodePlace {
  int fd = -1;
  const char* name = "";  ///< empty: the descriptor's own
  std::string_view path;  ///< for messages
};

Status set_inode_owner(const InodePlace& place, std::uint32_t uid, std::uint32_t gid);
Status set_inode_times(const InodePlace& place, const FileTime& modified, const FileTime& accessed);
Result<Attributes> inode_attributes(const InodePlace& place);
Status set_inode_attribute(const InodePlace& place, const std::string& name,
                           const std::string& value);

/// A NUL would cut the name short, and another attribute would be meant.
Status check_attribute_name(std::string_view name, std::string_view path);

}  // namespace update::os
