#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"

// A tree of files as plain data: what is read from an image or a folder, and what is written into
// one. The bytes of the files stay where they are; here is only where they lie.
namespace update::image {

enum class EntryType : std::uint8_t { folder, regular, symbolic_link };

/// What could not be carried over, and is counted instead.
enum class Skipped : std::uint8_t {
  device,
  socket,
  pipe,
  attribute,    ///< one that the target cannot hold or that is never carried (trusted.*)
  owner,        ///< extract: what an unprivileged caller may not set
  set_id_bits,  ///< extract without --keep-setid
  mount_point,  ///< what lies in it is on another file system
};
inline constexpr std::size_t kSkippedKinds = 7;

/// Seconds since 1970 and nanoseconds (0 to 999,999,999). ext4 holds 1901 to 2446.
struct Time {
  std::int64_t seconds = 0;
  std::uint32_t nanoseconds = 0;
  auto operator<=>(const Time&) const = default;
};

/// A run of bytes that is data. Between the runs of a file are holes, which read as zeros.
struct Extent {
  std::uint64_t offset = 0;  ///< in the file; a multiple of 4096 unless the source was a folder
  std::uint64_t source = 0;  ///< where the bytes lie: in the image, or in the host's file
  std::uint64_t length = 0;  ///< in bytes; ends at the file's size at the latest
};

/// A part of Tree::text.
struct Text {
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
};

/// One extended attribute: its name as the kernel gives it ("user.x"), its value as the kernel
/// gives it (POSIX ACLs in the form of getxattr(2), version 2, whatever the disk has).
struct Attribute {
  Text name;
  Text value;
};

using EntryIndex = std::uint32_t;
inline constexpr EntryIndex kNoEntry = UINT32_MAX;

/// One name. Of several names for one file (hard links) all but the first only say which that is.
struct Entry {
  EntryIndex parent = kNoEntry;   ///< a folder with a smaller index; kNoEntry: the top itself
  EntryIndex link_to = kNoEntry;  ///< the first name of the same file, with a smaller index
  Text name;                      ///< 1 to 255 bytes, without `/` and NUL, not "." or ".."
  EntryType type = EntryType::regular;
  std::uint16_t mode = 0;  ///< 07777
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Time modified;
  Time accessed;
  Time changed;
  std::uint64_t size = 0;  ///< of a regular file
  /// A link's target, or the bytes of a file that an image kept within its inode (then there are no
  /// extents).
  Text content;
  std::uint32_t first_extent = 0;
  std::uint32_t extents = 0;
  std::uint32_t first_attribute = 0;
  std::uint32_t attributes = 0;
  std::uint32_t links = 0;  ///< how many names the file has at the source, as that counts
  std::uint64_t inode = 0;  ///< at the source: for messages, and to find a file exchanged meanwhile
};

/// The most that is taken from any source, so that no image and no folder can use up the memory.
struct TreeLimits {
  std::size_t entries = 200'000;
  std::size_t extents = 400'000;
  std::size_t text_bytes = 16U << 20;
  std::size_t depth = 256;
};

/// Entry 0 is the top folder, without a name; every other one comes after its folder.
struct Tree {
  std::vector<Entry> entries;
  std::vector<Extent> extents;
  std::vector<Attribute> attributes;
  std::string text;
  std::uint64_t skipped[kSkippedKinds] = {};
  std::string above;  ///< the folder of an image that stands for the top; empty: its top

  std::string_view at(Text part) const {
    return std::string_view(text).substr(part.begin, part.length);
  }
  /// Appends to `text`.
  Text keep(std::string_view bytes);
  std::string_view name(EntryIndex index) const { return at(entries[index].name); }
  /// "/etc/passwd", for messages; "/" for the top.
  std::string path(EntryIndex index) const;
  /// The same within the image that the tree is added to.
  std::string image_path(EntryIndex index) const {
    return index == 0 && !above.empty() ? above : above + path(index);
  }
  void skip(Skipped kind, std::uint64_t count = 1) {
    skipped[static_cast<std::size_t>(kind)] += count;
  }
  /// The sum of the sizes of the regular files, each once.
  std::uint64_t total_size() const;
};

/// Is `tree` as Tree and Entry promise, within `limits`: parents and links before their entry and
/// of the right type, legal names, none twice in a folder, extents in order and within the size,
/// parts of the text within it? not_trusted, naming the entry. For a tree that came from somebody
/// else.
Status check_tree(const Tree& tree, const TreeLimits& limits);

/// As bytes and back, for the way from the confined child; decoding checks the framing, not the
/// meaning (check_tree).
std::string encode_tree(const Tree& tree);
Result<Tree> decode_tree(std::string_view bytes);

}  // namespace update::image
