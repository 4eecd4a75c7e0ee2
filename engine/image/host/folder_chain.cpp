#include "engine/image/host/folder_chain.hpp"

#include <string>
#include <utility>

namespace update::image {

Result<os::Folder*> FolderChain::at(const Tree& tree, EntryIndex folder) {
  std::vector<EntryIndex> way;
  for (EntryIndex entry = folder; entry != 0; entry = tree.entries[entry].parent) {
    way.push_back(entry);
  }
  std::size_t shared = 0;
  while (shared < open_.size() && shared < way.size() &&
         open_[shared].entry == way[way.size() - 1 - shared]) {
    ++shared;
  }
  open_.resize(shared);
  while (open_.size() < way.size()) {
    const EntryIndex entry = way[way.size() - 1 - open_.size()];
    os::Folder& above = open_.empty() ? top_ : *open_.back().folder;
    UPDATE_TRY_ASSIGN(auto opened, above.open_folder(std::string(tree.name(entry))));
    open_.push_back({entry, std::move(opened)});
  }
  return open_.empty() ? &top_ : open_.back().folder.get();
}

}  // namespace update::image
