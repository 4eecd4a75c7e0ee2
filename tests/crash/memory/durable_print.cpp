#include "tests/crash/memory/durable_print.hpp"

#include <algorithm>
#include <optional>

#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update::crash {
namespace {

constexpr std::size_t kWalHeader = 32;
constexpr std::size_t kFrameHeader = 24;

std::uint32_t big_endian(std::string_view text, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8U) | static_cast<unsigned char>(text[at + i]);
  }
  return value;
}

/// The running checksum of a WAL; its words have the byte order that the magic number names.
class Checksum {
 public:
  explicit Checksum(bool big) : big_(big) {}

  void add(std::string_view bytes) {
    for (std::size_t at = 0; at + 8 <= bytes.size(); at += 8) {
      first_ += word(bytes, at) + second_;
      second_ += word(bytes, at + 4) + first_;
    }
  }
  bool is(std::string_view bytes, std::size_t at) const {
    return first_ == big_endian(bytes, at) && second_ == big_endian(bytes, at + 4);
  }
  std::uint64_t value() const { return (std::uint64_t{first_} << 32U) | second_; }

 private:
  std::uint32_t word(std::string_view bytes, std::size_t at) const {
    const std::uint32_t value = big_endian(bytes, at);
    return big_ ? value : __builtin_bswap32(value);
  }

  bool big_;
  std::uint32_t first_ = 0;
  std::uint32_t second_ = 0;
};

struct Special {
  std::optional<InodeNumber> wal;
  std::optional<InodeNumber> lock;
};

Special special_inodes(const FakeDisk& disk) {
  InodeNumber folder = FakeDisk::kRoot;
  std::string_view rest = World::kState;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const auto child = disk.child(folder, rest.substr(0, slash));
    if (!child) return {};
    folder = *child;
    rest.remove_prefix(slash);
  }
  return {disk.child(folder, kJournalWalName), disk.child(folder, kLockName)};
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 29U);
}

std::uint64_t hash_of(const FileContent& content) {
  if (!content.hash) content.hash = std::hash<std::string>{}(content.text);
  return *content.hash;
}

std::uint64_t hash_of(const DiskOperation& operation) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(operation.kind), operation.inode);
  hash = mix(hash, operation.offset);
  hash = mix(hash, hash_of(*operation.content));
  hash = mix(hash, (std::uint64_t{operation.uid} << 32U) | operation.gid);
  hash = mix(hash, operation.mode);
  hash = mix(hash, std::hash<std::string>{}(operation.attribute + operation.value.value_or("")));
  for (const auto& [name, number] : operation.names) {
    hash = mix(hash, std::hash<std::string>{}(name));
    hash = mix(hash, number.value_or(0));
  }
  return hash;
}

/// The last frame of a SQL transaction holds the size of the database in its header, any other 0.
bool begins_commit_frame(const DiskOperation& operation) {
  const std::string& text = operation.content->text;
  return operation.kind == DiskOperation::Kind::write && text.size() == kFrameHeader &&
         big_endian(text, 4) != 0;
}

/// The unit that each pending operation belongs to.
std::vector<std::size_t> units_of(const FakeDisk& disk,
                                  const std::vector<std::shared_ptr<const DiskOperation>>& pending,
                                  bool full) {
  const std::optional<InodeNumber> wal = special_inodes(disk).wal;
  std::vector<std::size_t> units;
  std::size_t next = 0;
  std::optional<std::size_t> open_transaction;
  bool ends_with_next_write = false;
  for (const auto& operation : pending) {
    const bool frame =
        !full && wal && operation->inode == *wal && operation->kind == DiskOperation::Kind::write;
    if (!frame) {
      units.push_back(next++);
      continue;
    }
    if (!open_transaction) open_transaction = next++;
    units.push_back(*open_transaction);
    if (ends_with_next_write) open_transaction.reset();
    ends_with_next_write = open_transaction && begins_commit_frame(*operation);
  }
  return units;
}

}  // namespace

std::uint64_t committed_frames(std::string_view wal) {
  if (wal.size() < kWalHeader) return 0;
  const std::uint32_t magic = big_endian(wal, 0);
  if ((magic & ~1U) != 0x377f0682U) return 0;
  const std::size_t page = big_endian(wal, 8);
  Checksum checksum((magic & 1U) != 0);
  checksum.add(wal.substr(0, 24));
  if (!checksum.is(wal, 24)) return 0;
  std::uint64_t committed = checksum.value();
  for (std::size_t at = kWalHeader; at + kFrameHeader + page <= wal.size();
       at += kFrameHeader + page) {
    if (wal.substr(at + 8, 8) != wal.substr(16, 8)) break;  // of an earlier life of the WAL
    checksum.add(wal.substr(at, 8));
    checksum.add(wal.substr(at + kFrameHeader, page));
    if (!checksum.is(wal, at + 16)) break;
    if (big_endian(wal, at + 4) != 0) committed = mix(checksum.value(), at);
  }
  return committed;
}

std::uint64_t durable_print(const FakeDisk& disk) {
  const Special special = special_inodes(disk);
  return disk.fingerprint([&](InodeNumber number, const FileContent& content) -> std::uint64_t {
    if (number == special.lock) return 0;
    return number == special.wal ? committed_frames(content.text) : hash_of(content);
  });
}

std::uint64_t running_print(FakeDisk& disk) {
  const auto pending = disk.pending_operations();
  std::uint64_t print = durable_print(disk);
  if (pending.empty()) return print;
  const Special special = special_inodes(disk);
  for (const auto& operation : pending) {
    if (operation->inode != special.lock) print = mix(print, hash_of(*operation));
  }
  FakeDisk cut = disk;
  cut.lose(LossPattern::keep_nothing());
  return mix(print, durable_print(cut));
}

std::vector<LossPattern> power_cuts(FakeDisk& disk, bool full) {
  const auto pending = disk.pending_operations();
  const std::vector<std::size_t> units = units_of(disk, pending, full);
  const std::size_t count = units.empty() ? 0 : *std::max_element(units.begin(), units.end()) + 1;
  std::vector<LossPattern> patterns;
  for (const LossPattern& pattern : every_pattern(count, full)) {
    std::vector<Fate> fates;
    for (const std::size_t unit : units) fates.push_back(pattern.fate(unit));
    patterns.push_back(LossPattern::chosen(std::move(fates), pattern.name()));
  }
  return patterns;
}

}  // namespace update::crash
