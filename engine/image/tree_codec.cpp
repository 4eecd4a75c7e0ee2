#include "engine/image/tree.hpp"

#include <concepts>
#include <type_traits>

// Numbers of 7 bits a byte, the lowest first; most are told as a difference from the entry before,
// so that they take one byte. Then the text as it is.
namespace update::image {
namespace {

constexpr std::size_t kLeastEntryBytes = 23;  // one for each number that entry_fields() has
constexpr std::size_t kLeastExtentBytes = 3;
constexpr std::size_t kLeastAttributeBytes = 4;

class TreeEncoder {
 public:
  template <class Number>
  void number(Number value) {
    auto rest = static_cast<std::uint64_t>(value);
    for (; rest >= 0x80; rest >>= 7) out_.push_back(static_cast<char>(rest | 0x80));
    out_.push_back(static_cast<char>(rest));
  }
  template <class Number>
  void delta(Number value, Number before) {
    const auto difference = static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(before);
    number((difference << 1) ^ (std::uint64_t{0} - (difference >> 63)));
  }
  void text(std::string_view bytes) { out_.append(bytes); }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class TreeDecoder {
 public:
  explicit TreeDecoder(std::string_view bytes) : rest_(bytes) {}

  template <class Number>
  void number(Number& value) {
    keep(next(), value);
  }
  template <class Number>
  void delta(Number& value, Number before) {
    const std::uint64_t folded = next();
    const std::uint64_t difference = (folded >> 1) ^ (std::uint64_t{0} - (folded & 1));
    keep(static_cast<std::uint64_t>(before) + difference, value);
  }
  /// A number of things that take `least` bytes each: never more than there are bytes for.
  std::size_t count(std::size_t least) {
    const std::uint64_t value = next();
    if (value > rest_.size() / least) good_ = false;
    return good_ ? static_cast<std::size_t>(value) : 0;
  }
  std::string_view rest() const { return rest_; }
  bool good() const { return good_; }

 private:
  template <class Number>
  void keep(std::uint64_t read, Number& value) {
    value = static_cast<Number>(read);
    if (static_cast<std::uint64_t>(value) != read) good_ = false;
  }
  std::uint64_t next() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
      const auto byte = static_cast<std::uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }

  std::string_view rest_;
  bool good_ = true;
};

template <class Codec, class Part>
void text_fields(Codec& codec, Part& part, std::uint32_t& end) {
  codec.delta(part.begin, end);
  codec.number(part.length);
  end = part.begin + part.length;
}

template <class Codec, class TimePart>
void time_fields(Codec& codec, TimePart& time, const Time& before) {
  codec.delta(time.seconds, before.seconds);
  codec.delta(time.nanoseconds, before.nanoseconds);
}

// For both directions, so that they cannot differ.
template <class Codec, class EntryPart>
void entry_fields(Codec& codec, EntryPart& entry, const Entry& before, std::uint32_t& text_end) {
  codec.delta(entry.parent, before.parent);
  codec.delta(entry.link_to, before.link_to);
  text_fields(codec, entry.name, text_end);
  codec.number(entry.type);
  codec.number(entry.mode);
  codec.number(entry.uid);
  codec.number(entry.gid);
  time_fields(codec, entry.modified, before.modified);
  time_fields(codec, entry.accessed, entry.modified);
  time_fields(codec, entry.changed, entry.modified);
  codec.number(entry.size);
  text_fields(codec, entry.content, text_end);
  codec.delta(entry.first_extent, before.first_extent);
  codec.number(entry.extents);
  codec.delta(entry.first_attribute, before.first_attribute);
  codec.number(entry.attributes);
  codec.number(entry.links);
  codec.delta(entry.inode, before.inode);
}

template <class Codec, class TreePart>
void tree_fields(Codec& codec, TreePart& tree) {
  std::uint32_t text_end = 0;
  Entry before;
  for (auto& entry : tree.entries) {
    entry_fields(codec, entry, before, text_end);
    before = entry;
  }
  Extent last;
  for (auto& extent : tree.extents) {
    codec.delta(extent.offset, last.offset + last.length);
    codec.delta(extent.source, last.source + last.length);
    codec.number(extent.length);
    last = extent;
  }
  for (auto& attribute : tree.attributes) {
    text_fields(codec, attribute.name, text_end);
    text_fields(codec, attribute.value, text_end);
  }
  for (auto& count : tree.skipped) codec.number(count);
}

}  // namespace

std::string encode_tree(const Tree& tree) {
  TreeEncoder encoder;
  encoder.number(tree.entries.size());
  encoder.number(tree.extents.size());
  encoder.number(tree.attributes.size());
  tree_fields(encoder, tree);
  encoder.text(tree.text);
  return encoder.take();
}

Result<Tree> decode_tree(std::string_view bytes) {
  TreeDecoder decoder(bytes);
  Tree tree;
  tree.entries.resize(decoder.count(kLeastEntryBytes));
  tree.extents.resize(decoder.count(kLeastExtentBytes));
  tree.attributes.resize(decoder.count(kLeastAttributeBytes));
  tree_fields(decoder, tree);
  if (!decoder.good()) {
    return fail(ErrorCode::not_trusted, "the answer of the reader of images is damaged");
  }
  tree.text = decoder.rest();
  return tree;
}

}  // namespace update::image
