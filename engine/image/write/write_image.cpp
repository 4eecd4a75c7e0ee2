#include "engine/image/write/write_image.hpp"

#include "engine/image/write/copy_data.hpp"
#include "engine/image/write/layout.hpp"
#include "engine/image/write/mkfs.hpp"
#include "engine/image/write/place_tree.hpp"
#include "engine/image/write/write_tree.hpp"

#include <utility>

namespace update::image {

Status write_image(os::File& target, const Geometry& geometry, const Identity& identity,
                   const Tree& tree, Contents& contents, OwnerRule owners, os::StopRequest& stop) {
  const Needed needed = needed_for(tree);
  UPDATE_TRY_ASSIGN(const Filsys fs, make_file_system(&target, geometry, identity,
                                                      inodes_to_make(needed, geometry)));
  if (!check_room(needed, geometry, fs.get())) return check_fits(needed, geometry);
  UPDATE_TRY(target.truncate(geometry.bytes));
  if (tree.entries.empty()) return flush_image(fs.get());

  UPDATE_TRY_ASSIGN(Placement placement, place_tree(fs.get(), tree, EXT2_ROOT_INO));
  placement.folders.front().second.described = true;
  TreeWriter writer(fs.get(), tree, owners, true);
  UPDATE_TRY_ASSIGN(std::vector<DataRun> runs, writer.write(placement.folders));
  UPDATE_TRY(flush_image(fs.get()));
  return copy_data(std::move(runs), tree, contents, target, LastBlocks::whole, stop);
}

}  // namespace update::image
