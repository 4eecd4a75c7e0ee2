#pragma once

#include <vector>

#include "engine/image/contents.hpp"
#include "engine/image/write/write_tree.hpp"
#include "engine/os/host.hpp"

namespace update::image {

/// How far the last run of a file may reach.
enum class LastBlocks : std::uint8_t {
  whole,       ///< to the end of its block, which is of 4 KiB: shares and joins more
  data_alone,  ///< to the end of the data
};

/// Copies the bytes of a tree's files to where they belong in the image `target`. interrupted,
/// terminated: within a few MiB. failed: the bytes were changed meanwhile.
Status copy_data(std::vector<DataRun> runs, const Tree& tree, Contents& contents, os::File& target,
                 LastBlocks last_blocks, os::StopRequest& stop);

}  // namespace update::image
