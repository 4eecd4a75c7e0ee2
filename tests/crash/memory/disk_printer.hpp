#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "tests/crash/wal.hpp"
#include "tests/fake/fake_disk.hpp"

namespace update::crash {

/// Numbers that are equal for disks from which every program reads the same. Of the journal's WAL
/// that is what its committed frames say; what a lock file says is only a message.
class DiskPrinter {
 public:
  std::uint64_t durable(const FakeDisk& disk) { return print(disk, Part::all); }
  std::uint64_t without_journal(const FakeDisk& disk) { return print(disk, Part::no_journal); }
  /// But for what tells of the past: the journal, what the head says of its end, and the numbers of
  /// inodes, which tell in which order they were made.
  std::uint64_t without_history(const FakeDisk& disk) { return print(disk, Part::no_history); }
  /// Of a machine that still runs: what the disk holds now, and what is not durable yet.
  std::uint64_t running(FakeDisk& disk) { return running_print(disk, Part::all); }
  std::uint64_t running_without_journal(FakeDisk& disk) {
    return running_print(disk, Part::no_journal);
  }
  /// What every program reads from the journal.
  std::uint64_t journal(const FakeDisk& disk);

 private:
  enum class Part : std::uint8_t { all, no_journal, no_history };

  std::uint64_t print(const FakeDisk& disk, Part part);
  std::uint64_t running_print(FakeDisk& disk, Part part);
  std::uint64_t print_of_log(const FileContent& content);

  LogReader log_reader_;
  std::unordered_map<std::uint64_t, std::uint64_t> log_prints_;  ///< by the hash of all bytes
};

/// Of what is pending, which states a power cut may leave: nothing lost, all lost, each unit lost,
/// each alone kept, each prefix; a write also torn and zeroed. A unit is one operation, or the
/// frames of one SQL transaction, since a commit without any one of its frames was never made.
/// Full: each operation is a unit of its own, and each pair is lost too.
std::vector<LossPattern> power_losses(FakeDisk& disk, bool full);

}  // namespace update::crash
