#include "tests/crash/power_cut/operation.hpp"

#include <algorithm>

namespace update::crash {

namespace {

void apply_data(const Operation& operation, Fate fate, std::string& file) {
  const std::size_t length =
      fate == Fate::torn ? operation.bytes.size() / 2 : operation.bytes.size();
  const auto offset = static_cast<std::size_t>(operation.offset);
  if (length == 0) return;
  if (file.size() < offset + length) file.resize(offset + length);
  // The size arrived and the bytes did not: what the file held before stays what it was.
  if (fate == Fate::zeroed) return;
  const auto place = file.begin() + static_cast<std::ptrdiff_t>(offset);
  std::copy_n(operation.bytes.begin(), length, place);
}

}  // namespace

void apply(const Operation& operation, Fate fate, Disk& disk) {
  if (fate == Fate::lost || (fate != Fate::kept && operation.kind != Kind::data)) return;
  Inode& inode = disk.inodes[operation.inode];
  switch (operation.kind) {
    case Kind::data: apply_data(operation, fate, inode.bytes); break;
    case Kind::size: inode.bytes.resize(static_cast<std::size_t>(operation.size)); break;
    case Kind::mode: inode.mode = operation.mode; break;
    case Kind::owner:
      inode.owner = operation.owner;
      inode.group = operation.group;
      break;
    case Kind::names:
      for (const NameChange& change : operation.names) {
        auto& names = disk.inodes[change.folder].names;
        if (change.inode) {
          names[change.name] = *change.inode;
        } else {
          names.erase(change.name);
        }
      }
      break;
    case Kind::sync:
    case Kind::sync_data:
    case Kind::sync_all:
    case Kind::run:
    case Kind::report: break;
  }
}

}  // namespace update::crash
