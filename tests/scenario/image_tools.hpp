#pragma once

#include <map>
#include <random>
#include <string>

#include "tests/scenario/host.hpp"

// The judges of an image: e2fsprogs, the kernel, and a description of a tree on the host.
namespace update::scenario {

/// A program of e2fsprogs or of the system, wherever it lies; the output is expected of success.
Ended tool(const Arguments& words);
/// e2fsck -fn; a test failure with its words where the image is not clean.
void expect_clean(const std::string& image);
/// One request to debugfs, for reading or (`write`) changing.
std::string debugfs(const std::string& image, const std::string& request, bool write = false);
/// An image of `size` with all that is in `folder`, made by mke2fs.
void mke2fs(const std::string& image, const std::string& size, const std::string& folder = {});

/// Every path below `folder` with type, mode, owner, modification time, target, attributes, bytes,
/// and the first path of the same file. lost+found at the top is left out.
struct Describe {
  bool owner = true;
  bool link_times = true;
};
std::map<std::string, std::string> describe(const std::string& folder, Describe what = {});

/// A tree of `entries` entries below `folder`, which is made: names of any bytes, all kinds of
/// entries, modes, times, holes, links, attributes. Owners, capabilities too where we are root.
void make_random_tree(const std::string& folder, std::size_t entries, std::mt19937& random);

/// The kernel's own view of an image.
class LoopMount {
 public:
  LoopMount(const std::string& image, const std::string& folder, const std::string& options = "ro");
  ~LoopMount();
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;
  bool mounted() const { return mounted_; }

 private:
  std::string folder_;
  bool mounted_ = false;
};

/// The blocks of a file that are not all zeros, each with its place: equal for equal bytes, however
/// the holes lie, and small for a sparse image.
std::string data_of(const std::string& path);
std::uint64_t file_size(const std::string& path);
/// What the file takes on the disk.
std::uint64_t allocated(const std::string& path);
/// Names in the folder that only a command in the middle of its work may have made.
std::vector<std::string> temporaries(const std::string& folder);

}  // namespace update::scenario
