#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "engine/image/write/write_image.hpp"
#include "engine/os/system.hpp"

// Whole images: those that banger makes for its VMs (behaviour.md, section 3), and any other.
namespace update::image {

/// Blanks trimmed; empty gives empty; X.ext4 gives X.work-seed.ext4; any other name gets .work-seed
/// appended.
std::string work_seed_path(std::string_view rootfs);

/// 2 * used + 256 MiB, at least 512 MiB, rounded up to a multiple of 64 MiB; no_space where that
/// passes 2^63.
Result<std::uint64_t> work_seed_size(std::uint64_t used_bytes);

using IdentityBytes = std::array<std::uint8_t, 16>;

/// Where an image's identity comes from: what is given here, else the clock and random numbers.
struct IdentityRule {
  std::optional<IdentityBytes> uuid;
  std::optional<IdentityBytes> hash_seed;
  /// SOURCE_DATE_EPOCH: the time of making; and what is not given above follows from it and from
  /// the contents, so that two runs give the same bytes.
  std::optional<std::int64_t> epoch_s;
};

/// Called after each file with the bytes copied so far and those of all files.
using CopyObserver = std::function<void(std::uint64_t done_bytes, std::uint64_t total_bytes)>;

struct ImageOptions {
  IdentityRule identity;
  OwnerRule owners;
  std::string label;
  std::uint64_t grow_to_bytes = 0;  ///< as Geometry
  CopyObserver copied;              ///< may be empty
};

/// What was made.
struct Made {
  std::uint64_t bytes = 0;    ///< the size of the image
  std::uint64_t entries = 0;  ///< in it, its top not counted
  std::uint64_t content_bytes = 0;
  Tree skipped;  ///< only its counts
};
Made made_of(const Tree& tree, std::uint64_t image_bytes);
/// The same of a tree that was written into an image: what no image can hold was left out.
Made made_in_image(const Tree& tree, std::uint64_t image_bytes);

/// The time of making in seconds.
std::int64_t making_time(const os::System& system, const IdentityRule& rule);
Identity make_identity(const os::System& system, const IdentityRule& rule, const Tree& tree,
                       std::uint64_t image_bytes);

/// An image of `bytes` with `tree` at its top takes the place of `target`, whole or not at all;
/// durable on return. `mode` is for a target that is new; one that is there is locked meanwhile.
/// busy: somebody else works on it. no_space, as check_fits, before anything is written.
Result<Made> make_image(const os::System& system, const std::string& target, std::uint32_t mode,
                        std::uint64_t bytes, const Tree& tree, Contents& contents,
                        const ImageOptions& options);

/// The subtree /root of the image `rootfs` becomes the image `out`; a rootfs without /root gives an
/// empty one.
Result<Made> build_work_seed(const os::System& system, const std::string& rootfs,
                             const std::string& out, const ImageOptions& options);
/// An image of exactly `bytes` with all that is in the image `seed`.
Result<Made> make_work_disk(const os::System& system, const std::string& seed,
                            const std::string& disk, std::uint64_t bytes,
                            const ImageOptions& options);

}  // namespace update::image
