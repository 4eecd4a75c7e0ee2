#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/image/host/host_contents.hpp"
#include "engine/image/tree.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// Which names of a folder are wanted.
struct Selection {
  bool whole = false;  ///< all, and everything below
  std::map<std::string, Selection, std::less<>> children{};
};

/// Makes a tree of what lies in folders of the host.
class HostReader {
 public:
  explicit HostReader(const TreeLimits& limits) : limits_(limits) {}

  Status read_folder(os::Folder& top, const Selection& selection);
  /// Below entry 0, which stands for a folder that is somewhere else.
  Status read_one_file(os::File& file, const std::string& name);
  Tree take() { return std::move(tree_); }
  /// Of each entry of the tree.
  std::vector<SeenFile> take_seen() { return std::move(seen_); }

 private:
  /// A folder that is being read.
  struct Level {
    std::unique_ptr<os::Folder> owned;  ///< none: the top
    os::Folder* folder = nullptr;
    const Selection* selection = nullptr;  ///< none: whole
    EntryIndex entry = 0;
    std::vector<std::string> names{};
    std::size_t next = 0;
  };

  Status enter(Level level);
  Status read_name(Level& level, const std::string& name);
  Status read_subfolder(Level& level, const std::string& name, const os::FileInfo& seen,
                        const Selection* selection);
  Status read_regular(Level& level, const std::string& name, const os::FileInfo& seen);
  Status read_symbolic_link(Level& level, const std::string& name, const os::FileInfo& seen);
  /// Is it one more name of a file that was read? Then that is its entry.
  Result<bool> add_hard_link(Level& level, const std::string& name, const os::FileInfo& info);
  Result<EntryIndex> add_entry(EntryIndex parent, std::string_view name, EntryType type,
                               const os::FileInfo& info);
  Status add_attributes(EntryIndex entry, const os::Attributes& attributes);
  Status add_extents(EntryIndex entry, os::File& file);
  Status add_extent(EntryIndex entry, std::uint64_t begin, std::uint64_t end);
  Result<Text> keep(std::string_view bytes);

  const TreeLimits limits_;
  Tree tree_;
  std::vector<SeenFile> seen_;
  std::uint64_t device_ = 0;
  std::deque<Level> levels_;
  /// By device and inode: those with several names. A file system of several layers can show files
  /// of several devices.
  std::map<std::pair<std::uint64_t, std::uint64_t>, EntryIndex> linked_;
};

}  // namespace update::image
