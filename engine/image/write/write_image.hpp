#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "engine/image/contents.hpp"
#include "engine/image/tree.hpp"
#include "engine/os/confinement.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/os/host.hpp"

// Making an ext4 file system in a file, and filling one.
namespace update::image {

/// What makes an image differ from another with the same contents.
struct Identity {
  std::array<std::uint8_t, 16> uuid{};
  std::array<std::uint8_t, 16> hash_seed{};
  std::int64_t now_s = 0;  ///< when it was made, in seconds since 1970
};

struct Geometry {
  std::uint64_t bytes = 0;          ///< of the file; a multiple of 4096 is used
  std::uint64_t grow_to_bytes = 0;  ///< online growth is prepared up to here; 0: 64 * bytes
  std::string label;                ///< at most 16 bytes
};

/// What a tree needs in a fresh file system of a given size.
struct Needed {
  std::uint64_t blocks = 0;  ///< of 4 KiB, metadata of the file system not counted
  std::uint64_t inodes = 0;  ///< those of the tree
};
/// Pure: counts data, extent trees, folders, links, attribute blocks.
Needed needed_for(const Tree& tree);
/// The least size, rounded up to a multiple of `step_bytes`, at least `at_least_bytes`, in which a
/// fresh file system holds the tree.
std::uint64_t size_for(const Needed& needed, std::uint64_t at_least_bytes,
                       std::uint64_t step_bytes);
/// no_space, telling bytes needed and bytes given (or inodes), if a fresh file system of `geometry`
/// does not hold it. Before anything is written.
Status check_fits(const Needed& needed, const Geometry& geometry);

/// How many attributes of the tree no image can hold, by their names: they are left out when it is
/// written, and whoever made the tree counts them (Skipped::attribute).
std::uint64_t unstorable_attributes(const Tree& tree);

struct OwnerRule {
  bool keep = false;  ///< false: everything belongs to root:root
};

/// Makes a fresh file system in the empty file `target` and puts `tree` at its top. Entry 0's mode
/// and times (and attributes) become the root directory's where `tree` has entries; an empty tree
/// is a bare mkfs. Does not sync. Of nothing here is anything durable on return. no_space as
/// check_fits; interrupted or terminated if asked to stop between two files.
Status write_image(os::File& target, const Geometry& geometry, const Identity& identity,
                   const Tree& tree, Contents& contents, OwnerRule owners, os::StopRequest& stop);

/// Adds `tree` below the existing folder `path` of the image in `target`, which may be made to do
/// harm: the metadata is written by a confined child. Entry 0 stands for that folder itself, which
/// keeps its own mode and owner. A name that exists: a folder is gone into and gets mode, owner,
/// times and attributes of the new one; a regular file or a link is replaced by one of its kind;
/// anything else is `failed` before anything is written, as is what would lie too deep to be read
/// again. no_space likewise. not_trusted, failed as read_image. `target` is a private copy: after
/// an error it is of no use.
Status add_to_image(os::Confinement& confinement, os::File& target, std::string_view path,
                    const Tree& tree, Contents& contents, OwnerRule owners, os::StopRequest& stop,
                    std::int64_t now_s);

}  // namespace update::image
