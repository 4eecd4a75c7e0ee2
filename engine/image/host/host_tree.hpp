#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/image/contents.hpp"
#include "engine/image/tree.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/os/host.hpp"

// Trees on the host: read from a folder, and written below one.
namespace update::image {

/// A tree and the folder that holds its bytes.
struct HostTree {
  Tree tree;
  std::unique_ptr<Contents> contents;  ///< opens each file anew and checks that it is the same
};

/// All below the folder, `lost+found` at its top left out, nothing followed, no other file system
/// entered... except by being the top itself. Names in byte order. Devices, sockets, pipes and
/// mount points are counted. failed: something was exchanged while it was read, or does not say how
/// long it is (/proc).
Result<HostTree> read_folder(os::FileSystem& files, const std::string& path,
                             const TreeLimits& limits = {});
/// The entries that a list names (read_entry_list), each relative to `folder`, with the folders on
/// the way; a folder means everything below it. usage: `..`, an absolute path, a missing entry.
/// failed: one that lies below a mount point.
Result<HostTree> read_listed(os::FileSystem& files, const std::string& folder,
                             const std::vector<std::string>& list, const TreeLimits& limits = {});
/// One regular file as a tree of one entry named `name`, for `put`.
Result<HostTree> read_one_file(os::FileSystem& files, const std::string& path,
                               const std::string& name);

struct ExtractOptions {
  bool keep_owner = false;   ///< else everything belongs to the caller
  bool keep_set_id = false;  ///< else set-id bits are dropped and counted
};

/// Writes the tree below `folder`, which is made or must be empty; nothing is ever written outside
/// it, no link is followed, no device made. `tree.skipped` gets what the host refused (owner,
/// attributes). Synced on return. On an error what was made is left, and the error says so.
Status extract_tree(os::FileSystem& files, Tree& tree, Contents& contents,
                    const std::string& folder, const ExtractOptions& options,
                    os::StopRequest& stop);

}  // namespace update::image
