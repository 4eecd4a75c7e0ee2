// Two disks that a reader cannot tell apart have one fingerprint: a sweep looks at one of them.
#include <unordered_map>

#include "tests/fake/fake_disk.hpp"

namespace update {

namespace {

class Hash {
 public:
  void add(std::uint64_t value) {
    state_ = (state_ ^ value) * 0x9E3779B97F4A7C15U;
    state_ ^= state_ >> 29U;
  }
  void add(std::string_view text) { add(std::hash<std::string_view>{}(text)); }
  std::uint64_t value() const { return state_; }

 private:
  std::uint64_t state_ = 0x243F6A8885A308D3U;
};

/// All of an inode but what it is called by and leads to.
void add_inode(Hash& hash, const Inode& inode, std::uint64_t content) {
  hash.add(static_cast<std::uint64_t>(inode.type));
  hash.add(inode.device);
  hash.add(inode.links);
  hash.add(content);
  hash.add((std::uint64_t{inode.now.uid} << 32U) | inode.now.gid);
  hash.add(inode.now.mode);
  hash.add(static_cast<std::uint64_t>(inode.now.mtime_ns));
  for (const auto& [name, value] : *inode.now.attributes) {
    hash.add(name);
    hash.add(value);
  }
}

}  // namespace

std::uint64_t FakeDisk::fingerprint() const {
  return fingerprint([](InodeNumber, const FileContent& content) { return content.hash(); });
}

std::uint64_t FakeDisk::fingerprint(const ContentHash& hash_of_content) const {
  Hash hash;
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    if (!inodes_[number]) continue;
    const Inode& inode = at(number);
    hash.add(number);
    add_inode(hash, inode, hash_of_content(number, *inode.now.content));
    for (const auto& [name, child_number] : *inode.now.names) {
      hash.add(name);
      hash.add(child_number);
    }
  }
  return hash.value();
}

std::uint64_t FakeDisk::fingerprint_by_names(const ContentHash& hash_of_content) const {
  Hash hash;
  std::unordered_map<InodeNumber, std::uint64_t> met;
  const std::function<void(InodeNumber)> visit = [&](InodeNumber number) {
    const auto [order, is_new] = met.try_emplace(number, met.size());
    hash.add(order->second);
    if (!is_new) return;
    const Inode& inode = at(number);
    add_inode(hash, inode, hash_of_content(number, *inode.now.content));
    for (const auto& [name, child_number] : *inode.now.names) {
      hash.add(name);
      visit(child_number);
    }
  };
  visit(kRoot);
  return hash.value();
}

}  // namespace update
