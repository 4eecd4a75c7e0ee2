#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "engine/image/contents.hpp"
#include "engine/image/tree.hpp"

namespace update::image {

/// Makes a tree by hand; the bytes of its files go into one string, to be put into one file.
class TreeBuilder {
 public:
  TreeBuilder() { folder(kNoEntry, "", 0755); }

  EntryIndex folder(EntryIndex parent, std::string_view name, std::uint16_t mode = 0755) {
    return add(parent, name, EntryType::folder, mode);
  }
  EntryIndex link(EntryIndex parent, std::string_view name, std::string_view target) {
    const EntryIndex index = add(parent, name, EntryType::symbolic_link, 0777);
    tree_.entries[index].content = tree_.keep(target);
    return index;
  }
  EntryIndex again(EntryIndex parent, std::string_view name, EntryIndex first) {
    const EntryIndex index = add(parent, name, tree_.entries[first].type, 0);
    tree_.entries[index].link_to = first;
    return index;
  }
  /// A file whose size is that of its bytes.
  EntryIndex file(EntryIndex parent, std::string_view name, std::string_view bytes,
                  std::uint16_t mode = 0644) {
    const EntryIndex index = add(parent, name, EntryType::regular, mode);
    if (!bytes.empty()) data(index, 0, bytes);
    return index;
  }
  /// More bytes of the last file that was made, after a hole.
  void data(EntryIndex file, std::uint64_t offset, std::string_view bytes) {
    Entry& entry = tree_.entries[file];
    bytes_.resize((bytes_.size() + 4095) / 4096 * 4096);
    if (entry.extents++ == 0) {
      entry.first_extent = static_cast<std::uint32_t>(tree_.extents.size());
    }
    tree_.extents.push_back({offset, bytes_.size(), bytes.size()});
    bytes_.append(bytes);
    entry.size = offset + bytes.size();
  }
  /// To the entry that was made last.
  void attribute(EntryIndex index, std::string_view name, std::string_view value) {
    Entry& entry = tree_.entries[index];
    if (entry.attributes++ == 0) {
      entry.first_attribute = static_cast<std::uint32_t>(tree_.attributes.size());
    }
    const Text kept = tree_.keep(name);
    tree_.attributes.push_back({kept, tree_.keep(value)});
  }

  Entry& operator[](EntryIndex index) { return tree_.entries[index]; }
  Tree& tree() { return tree_; }
  /// Whole blocks.
  std::string bytes() const {
    std::string whole = bytes_;
    whole.resize((whole.size() + 4095) / 4096 * 4096);
    return whole;
  }

 private:
  EntryIndex add(EntryIndex parent, std::string_view name, EntryType type, std::uint16_t mode) {
    Entry entry;
    entry.parent = parent;
    entry.name = tree_.keep(name);
    entry.type = type;
    entry.mode = mode;
    entry.modified = entry.accessed = entry.changed = {1'600'000'000, 123'456'789};
    tree_.entries.push_back(entry);
    return static_cast<EntryIndex>(tree_.entries.size() - 1);
  }

  Tree tree_;
  std::string bytes_;
};

}  // namespace update::image
