#include "engine/image/host/host_reader.hpp"

#include "engine/image/file/copy_range.hpp"
#include "engine/image/host/host_attributes.hpp"
#include "engine/image/host/host_time.hpp"

#include <algorithm>
#include <optional>

namespace update::image {
namespace {

constexpr std::string_view kLeftOutAtTop = "lost+found";

Error exchanged(const os::Folder& folder, const std::string& name) {
  return Error(ErrorCode::failed,
               folder.path() + "/" + name + " was exchanged while the folder was read")
      .hint("run it again when nobody writes there");
}

Error too_much(const std::string& what) {
  return {ErrorCode::failed, "there is more than can be taken at once: " + what};
}

std::optional<Skipped> skipped_kind(os::SpecialType special) {
  switch (special) {
    case os::SpecialType::device: return Skipped::device;
    case os::SpecialType::socket: return Skipped::socket;
    case os::SpecialType::pipe: return Skipped::pipe;
    case os::SpecialType::none: break;
  }
  return std::nullopt;
}

Result<std::vector<std::string>> wanted_names(os::Folder& folder, const Selection* selection) {
  if (selection == nullptr || selection->whole) return folder.list();
  std::vector<std::string> names;
  for (const auto& [name, below] : selection->children) names.push_back(name);
  return names;
}

}  // namespace

Status HostReader::read_folder(os::Folder& top, const Selection& selection) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, top.info());
  device_ = info.identity.device;
  UPDATE_TRY_ASSIGN(const EntryIndex entry, add_entry(kNoEntry, "", EntryType::folder, info));
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, top.attributes());
  UPDATE_TRY(add_attributes(entry, attributes));
  UPDATE_TRY(enter({.owned = nullptr, .folder = &top, .selection = &selection, .entry = entry}));
  std::erase(levels_.back().names, kLeftOutAtTop);
  while (!levels_.empty()) {
    Level& level = levels_.back();
    if (level.next == level.names.size()) {
      levels_.pop_back();
    } else {
      const std::string name = level.names[level.next++];
      UPDATE_TRY(read_name(level, name));
    }
  }
  return {};
}

Status HostReader::enter(Level level) {
  if (levels_.size() >= limits_.depth) {
    return fail(too_much("folders within folders at " + tree_.path(level.entry)));
  }
  UPDATE_TRY_ASSIGN(level.names, wanted_names(*level.folder, level.selection));
  levels_.push_back(std::move(level));
  return {};
}

Status HostReader::read_name(Level& level, const std::string& name) {
  const bool listed = level.selection != nullptr && !level.selection->whole;
  const Selection* const below = listed ? &level.selection->children.find(name)->second : nullptr;
  UPDATE_TRY_ASSIGN(const auto seen, level.folder->lookup(name));
  if (!seen && listed) {
    return fail(ErrorCode::usage, "there is no " + name + " in " + level.folder->path());
  }
  if (!seen) return fail(exchanged(*level.folder, name));
  if (below != nullptr && !below->whole && seen->type != os::FileType::folder) {
    return fail(ErrorCode::usage, level.folder->path() + "/" + name +
                                      " is not a folder, so that nothing below it can be taken");
  }
  switch (seen->type) {
    case os::FileType::folder: return read_subfolder(level, name, *seen, below);
    case os::FileType::regular: return read_regular(level, name, *seen);
    case os::FileType::symbolic_link: return read_symbolic_link(level, name, *seen);
    case os::FileType::other: break;
  }
  if (const auto kind = skipped_kind(seen->special)) tree_.skip(*kind);
  return {};
}

Status HostReader::read_subfolder(Level& level, const std::string& name, const os::FileInfo& seen,
                                  const Selection* selection) {
  UPDATE_TRY_ASSIGN(auto folder, level.folder->open_folder(name));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, folder->info());
  if (!info.identity.same_inode(seen.identity)) return fail(exchanged(*level.folder, name));
  UPDATE_TRY_ASSIGN(const EntryIndex entry, add_entry(level.entry, name, EntryType::folder, info));
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, folder->attributes());
  UPDATE_TRY(add_attributes(entry, attributes));
  if (info.identity.device != device_) {
    if (selection != nullptr && !selection->whole) {
      return fail(Error(ErrorCode::failed, folder->path() + " is on another file system, and what "
                                                            "the list names in it is not taken")
                      .hint("ingest it by itself: --at puts it into its place"));
    }
    tree_.skip(Skipped::mount_point);  // the empty folder alone
    return {};
  }
  os::Folder* const opened = folder.get();
  return enter(
      {.owned = std::move(folder), .folder = opened, .selection = selection, .entry = entry});
}

Status HostReader::read_regular(Level& level, const std::string& name, const os::FileInfo& seen) {
  UPDATE_TRY_ASSIGN(const bool known, add_hard_link(level, name, seen));
  if (known) return {};
  UPDATE_TRY_ASSIGN(const auto file, level.folder->open_file(name));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  if (!info.identity.same_inode(seen.identity)) return fail(exchanged(*level.folder, name));
  UPDATE_TRY_ASSIGN(const EntryIndex entry, add_entry(level.entry, name, EntryType::regular, info));
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, file->attributes());
  UPDATE_TRY(add_attributes(entry, attributes));
  return add_extents(entry, *file);
}

Status HostReader::read_symbolic_link(Level& level, const std::string& name,
                                      const os::FileInfo& seen) {
  UPDATE_TRY_ASSIGN(const bool known, add_hard_link(level, name, seen));
  if (known) return {};
  UPDATE_TRY_ASSIGN(const std::string target, level.folder->read_link(name));
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, level.folder->attributes_of(name));
  // A link cannot be held open: that it is the same after as before has to do.
  UPDATE_TRY_ASSIGN(const auto after, level.folder->lookup(name));
  if (!after || after->identity != seen.identity) return fail(exchanged(*level.folder, name));
  UPDATE_TRY_ASSIGN(const EntryIndex entry,
                    add_entry(level.entry, name, EntryType::symbolic_link, seen));
  UPDATE_TRY_ASSIGN(tree_.entries[entry].content, keep(target));
  return add_attributes(entry, attributes);
}

Status HostReader::read_one_file(os::File& file, const std::string& name) {
  constexpr std::uint32_t kTopMode = 0755;
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file.info());
  os::FileInfo top;
  top.mode = kTopMode;
  top.modified = info.modified;
  top.accessed = info.accessed;
  top.changed = info.changed;
  UPDATE_TRY_ASSIGN(const EntryIndex folder, add_entry(kNoEntry, "", EntryType::folder, top));
  UPDATE_TRY_ASSIGN(const EntryIndex entry, add_entry(folder, name, EntryType::regular, info));
  UPDATE_TRY_ASSIGN(const os::Attributes attributes, file.attributes());
  UPDATE_TRY(add_attributes(entry, attributes));
  return add_extents(entry, file);
}

Result<bool> HostReader::add_hard_link(Level& level, const std::string& name,
                                       const os::FileInfo& info) {
  if (info.links < 2) return false;
  const auto [known, added] = linked_.try_emplace({info.identity.device, info.identity.inode},
                                                  static_cast<EntryIndex>(tree_.entries.size()));
  if (added) return false;
  const EntryIndex first = known->second;
  os::FileInfo nothing;
  nothing.identity.inode = info.identity.inode;
  const EntryType type = tree_.entries[first].type;
  UPDATE_TRY_ASSIGN(const EntryIndex entry, add_entry(level.entry, name, type, nothing));
  tree_.entries[entry].link_to = first;
  return true;
}

Result<EntryIndex> HostReader::add_entry(EntryIndex parent, std::string_view name, EntryType type,
                                         const os::FileInfo& info) {
  if (tree_.entries.size() >= limits_.entries) {
    return fail(too_much(std::to_string(limits_.entries) + " entries are the most"));
  }
  Entry entry;
  entry.parent = parent;
  UPDATE_TRY_ASSIGN(entry.name, keep(name));
  entry.type = type;
  entry.mode = static_cast<std::uint16_t>(info.mode);
  entry.uid = info.uid;
  entry.gid = info.gid;
  entry.modified = time_of(info.modified);
  entry.accessed = time_of(info.accessed);
  entry.changed = time_of(info.changed);
  entry.size = type == EntryType::regular ? info.identity.size : 0;
  entry.first_extent = static_cast<std::uint32_t>(tree_.extents.size());
  entry.first_attribute = static_cast<std::uint32_t>(tree_.attributes.size());
  entry.links = static_cast<std::uint32_t>(info.links);
  entry.inode = info.identity.inode;
  tree_.entries.push_back(entry);
  seen_.push_back({info.identity, info.changed});
  return static_cast<EntryIndex>(tree_.entries.size() - 1);
}

Status HostReader::add_attributes(EntryIndex entry, const os::Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    if (belongs_to_host(name)) {
      tree_.skip(Skipped::attribute);
      continue;
    }
    if (tree_.attributes.size() >= limits_.extents) return fail(too_much("attributes"));
    Attribute attribute;
    UPDATE_TRY_ASSIGN(attribute.name, keep(name));
    UPDATE_TRY_ASSIGN(attribute.value, keep(value));
    tree_.attributes.push_back(attribute);
    ++tree_.entries[entry].attributes;
  }
  return {};
}

Status HostReader::add_extents(EntryIndex entry, os::File& file) {
  const std::uint64_t size = tree_.entries[entry].size;
  if (size == 0) return check_end(file, size);
  for (std::uint64_t offset = 0; offset < size;) {
    UPDATE_TRY_ASSIGN(const auto data, file.next_data(offset));
    if (!data || data->begin >= size) break;
    offset = std::min(data->end, size);
    UPDATE_TRY(add_extent(entry, data->begin, offset));
  }
  return {};
}

Status HostReader::add_extent(EntryIndex entry, std::uint64_t begin, std::uint64_t end) {
  if (tree_.extents.size() >= limits_.extents) {
    return fail(too_much("the pieces of " + tree_.path(entry)));
  }
  tree_.extents.push_back({.offset = begin, .source = begin, .length = end - begin});
  ++tree_.entries[entry].extents;
  return {};
}

Result<Text> HostReader::keep(std::string_view bytes) {
  if (bytes.size() > limits_.text_bytes - std::min(limits_.text_bytes, tree_.text.size())) {
    return fail(too_much("names, links and attributes"));
  }
  return tree_.keep(bytes);
}

}  // namespace update::image
