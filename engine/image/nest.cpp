#include "engine/image/edit_image.hpp"

#include <utility>

namespace update::image {
namespace {

// The bytes belong to the tree as it was read, in which each entry has a smaller number.
class NestedContents final : public Contents {
 public:
  NestedContents(HostTree inner, EntryIndex shift) : inner_(std::move(inner)), shift_(shift) {}
  Result<os::File*> open(const Tree& /*tree*/, EntryIndex entry) override {
    return inner_.contents->open(inner_.tree, entry - shift_);
  }
  Status close(const Tree& /*tree*/, EntryIndex entry) override {
    return inner_.contents->close(inner_.tree, entry - shift_);
  }

 private:
  HostTree inner_;
  EntryIndex shift_;
};

}  // namespace

HostTree nest(HostTree source, const std::vector<std::string>& names, const Entry& folder) {
  if (names.empty()) return source;
  const auto shift = static_cast<EntryIndex>(names.size());
  Tree outer = source.tree;
  outer.entries.clear();
  for (EntryIndex index = 0; index < shift; ++index) {
    outer.entries.push_back(folder);
    if (index == 0) continue;
    outer.entries.back().parent = index - 1;
    outer.entries.back().name = outer.keep(names[index - 1]);
  }
  for (Entry entry : source.tree.entries) {
    if (entry.parent != kNoEntry) entry.parent += shift;
    if (entry.link_to != kNoEntry) entry.link_to += shift;
    outer.entries.push_back(entry);
  }
  outer.entries[shift].parent = shift - 1;
  outer.entries[shift].name = outer.keep(names.back());
  return {std::move(outer), std::make_unique<NestedContents>(std::move(source), shift)};
}

}  // namespace update::image
