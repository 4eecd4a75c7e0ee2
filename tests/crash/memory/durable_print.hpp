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

/// The same of a machine that still runs: what the disk holds now, and what is not durable yet.
std::uint64_t running_print(FakeDisk& disk);

/// Of what is pending, which states a power cut may leave: nothing lost, all lost, each unit lost,
/// each alone kept, each prefix; a write also torn and zeroed. A unit is one operation, or the
/// frames of one SQL transaction, since a commit without any one of its frames was never made.
/// Full: each operation is a unit of its own, and each pair is lost too.
std::vector<LossPattern> power_cuts(FakeDisk& disk, bool full);

/// A number that tells which committed frames a WAL holds, by their salts and running checksums.
std::uint64_t committed_frames(std::string_view wal);

}  // namespace update::crash
