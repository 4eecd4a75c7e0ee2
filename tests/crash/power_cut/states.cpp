#include "tests/crash/power_cut/states.hpp"
#include "tests/crash/wal.hpp"

#include <sys/stat.h>

#include <functional>
#include <map>
#include <string_view>
#include <unordered_map>

namespace update::crash {

namespace {

constexpr std::string_view kJournal = "journal.db";

std::uint64_t mixed(std::uint64_t seed, std::uint64_t value) {
  return (seed ^ value) * 0x9e3779b97f4a7c15U + (seed >> 29U);
}

std::uint64_t hashed(std::string_view bytes) {
  return std::hash<std::string_view>{}(bytes);
}

bool is_log(const std::string& name) {
  return name == std::string(kJournal) + "-wal";
}

/// Prints of disks, without building each of them: a file whose operations met the same fates has
/// the same bytes.
class Printer {
 public:
  Printer(const Recording& recording, const Enumeration& enumeration)
      : recording_(recording), enumeration_(enumeration), names_(recording.before) {
    for (Inode& inode : names_.inodes) inode.bytes.clear();
    for (std::size_t index = 0; index < recording.operations.size(); ++index) {
      const Operation& each = recording.operations[index];
      if (each.kind == Kind::data || each.kind == Kind::size) {
        file_operations_[each.inode].push_back(index);
      }
    }
  }

  std::uint64_t print(const CutState& state) {
    Disk disk = names_;
    for (std::size_t index = 0; index < state.fates.size(); ++index) {
      const Operation& each = recording_.operations[index];
      if (each.kind != Kind::data && each.kind != Kind::size) apply(each, state.fates[index], disk);
    }
    std::map<InodeId, std::uint64_t> seen;
    return mixed(print_inode(disk, state.fates, kRoot, "", seen), promise(state.reached));
  }

 private:
  std::uint64_t promise(Reached reached) const {
    const bool told_apart = enumeration_.also_lost == AlsoLost::journal
                                ? reached == Reached::swap || reached == Reached::restart
                                : reached == Reached::restart || reached == Reached::report;
    return told_apart ? static_cast<std::uint64_t>(reached) : 0;
  }

  bool is_lost(const std::string& name) const {
    switch (enumeration_.also_lost) {
      case AlsoLost::nothing: return false;
      case AlsoLost::journal: return name.rfind(kJournal, 0) == 0;
      case AlsoLost::intent: return name == "intent";
    }
    return false;
  }

  std::uint64_t print_inode(const Disk& disk, const std::vector<Fate>& fates, InodeId id,
                            const std::string& name, std::map<InodeId, std::uint64_t>& seen) {
    if (const auto link = seen.find(id); link != seen.end()) return mixed(link->second, 2);
    seen[id] = seen.size();
    const Inode& inode = disk.inodes[id];
    std::uint64_t print = mixed(mixed(inode.mode, inode.owner), inode.group);
    if (!S_ISDIR(inode.mode)) return mixed(print, bytes_print(fates, id, name));
    for (const auto& [entry, child] : inode.names) {
      if (is_lost(entry)) continue;
      print = mixed(print, hashed(entry));
      print = mixed(print, print_inode(disk, fates, child, entry, seen));
    }
    return print;
  }

  std::uint64_t bytes_print(const std::vector<Fate>& fates, InodeId id, const std::string& name) {
    std::string key = std::to_string(id) + (is_log(name) ? "w" : "f");
    const std::vector<std::size_t>& operations = file_operations_[id];
    for (const std::size_t index : operations) {
      const Fate fate = index < fates.size() ? fates[index] : Fate::lost;
      key += static_cast<char>('0' + static_cast<int>(fate));
    }
    const auto [known, is_new] = bytes_prints_.try_emplace(key, 0);
    if (!is_new) return known->second;
    Disk file;
    file.inodes.resize(id + 1);
    file.inodes[id] = recording_.before.inodes[id];
    for (const std::size_t index : operations) {
      if (index < fates.size()) apply(recording_.operations[index], fates[index], file);
    }
    const std::string& bytes = file.inodes[id].bytes;
    const bool by_part = is_log(name) && enumeration_.by_committed_log;
    // An empty log is told from one that holds nothing of use: readers treat them differently.
    known->second = by_part ? mixed(log_reader_.committed_part(bytes).print, bytes.empty() ? 1 : 0)
                            : hashed(bytes);
    return known->second;
  }

  const Recording& recording_;
  Enumeration enumeration_;
  Disk names_;  // the inodes without their bytes
  std::map<InodeId, std::vector<std::size_t>> file_operations_;
  std::unordered_map<std::string, std::uint64_t> bytes_prints_;
  LogReader log_reader_;
};

/// What is on the disk and what had happened, as text; the same for a later moment that lost all
/// else.
std::string as_key(const Recording& recording, const CutState& state) {
  const auto digit = [](Fate fate) { return static_cast<char>('0' + static_cast<int>(fate)); };
  std::string key;
  for (std::size_t index = 0; index < state.fates.size(); ++index) {
    key += digit(recording.operations[index].changes() ? state.fates[index] : Fate::lost);
  }
  key.resize(key.find_last_not_of(digit(Fate::lost)) + 1);
  key += "abcde"[static_cast<std::size_t>(state.reached)];
  return key;
}

std::vector<Fate> fates_of(const Recording& recording, const Choice& choice,
                           const LossPattern& pattern) {
  std::vector<Fate> fates(choice.settled.size(), Fate::lost);
  for (std::size_t index = 0; index < fates.size(); ++index) {
    // What is no change leaves nothing on a disk; they are never lost.
    const bool kept = choice.settled[index] || !recording.operations[index].changes();
    if (kept) fates[index] = Fate::kept;
  }
  for (std::size_t each = 0; each < choice.free.size(); ++each) {
    Fate fate = pattern.fate(each);
    const bool is_data = recording.operations[choice.free[each]].kind == Kind::data;
    if (!is_data && fate != Fate::kept) fate = Fate::lost;
    fates[choice.free[each]] = fate;
  }
  return fates;
}

Reached reached(const Recording& recording, std::size_t issued) {
  Reached result = Reached::begin;
  for (std::size_t index = 0; index < issued; ++index) {
    const Operation& each = recording.operations[index];
    if (each.kind == Kind::report) {
      if (index >= recording.last_begins) return Reached::report;
      result = Reached::begin;  // of the next program
    }
    if (result == Reached::begin && is_swap(each)) result = Reached::swap;
    if (each.kind != Kind::run || result == Reached::begin) continue;
    result = result == Reached::swap ? Reached::restart : Reached::doctor;
  }
  return result;
}

}  // namespace

std::vector<CutState> distinct_states(const Recording& recording, const Enumeration& enumeration,
                                      const std::unordered_set<std::uint64_t>& known) {
  Printer printer(recording, enumeration);
  std::unordered_set<std::string> tried;
  std::unordered_set<std::uint64_t> seen = known;
  std::vector<CutState> states;
  for (std::size_t issued = recording.last_begins; issued <= recording.operations.size();
       ++issued) {
    CutState state;
    state.reached = reached(recording, issued);
    for (const Choice& choice :
         choices(recording.operations, recording.before, enumeration.model, issued)) {
      for (const LossPattern& pattern : every_pattern(choice.free.size(), enumeration.pairs)) {
        state.fates = fates_of(recording, choice, pattern);
        if (!tried.insert(as_key(recording, state)).second) continue;
        state.print = printer.print(state);
        if (seen.insert(state.print).second) states.push_back(state);
      }
    }
  }
  return states;
}

bool is_swap(const Operation& operation) {
  return operation.kind == Kind::names &&
         operation.text.find(".staged to bin/") != std::string::npos;
}

std::unordered_set<std::uint64_t> prints(const std::vector<CutState>& states) {
  std::unordered_set<std::uint64_t> result;
  for (const CutState& state : states) result.insert(state.print);
  return result;
}

std::string describe(const Recording& recording, const CutState& state) {
  std::string text = "the power is cut after operation " + std::to_string(state.fates.size()) +
                     " of " + std::to_string(recording.operations.size());
  if (!state.fates.empty()) {
    text += ", " + recording.operations[state.fates.size() - 1].text.substr(0, 200);
  }
  if (state.reached == Reached::restart) text += "; new code had been started";
  if (state.reached == Reached::report) text += "; the program had said how it ended";
  text += "\n";
  for (std::size_t index = 0; index < state.fates.size(); ++index) {
    if (state.fates[index] == Fate::kept) continue;
    text += std::string("  ") + name_of(state.fates[index]) + ": " + std::to_string(index + 1) +
            " " + recording.operations[index].text + "\n";
  }
  return text;
}

}  // namespace update::crash
