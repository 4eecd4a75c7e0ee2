#include "engine/image/tree.hpp"

#include "engine/base/text.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace update::image {
namespace {

constexpr std::size_t kNameMax = 255;
constexpr std::size_t kTargetMax = 4095;
constexpr std::size_t kValueMax = 64U << 10;
constexpr std::uint64_t kSizeMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kNanoseconds = 1'000'000'000;

bool legal_name(std::string_view name) {
  return !name.empty() && name.size() <= kNameMax && name != "." && name != ".." &&
         name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

bool legal_time(const Time& time) {
  return time.nanoseconds < kNanoseconds;
}

// One pass over a tree in which nothing is believed. Parts are looked at in the order in which
// later ones rely on them.
class TreeCheck {
 public:
  TreeCheck(const Tree& tree, const TreeLimits& limits) : tree_(tree), limits_(limits) {}

  Status run() {
    UPDATE_TRY(check_amounts());
    depths_.resize(tree_.entries.size());
    for (EntryIndex index = 0; index < tree_.entries.size(); ++index) {
      if (const char* problem = problem_of(index)) return fail(wrong(index, problem));
    }
    return check_unique_names();
  }

 private:
  static Error wrong_tree(std::string_view problem) {
    return {ErrorCode::not_trusted, "the tree of files " + std::string(problem)};
  }
  Error wrong(EntryIndex index, std::string_view problem) const {
    // The parents of `index` were checked, its own parent and name may be what is wrong.
    const Entry& entry = tree_.entries[index];
    const std::string where = index > 0 && entry.parent < index && within(entry.name)
                                  ? quote(tree_.path(index))
                                  : "number " + std::to_string(index);
    return {ErrorCode::not_trusted, "the entry " + where + " " + std::string(problem)};
  }

  bool within(Text part) const {
    return part.begin <= tree_.text.size() && part.length <= tree_.text.size() - part.begin;
  }

  Status check_amounts() const {
    if (tree_.entries.size() > limits_.entries) return fail(wrong_tree("has too many entries"));
    if (tree_.extents.size() > limits_.extents) return fail(wrong_tree("has too many extents"));
    if (tree_.attributes.size() > limits_.extents) {
      return fail(wrong_tree("has too many extended attributes"));
    }
    if (tree_.text.size() > limits_.text_bytes) return fail(wrong_tree("has too much text"));
    return {};
  }

  const char* problem_of(EntryIndex index) {
    const Entry& entry = tree_.entries[index];
    if (const char* problem = problem_of_place(index, entry)) return problem;
    if (entry.mode > 07777) return "has an illegal mode";
    if (!legal_time(entry.modified) || !legal_time(entry.accessed) || !legal_time(entry.changed)) {
      return "has an illegal time";
    }
    if (!within(entry.content)) return "has its content outside of the text";
    if (entry.link_to != kNoEntry) return problem_of_link(index, entry);
    if (const char* problem = problem_of_content(entry)) return problem;
    if (const char* problem = problem_of_extents(entry)) return problem;
    return problem_of_attributes(entry);
  }

  const char* problem_of_place(EntryIndex index, const Entry& entry) {
    if (entry.type > EntryType::symbolic_link) return "has an unknown type";
    if (!within(entry.name)) return "has its name outside of the text";
    if (index == 0) {
      const bool top = entry.parent == kNoEntry && entry.link_to == kNoEntry;
      return top && entry.name.length == 0 ? nullptr : "is not a top";
    }
    if (entry.parent >= index) return "comes before its folder";
    if (tree_.entries[entry.parent].type != EntryType::folder) return "is in what is no folder";
    depths_[index] = static_cast<std::uint32_t>(depths_[entry.parent] + 1);
    if (depths_[index] > limits_.depth) return "is in too many folders";
    if (!legal_name(tree_.at(entry.name))) return "has an illegal name";
    return nullptr;
  }

  const char* problem_of_link(EntryIndex index, const Entry& entry) const {
    if (entry.link_to >= index) return "is a second name of a later one";
    const Entry& first = tree_.entries[entry.link_to];
    if (first.link_to != kNoEntry) return "is a second name of a second name";
    if (first.type != entry.type || entry.type == EntryType::folder) {
      return "is a second name of another type";
    }
    const bool bare = entry.extents == 0 && entry.attributes == 0 && entry.content.length == 0;
    return bare ? nullptr : "is a second name with contents of its own";
  }

  const char* problem_of_content(const Entry& entry) const {
    const std::string_view content = tree_.at(entry.content);
    switch (entry.type) {
      case EntryType::folder:
        return content.empty() && entry.size == 0 ? nullptr : "is a folder with contents";
      case EntryType::symbolic_link:
        if (entry.size != 0) return "is a link with a size";
        if (content.empty() || content.size() > kTargetMax) return "is a link of an illegal length";
        return content.find('\0') == std::string_view::npos ? nullptr : "is a link with a NUL";
      case EntryType::regular:
        if (entry.size > kSizeMax) return "has an illegal size";
        return content.empty() || (content.size() == entry.size && entry.extents == 0)
                   ? nullptr
                   : "has two contents";
    }
    return nullptr;
  }

  // Each entry's part follows that of the one before: a part that many entries share would make a
  // small tree a big one.
  const char* problem_of_extents(const Entry& entry) {
    if (entry.extents == 0) return nullptr;
    if (entry.type != EntryType::regular) return "has extents without being a file";
    if (entry.first_extent < next_extent_ || entry.first_extent > tree_.extents.size() ||
        entry.extents > tree_.extents.size() - entry.first_extent) {
      return "has extents that are not there or another's";
    }
    next_extent_ = std::size_t{entry.first_extent} + entry.extents;
    std::uint64_t end = 0;
    for (std::size_t at = entry.first_extent; at < next_extent_; ++at) {
      const Extent& extent = tree_.extents[at];
      if (extent.length == 0 || extent.offset < end || extent.offset > entry.size ||
          extent.length > entry.size - extent.offset) {
        return "has extents out of order or behind its end";
      }
      if (extent.source > kSizeMax || extent.length > kSizeMax - extent.source) {
        return "has an extent that lies nowhere";
      }
      end = extent.offset + extent.length;
    }
    return nullptr;
  }

  const char* problem_of_attributes(const Entry& entry) {
    if (entry.attributes == 0) return nullptr;
    if (entry.first_attribute < next_attribute_ ||
        entry.first_attribute > tree_.attributes.size() ||
        entry.attributes > tree_.attributes.size() - entry.first_attribute) {
      return "has attributes that are not there or another's";
    }
    next_attribute_ = std::size_t{entry.first_attribute} + entry.attributes;
    for (std::size_t at = entry.first_attribute; at < next_attribute_; ++at) {
      const Attribute& attribute = tree_.attributes[at];
      if (!within(attribute.name) || !within(attribute.value)) {
        return "has an attribute outside of the text";
      }
      const std::string_view name = tree_.at(attribute.name);
      if (name.empty() || name.size() > kNameMax || name.find('\0') != std::string_view::npos ||
          attribute.value.length > kValueMax) {
        return "has an illegal attribute";
      }
    }
    return nullptr;
  }

  Status check_unique_names() const {
    if (tree_.entries.size() < 2) return {};
    const auto less = [this](EntryIndex left, EntryIndex right) {
      const EntryIndex parents[] = {tree_.entries[left].parent, tree_.entries[right].parent};
      if (parents[0] != parents[1]) return parents[0] < parents[1];
      return tree_.name(left) < tree_.name(right);
    };
    std::vector<EntryIndex> order(tree_.entries.size() - 1);
    std::iota(order.begin(), order.end(), 1U);
    // Whoever reads folder by folder in the order of names has sorted already.
    if (!std::is_sorted(order.begin(), order.end(), less)) {
      std::sort(order.begin(), order.end(), less);
    }
    const auto twice =
        std::adjacent_find(order.begin(), order.end(), [&](EntryIndex left, EntryIndex right) {
          return !less(left, right) && !less(right, left);
        });
    if (twice == order.end()) return {};
    return fail(wrong(*twice, "is there twice"));
  }

  const Tree& tree_;
  const TreeLimits& limits_;
  std::vector<std::uint32_t> depths_;
  std::size_t next_extent_ = 0;
  std::size_t next_attribute_ = 0;
};

}  // namespace

Text Tree::keep(std::string_view bytes) {
  const Text part{static_cast<std::uint32_t>(text.size()),
                  static_cast<std::uint32_t>(bytes.size())};
  text.append(bytes);
  return part;
}

std::string Tree::path(EntryIndex index) const {
  if (index == 0) return "/";
  std::vector<EntryIndex> way;
  for (; index != 0 && index < entries.size(); index = entries[index].parent) way.push_back(index);
  std::string joined;
  for (auto part = way.rbegin(); part != way.rend(); ++part) {
    joined.append("/").append(name(*part));
  }
  return joined;
}

std::uint64_t Tree::total_size() const {
  std::uint64_t total = 0;
  for (const Entry& entry : entries) {
    if (entry.type != EntryType::regular || entry.link_to != kNoEntry) continue;
    // Holes cost nothing in an image: the sum of such files may pass what a number holds.
    total += std::min(entry.size, std::numeric_limits<std::uint64_t>::max() - total);
  }
  return total;
}

Status check_tree(const Tree& tree, const TreeLimits& limits) {
  return TreeCheck(tree, limits).run();
}

}  // namespace update::image
