#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tests/fake/fake_disk.hpp"

namespace update::crash {

/// Equal for disks from which every program reads the same. Of a WAL that is what its committed
/// frames say: SQLite reads up to the last commit whose checksums fit and no further
/// (https://www.sqlite.org/fileformat2.html#walformat). What a lock file says is only a message.
std::uint64_t durable_print(const FakeDisk& disk);

/// The same without what the journal says.
std::uint64_t print_without_journal(const FakeDisk& disk);

/// The same of a machine that still runs: what the disk holds now, and what is not durable yet.
std::uint64_t running_print(FakeDisk& disk);
std::uint64_t running_print_without_journal(FakeDisk& disk);

/// One way in which a power cut may end.
struct PowerLoss {
  LossPattern pattern;
  std::size_t commits = 0;  ///< so many pending SQL transactions, from the first on, survive whole
};

/// Of what is pending, which states a power cut may leave: nothing lost, all lost, each unit lost,
/// each alone kept, each prefix; a write also torn and zeroed. A unit is one operation, or the
/// frames of one SQL transaction, since a commit without any one of its frames was never made.
/// Full: each operation is a unit of its own, and each pair is lost too.
std::vector<PowerLoss> power_losses(FakeDisk& disk, bool full);

/// durable_print of a disk whose WAL is known to hold these committed frames.
std::uint64_t durable_print(const FakeDisk& disk, std::uint64_t frames);
/// What every program reads from the journal on this disk.
std::uint64_t journal_print(const FakeDisk& disk);
/// committed_frames of the WAL on this disk; 0: there is none.
std::uint64_t frames_on(const FakeDisk& disk);

/// A number that tells which committed frames a WAL holds, by their salts and running checksums.
std::uint64_t committed_frames(std::string_view wal);

}  // namespace update::crash
