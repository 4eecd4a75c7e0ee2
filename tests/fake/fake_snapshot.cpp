#include "tests/fake/fake_snapshot.hpp"

#include <cstring>
#include <iomanip>
#include <ostream>
#include <utility>

#include "tests/fake/fake_filesystem.hpp"

namespace update {

namespace {

std::string_view verb_name(FakeCall::Verb verb) {
  switch (verb) {
    case FakeCall::Verb::create: return "create";
    case FakeCall::Verb::create_folder: return "create folder";
    case FakeCall::Verb::write: return "write";
    case FakeCall::Verb::clone: return "clone";
    case FakeCall::Verb::copy: return "copy";
    case FakeCall::Verb::truncate: return "truncate";
    case FakeCall::Verb::reserve: return "reserve";
    case FakeCall::Verb::set_owner: return "set owner";
    case FakeCall::Verb::set_mode: return "set mode";
    case FakeCall::Verb::set_times: return "set times";
    case FakeCall::Verb::set_attribute: return "set attribute";
    case FakeCall::Verb::remove_attribute: return "remove attribute";
    case FakeCall::Verb::sync_file: return "sync file";
    case FakeCall::Verb::link: return "link";
    case FakeCall::Verb::rename: return "rename";
    case FakeCall::Verb::create_link: return "create link";
    case FakeCall::Verb::unlink: return "unlink";
    case FakeCall::Verb::remove_folder: return "remove folder";
    case FakeCall::Verb::sync_folder: return "sync folder";
    case FakeCall::Verb::sync_all: return "sync all";
  }
  return "";
}

char type_letter(os::FileType type) {
  switch (type) {
    case os::FileType::regular: return '-';
    case os::FileType::folder: return 'd';
    case os::FileType::symbolic_link: return 'l';
    case os::FileType::other: return '?';
  }
  return '?';
}

}  // namespace

std::string FakeCall::line() const {
  std::string text(verb_name(verb));
  text.append(" ").append(path);
  if (!detail.empty()) text.append(" ").append(detail);
  if (failed_with != 0) text.append(" = ").append(std::strerror(failed_with));
  return text;
}

std::vector<std::string> FakeFileSystem::lines() const {
  std::vector<std::string> lines;
  for (const FakeCall& call : calls_) lines.push_back(call.line());
  return lines;
}

Snapshot FakeFileSystem::snapshot(const std::string& folder) const {
  const Lock lock(mutex_);
  Snapshot snapshot;
  std::vector<std::pair<InodeNumber, std::string>> folders{
      {must_find(folder), folder == "/" ? "" : folder}};
  while (!folders.empty()) {
    const auto [number, path] = std::move(folders.back());
    folders.pop_back();
    for (const auto& [name, child] : *disk_.at(number).now.names) {
      const Inode& inode = disk_.at(child);
      snapshot.insert_or_assign(path + "/" + name,
                                SnapshotEntry{.type = inode.type,
                                              .bytes = inode.now.text(),
                                              .mode = inode.now.mode,
                                              .uid = inode.now.uid,
                                              .gid = inode.now.gid,
                                              .links = inode.links,
                                              .attributes = *inode.now.attributes});
      if (inode.type == os::FileType::folder) folders.emplace_back(child, path + "/" + name);
    }
  }
  return snapshot;
}

std::vector<std::string> FakeFileSystem::list_all() const {
  std::vector<std::string> paths;
  for (const auto& [path, entry] : snapshot()) paths.push_back(path);
  return paths;
}

void PrintTo(const SnapshotEntry& entry, std::ostream* out) {
  constexpr std::size_t kShown = 40;
  *out << type_letter(entry.type) << std::oct << std::setw(4) << std::setfill('0') << entry.mode
       << std::dec << " " << entry.uid << ":" << entry.gid << " x" << entry.links << " "
       << entry.bytes.size() << " bytes \"" << entry.bytes.substr(0, kShown) << "\"";
  for (const auto& [name, value] : entry.attributes) *out << " " << name << "=" << value;
}

}  // namespace update
