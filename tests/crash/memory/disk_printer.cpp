#include "tests/crash/memory/disk_printer.hpp"

#include <algorithm>
#include <optional>

#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update::crash {
namespace {

constexpr std::size_t kFrameHeader = 24;

std::uint32_t big_endian(std::string_view text, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8U) | static_cast<unsigned char>(text[at + i]);
  }
  return value;
}

struct Special {
  std::optional<InodeNumber> wal;
  std::optional<InodeNumber> lock;
  std::optional<InodeNumber> journal;
  std::optional<InodeNumber> head;
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
          disk.child(folder, kJournalName), disk.child(folder, kHeadName)};
}

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15U;
  return hash ^ (hash >> 29U);
}

std::uint64_t hash_of(const DiskOperation& operation) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(operation.kind), operation.inode);
  hash = mix(hash, operation.offset);
  hash = mix(hash, operation.content->hash());
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
  const std::string& text = operation.content->text();
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
  std::vector<bool> can_be_torn;  ///< by unit
};

Units units_of(const FakeDisk& disk,
               const std::vector<std::shared_ptr<const DiskOperation>>& pending, bool full) {
  const std::optional<InodeNumber> wal = special_inodes(disk).wal;
  Units units;
  constexpr std::size_t kNone = SIZE_MAX;
  std::size_t transaction = kNone;
  bool ends_with_next_write = false;
  const auto add = [&](bool can_be_torn) {
    units.can_be_torn.push_back(can_be_torn);
    return units.can_be_torn.size() - 1;
  };
  for (const auto& operation : pending) {
    const bool write = operation->kind == DiskOperation::Kind::write;
    if (full || !write || operation->inode != wal) {
      units.of.push_back(add(write));
      continue;
    }
    if (transaction == kNone) transaction = add(false);
    units.of.push_back(transaction);
    if (ends_with_next_write) transaction = kNone;
    ends_with_next_write = transaction != kNone && begins_commit_frame(*operation);
  }
  return units;
}

std::vector<LossPattern> patterns_of(const Units& units, bool full) {
  const std::size_t count = units.can_be_torn.size();
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

std::uint64_t DiskPrinter::print_of_log(const FileContent& content) {
  const auto [known, is_new] = log_prints_.try_emplace(content.hash());
  // An empty log is told from one that holds nothing of use: readers treat them differently.
  if (is_new) {
    const std::uint64_t print = log_reader_.committed_part(content.text()).print;
    known->second = mix(print, content.text().empty() ? 1 : 0);
  }
  return known->second;
}

std::uint64_t DiskPrinter::print(const FakeDisk& disk, Part part) {
  const Special special = special_inodes(disk);
  const FakeDisk::ContentHash hash_of_content = [&](InodeNumber number,
                                                    const FileContent& content) -> std::uint64_t {
    if (number == special.lock) return 0;
    const bool log = number == special.wal;
    if (part != Part::all && (log || number == special.journal)) return 0;
    if (part == Part::no_history && number == special.head) return content.text().empty() ? 0 : 1;
    return log ? print_of_log(content) : content.hash();
  };
  return part == Part::no_history ? disk.fingerprint_by_names(hash_of_content)
                                  : disk.fingerprint(hash_of_content);
}

std::uint64_t DiskPrinter::running_print(FakeDisk& disk, Part part) {
  const auto pending = disk.pending_operations();
  std::uint64_t result = print(disk, part);
  if (pending.empty()) return result;
  const Special special = special_inodes(disk);
  const std::size_t committed = end_of_last_commit(pending, special.wal);
  for (std::size_t index = 0; index < pending.size(); ++index) {
    const InodeNumber inode = pending[index]->inode;
    const bool frame = inode == special.wal;
    const bool journal = frame || inode == special.journal;
    const bool no_commit = frame && index >= committed;
    const bool counts = inode != special.lock && !no_commit && (part == Part::all || !journal);
    if (counts) result = mix(result, hash_of(*pending[index]));
  }
  FakeDisk cut = disk;
  cut.lose(LossPattern::keep_nothing());
  return mix(result, print(cut, part));
}

std::uint64_t DiskPrinter::journal(const FakeDisk& disk) {
  const Special special = special_inodes(disk);
  const std::uint64_t log = special.wal ? print_of_log(*disk.at(*special.wal).now.content) : 0;
  return mix(log, special.journal ? disk.at(*special.journal).now.content->hash() : 0);
}

std::vector<LossPattern> power_losses(FakeDisk& disk, bool full) {
  const Units units = units_of(disk, disk.pending_operations(), full);
  std::vector<LossPattern> losses;
  for (const LossPattern& pattern : patterns_of(units, full)) {
    std::vector<Fate> fates;
    for (const std::size_t unit : units.of) fates.push_back(pattern.fate(unit));
    losses.push_back(LossPattern::chosen(std::move(fates), pattern.name()));
  }
  return losses;
}

}  // namespace update::crash
