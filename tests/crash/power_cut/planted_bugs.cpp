#include "tests/crash/power_cut/planted_bugs.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <regex>

#include "tests/crash/power_cut/states.hpp"

namespace update::crash {

namespace {

using Operations = std::vector<Operation>;
using Place = Operations::iterator;

bool is_log_sync(const Operation& operation) {
  return operation.is_sync() && operation.text.find("journal.db-wal") != std::string::npos;
}

bool is_log_write(const Operation& operation) {
  return operation.kind == Kind::data && operation.text.find("journal.db-wal") != std::string::npos;
}

Place first_swap(Operations& operations) {
  return std::find_if(operations.begin(), operations.end(), is_swap);
}

Place sync_of(Operations& operations, InodeId inode) {
  return std::find_if(operations.begin(), operations.end(), [inode](const Operation& each) {
    return each.kind == Kind::sync && each.inode == inode;
  });
}

}  // namespace

std::vector<SyncCall> sync_calls(const Recording& recording) {
  static const std::regex kOwnPart(R"(\.\d+-[0-9a-f]{8}\.)");
  std::map<std::string, int> counts;
  std::vector<SyncCall> calls;
  for (std::size_t index = 0; index < recording.operations.size(); ++index) {
    const Operation& each = recording.operations[index];
    if (!each.is_sync() || index < recording.last_begins) continue;
    const std::string text = std::regex_replace(each.text, kOwnPart, ".");
    calls.push_back({index, text + " (" + std::to_string(++counts[text]) + ")"});
  }
  return calls;
}

PlantedBug without(const Recording& recording, const SyncCall& sync) {
  PlantedBug bug{"no " + sync.name, recording};
  Operations& operations = bug.recording.operations;
  operations.erase(operations.begin() + static_cast<std::ptrdiff_t>(sync.index));
  return bug;
}

PlantedBug without_log_syncs(const Recording& recording) {
  PlantedBug bug{"a journal without FULL", recording};
  Operations& operations = bug.recording.operations;
  operations.erase(std::remove_if(operations.begin(), operations.end(), is_log_sync),
                   operations.end());
  return bug;
}

PlantedBug rename_before_sync(const Recording& recording) {
  PlantedBug bug{"a rename before its file's sync", recording};
  Operations& operations = bug.recording.operations;
  const Place swap = first_swap(operations);
  const Place sync = sync_of(operations, swap->inode);
  std::rotate(sync, swap, std::next(swap));
  return bug;
}

PlantedBug write_in_place(const Recording& recording) {
  PlantedBug bug{"written in place", recording};
  Operations& operations = bug.recording.operations;
  const Place swap = first_swap(operations);
  const std::string& name = swap->names.back().name;
  const auto old = find(recording.before, "bin/" + name);
  const auto source = std::find_if(operations.begin(), swap, [&](const Operation& each) {
    return each.kind == Kind::data && each.inode == swap->inode;
  });
  EXPECT_TRUE(old && source != swap);
  Operation empty{Kind::size, "empty bin/" + name};
  Operation write = *source;
  Operation sync{Kind::sync, "fsync bin/" + name};
  empty.inode = write.inode = sync.inode = *old;
  Operation unlink = *swap;
  unlink.names.pop_back();  // the staged name goes, and the destination's stays where it was
  const auto at = operations.erase(swap);
  operations.insert(at, {empty, write, sync, unlink});
  return bug;
}

PlantedBug effect_before_intent(const Recording& recording) {
  PlantedBug bug{"the effect before the intent", recording};
  Operations& operations = bug.recording.operations;
  const Place swap = first_swap(operations);
  const Place end = std::find_if_not(swap, operations.end(), is_swap);
  // Back over the log's sync and its writes, up to the sync of the intent file.
  const auto intent = std::find_if(std::make_reverse_iterator(swap), operations.rend(),
                                   [](const Operation& each) { return each.kind == Kind::sync; });
  EXPECT_TRUE(std::any_of(intent.base(), swap, is_log_write));
  std::rotate(intent.base(), swap, end);
  return bug;
}

}  // namespace update::crash
