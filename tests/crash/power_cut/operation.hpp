#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tests/crash/power_cut/disk.hpp"
#include "tests/fake/loss_pattern.hpp"

namespace update::crash {

/// What a system call does to inodes and names, or what it makes durable.
enum class Kind : std::uint8_t {
  data,       ///< bytes at an offset of a file
  size,       ///< a file is cut off or grows
  mode,       ///< fchmod
  owner,      ///< fchown
  names,      ///< entries of folders change, all of them at once
  sync,       ///< fsync of a file or a folder
  sync_data,  ///< fdatasync: not the mode and the owner, for nobody needs them to read the bytes
  sync_all,   ///< sync, syncfs
  run,        ///< the program starts another one
  report,     ///< the program says how it ended
};

/// An entry of a folder gets another inode, or goes.
struct NameChange {
  InodeId folder = kRoot;
  std::string name;
  std::optional<InodeId> inode;
};

struct Operation {
  Kind kind = Kind::report;
  std::string text;  ///< for a person: "rename bin/.alpha.staged to bin/alpha"
  InodeId inode = kRoot;
  std::uint64_t offset = 0;
  std::string bytes = {};
  std::uint64_t size = 0;
  mode_t mode = 0;
  uid_t owner = 0;
  gid_t group = 0;
  std::vector<NameChange> names = {};

  bool is_sync() const {
    return kind == Kind::sync || kind == Kind::sync_data || kind == Kind::sync_all;
  }
  bool changes() const { return !is_sync() && kind != Kind::run && kind != Kind::report; }
};

/// What the operation leaves on the disk, if that is its fate. Only data can be torn or zeroed.
void apply(const Operation& operation, Fate fate, Disk& disk);

}  // namespace update::crash
