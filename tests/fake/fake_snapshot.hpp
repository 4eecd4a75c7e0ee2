#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>

#include "engine/os/filesystem.hpp"

namespace update {

/// What a person sees of a file: no inode number, no times.
struct SnapshotEntry {
  os::FileType type = os::FileType::other;
  std::string bytes;  ///< or the target of a link
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t links = 0;
  os::Attributes attributes;
  bool operator==(const SnapshotEntry&) const = default;
};

/// By path.
using Snapshot = std::map<std::string, SnapshotEntry>;

/// For the messages of GoogleTest.
void PrintTo(const SnapshotEntry& entry, std::ostream* out);

}  // namespace update
