#include "tests/crash/power_cut/disk_model.hpp"

#include <algorithm>
#include <map>

namespace update::crash {

namespace {

bool is_bytes(const Operation& operation) {
  return operation.kind == Kind::data;
}

bool changes_folder(const Operation& operation, InodeId folder) {
  return operation.kind == Kind::names &&
         std::any_of(operation.names.begin(), operation.names.end(),
                     [folder](const NameChange& change) { return change.folder == folder; });
}

/// Which writes make a file longer than it was.
std::vector<bool> growing(const std::vector<Operation>& operations, const Disk& before) {
  std::map<InodeId, std::uint64_t> sizes;
  std::vector<bool> result(operations.size());
  for (std::size_t index = 0; index < operations.size(); ++index) {
    const Operation& each = operations[index];
    if (each.kind != Kind::data && each.kind != Kind::size) continue;
    auto& size =
        sizes.try_emplace(each.inode, before.inodes[each.inode].bytes.size()).first->second;
    const std::uint64_t end = each.offset + each.bytes.size();
    result[index] = is_bytes(each) && end > size;
    size = is_bytes(each) ? std::max(size, end) : each.size;
  }
  return result;
}

/// POSIX: is an operation on the disk for sure, the syncs after it considered?
bool is_synced(const std::vector<Operation>& operations, std::size_t index, std::size_t issued) {
  const Operation& change = operations[index];
  std::vector<InodeId> unsynced;
  for (const NameChange& each : change.names) unsynced.push_back(each.folder);
  if (change.kind != Kind::names) unsynced = {change.inode};
  const bool needs_full = change.kind == Kind::mode || change.kind == Kind::owner;
  for (std::size_t at = index + 1; at < issued && !unsynced.empty(); ++at) {
    const Operation& sync = operations[at];
    if (sync.kind == Kind::sync_all) return true;
    if (!sync.is_sync() || (needs_full && sync.kind == Kind::sync_data)) continue;
    unsynced.erase(std::remove(unsynced.begin(), unsynced.end(), sync.inode), unsynced.end());
  }
  return unsynced.empty();
}

std::vector<Choice> posix_choices(const std::vector<Operation>& operations, std::size_t issued) {
  Choice choice{std::vector<bool>(issued), {}};
  for (std::size_t index = 0; index < issued; ++index) {
    if (!operations[index].changes()) continue;
    choice.settled[index] = is_synced(operations, index, issued);
    if (!choice.settled[index]) choice.free.push_back(index);
  }
  return {choice};
}

/// Does the transaction of the file system's journal that a sync of `inode` waits for hold the
/// change? fdatasync(2) waits for what is needed to read the bytes: the size, and a folder's names.
bool is_waited_for(const Operation& change, bool grows, const Operation& sync) {
  if (changes_folder(change, sync.inode)) return true;
  if (change.inode != sync.inode) return false;
  return sync.kind == Kind::sync || grows || change.kind == Kind::size;
}

/// Ordered: marks what the syncs have put on the disk.
void settle(const std::vector<Operation>& operations, const std::vector<bool>& grows,
            std::size_t sync, std::vector<bool>& settled) {
  const bool all = operations[sync].kind == Kind::sync_all;
  std::size_t committed = all ? sync : 0;
  for (std::size_t index = 0; index < sync; ++index) {
    const Operation& change = operations[index];
    if (!change.changes()) continue;
    if (is_bytes(change) && (all || change.inode == operations[sync].inode)) settled[index] = true;
    if (is_waited_for(change, grows[index], operations[sync])) {
      committed = std::max(committed, index + 1);
    }
  }
  for (std::size_t index = 0; index < committed; ++index) {
    if (operations[index].changes() && !is_bytes(operations[index])) settled[index] = true;
  }
}

std::vector<Choice> ordered_choices(const std::vector<Operation>& operations, const Disk& before,
                                    std::size_t issued) {
  const std::vector<bool> grows = growing(operations, before);
  Choice choice{std::vector<bool>(issued), {}};
  for (std::size_t index = 0; index < issued; ++index) {
    if (operations[index].is_sync()) settle(operations, grows, index, choice.settled);
  }
  const std::vector<bool> settled = choice.settled;
  std::vector<Choice> result;
  // One choice for each end that the file system's journal may have.
  for (std::size_t end = 0; end <= issued; ++end) {
    const bool is_end =
        end == issued || (operations[end].changes() && !settled[end] && !is_bytes(operations[end]));
    if (!is_end) continue;
    choice.free.clear();
    for (std::size_t index = 0; index < issued; ++index) {
      if (!is_bytes(operations[index]) || settled[index]) continue;
      if (!grows[index] || index < end) choice.free.push_back(index);
    }
    result.push_back(choice);
    if (end < issued) choice.settled[end] = true;
  }
  return result;
}

}  // namespace

std::vector<Choice> choices(const std::vector<Operation>& operations, const Disk& before,
                            Model model, std::size_t issued) {
  return model == Model::posix ? posix_choices(operations, issued)
                               : ordered_choices(operations, before, issued);
}

}  // namespace update::crash
