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
  std::optional<InodeNumber> journal;
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
  return {disk.child(folder, kJournalWalName), disk.child(folder, kLockName),
          disk.child(folder, kJournalName)};
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

/// Up to where the frames that are pending belong to SQL transactions that are whole: what comes
/// after is never read, whether it is lost or kept.
std::size_t end_of_last_commit(const std::vector<std::shared_ptr<const DiskOperation>>& pending,
                               std::optional<InodeNumber> wal) {
  std::size_t end = 0;
  bool ends_with_next_write = false;
  for (std::size_t index = 0; index < pending.size(); ++index) {
    const DiskOperation& operation = *pending[index];
    if (operation.inode != wal || operation.kind != DiskOperation::Kind::write) continue;
    if (ends_with_next_write) end = index + 1;
    ends_with_next_write = begins_commit_frame(operation);
  }
  return end;
}

/// Operations that a power cut keeps or loses together.
struct Units {
  std::vector<std::size_t> of;    ///< the unit of each pending operation
  std::vector<bool> is_commit;    ///< by unit: the frames of one SQL transaction
  std::vector<bool> can_be_torn;  ///< by unit
};

Units units_of(const FakeDisk& disk,
               const std::vector<std::shared_ptr<const DiskOperation>>& pending, bool full) {
  const std::optional<InodeNumber> wal = special_inodes(disk).wal;
  Units units;
  constexpr std::size_t kNone = SIZE_MAX;
  std::size_t transaction = kNone;
  bool ends_with_next_write = false;
  const auto add = [&](bool commit, bool torn) {
    units.is_commit.push_back(commit);
    units.can_be_torn.push_back(torn);
    return units.is_commit.size() - 1;
  };
  for (const auto& operation : pending) {
    const bool write = operation->kind == DiskOperation::Kind::write;
    if (full || !write || operation->inode != wal) {
      units.of.push_back(add(false, write));
      continue;
    }
    if (transaction == kNone) transaction = add(true, false);
    units.of.push_back(transaction);
    if (ends_with_next_write) transaction = kNone;
    ends_with_next_write = transaction != kNone && begins_commit_frame(*operation);
  }
  return units;
}

std::vector<LossPattern> patterns_of(const Units& units, bool full) {
  const std::size_t count = units.is_commit.size();
  if (full) return every_pattern(count, true);
  std::vector<LossPattern> patterns{LossPattern::keep_all(), LossPattern::keep_nothing()};
  for (std::size_t unit = 0; unit < count; ++unit) {
    patterns.push_back(LossPattern::first(unit));
    patterns.push_back(LossPattern::all_but(unit));
    patterns.push_back(LossPattern::only(unit));
    if (!units.can_be_torn[unit]) continue;
    for (const Fate fate : {Fate::torn, Fate::zeroed}) {
      patterns.push_back(LossPattern::all_but(unit, fate));
      patterns.push_back(LossPattern::only(unit, fate));
    }
  }
  return patterns;
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

namespace {

std::uint64_t print_of(const FakeDisk& disk, bool with_journal) {
  const Special special = special_inodes(disk);
  return disk.fingerprint([&](InodeNumber number, const FileContent& content) -> std::uint64_t {
    if (number == special.lock) return 0;
    const bool wal = number == special.wal;
    if (!with_journal && (wal || number == special.journal)) return 0;
    return wal ? committed_frames(content.text) : hash_of(content);
  });
}

std::uint64_t running_print_of(FakeDisk& disk, bool with_journal) {
  const auto pending = disk.pending_operations();
  std::uint64_t print = print_of(disk, with_journal);
  if (pending.empty()) return print;
  const Special special = special_inodes(disk);
  const std::size_t committed = end_of_last_commit(pending, special.wal);
  for (std::size_t index = 0; index < pending.size(); ++index) {
    const InodeNumber inode = pending[index]->inode;
    const bool frame = inode == special.wal;
    const bool journal = frame || inode == special.journal;
    const bool no_commit = frame && index >= committed;
    const bool counts = inode != special.lock && !no_commit && (with_journal || !journal);
    if (counts) print = mix(print, hash_of(*pending[index]));
  }
  FakeDisk cut = disk;
  cut.lose(LossPattern::keep_nothing());
  return mix(print, print_of(cut, with_journal));
}

}  // namespace

std::uint64_t durable_print(const FakeDisk& disk) {
  return print_of(disk, true);
}

std::uint64_t print_without_journal(const FakeDisk& disk) {
  return print_of(disk, false);
}

std::uint64_t running_print(FakeDisk& disk) {
  return running_print_of(disk, true);
}

std::uint64_t running_print_without_journal(FakeDisk& disk) {
  return running_print_of(disk, false);
}

std::uint64_t durable_print(const FakeDisk& disk, std::uint64_t frames) {
  const Special special = special_inodes(disk);
  return disk.fingerprint([&](InodeNumber number, const FileContent& content) -> std::uint64_t {
    if (number == special.lock) return 0;
    return number == special.wal ? frames : hash_of(content);
  });
}

std::uint64_t frames_on(const FakeDisk& disk) {
  const std::optional<InodeNumber> wal = special_inodes(disk).wal;
  return wal ? committed_frames(disk.at(*wal).now.text()) : 0;
}

std::uint64_t journal_print(const FakeDisk& disk) {
  const std::optional<InodeNumber> journal = special_inodes(disk).journal;
  return mix(frames_on(disk), journal ? hash_of(*disk.at(*journal).now.content) : 0);
}

std::vector<PowerLoss> power_losses(FakeDisk& disk, bool full) {
  const auto pending = disk.pending_operations();
  const Units units = units_of(disk, pending, full);
  std::vector<PowerLoss> losses;
  for (const LossPattern& pattern : patterns_of(units, full)) {
    std::vector<Fate> fates;
    for (const std::size_t unit : units.of) fates.push_back(pattern.fate(unit));
    std::size_t commits = 0;
    for (std::size_t unit = 0; unit < units.is_commit.size(); ++unit) {
      if (!units.is_commit[unit]) continue;
      if (pattern.fate(unit) != Fate::kept) break;
      ++commits;
    }
    losses.push_back({LossPattern::chosen(std::move(fates), pattern.name()), commits});
  }
  return losses;
}

}  // namespace update::crash
