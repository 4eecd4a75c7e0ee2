#include "tests/fake/fake_disk.hpp"

#include <algorithm>
#include <set>

namespace update {

namespace {

using Kind = DiskOperation::Kind;

constexpr const char* kCapabilities = "security.capability";

void allocate(InodeImage& image, std::uint64_t end, bool shares_blocks) {
  if (end <= image.allocated) return;
  if (!shares_blocks) image.charged += end - image.allocated;
  image.allocated = end;
}

void apply_write(const DiskOperation& operation, Fate fate, InodeImage& image) {
  const std::string& source = operation.content->text();
  const std::size_t length = fate == Fate::torn ? source.size() / 2 : source.size();
  if (length == 0) return;
  const std::uint64_t end = operation.offset + length;
  allocate(image, end, operation.shares_blocks);
  image.mtime_ns = operation.mtime_ns;
  // Linux drops capabilities at every write, root's too (security/commoncap.c, cap_inode_killpriv).
  if (image.attributes->contains(kCapabilities)) image.attributes.edit().erase(kCapabilities);
  if (fate == Fate::kept && operation.offset == 0 && image.text().size() <= source.size()) {
    image.content = operation.content;
    return;
  }
  std::string& text = image.content.edit().edit_text();
  if (text.size() < end) text.resize(end);
  if (fate != Fate::zeroed) text.replace(operation.offset, length, source, 0, length);
}

void apply_truncate(const DiskOperation& operation, InodeImage& image) {
  image.content.edit().edit_text().resize(operation.offset);
  image.allocated = std::min(image.allocated, operation.offset);
  image.charged = std::min(image.charged, image.allocated);
  image.mtime_ns = operation.mtime_ns;
}

void apply_owner(const DiskOperation& operation, InodeImage& image) {
  image.uid = operation.uid;
  image.gid = operation.gid;
  // chown(2): set-id bits and capabilities go, whoever asks; set-group-id without group execute is
  // not one.
  image.mode &= ~04000U;
  if ((image.mode & 010U) != 0) image.mode &= ~02000U;
  if (image.attributes->contains(kCapabilities)) image.attributes.edit().erase(kCapabilities);
}

void apply_names(const DiskOperation& operation, InodeImage& image) {
  FolderNames& names = image.names.edit();
  for (const auto& [name, number] : operation.names) {
    if (number) {
      names.insert_or_assign(name, *number);
    } else {
      names.erase(name);
    }
  }
  image.mtime_ns = operation.mtime_ns;
}

void apply(const DiskOperation& operation, Fate fate, InodeImage& image) {
  if (operation.kind == Kind::write) return apply_write(operation, fate, image);
  if (fate != Fate::kept) return;
  switch (operation.kind) {
    case Kind::write: return;
    case Kind::truncate: return apply_truncate(operation, image);
    case Kind::reserve: return allocate(image, operation.offset, false);
    case Kind::owner: return apply_owner(operation, image);
    case Kind::mode: image.mode = operation.mode; return;
    case Kind::times: image.mtime_ns = operation.mtime_ns; return;
    case Kind::attribute:
      if (operation.value) {
        image.attributes.edit().insert_or_assign(operation.attribute, *operation.value);
      } else {
        image.attributes.edit().erase(operation.attribute);
      }
      return;
    case Kind::names: return apply_names(operation, image);
  }
}

std::string describe(const DiskOperation& operation) {
  switch (operation.kind) {
    case Kind::write:
      return "write " + std::to_string(operation.content->text().size()) + " bytes at " +
             std::to_string(operation.offset);
    case Kind::truncate: return "truncate to " + std::to_string(operation.offset);
    case Kind::reserve: return "reserve " + std::to_string(operation.offset);
    case Kind::owner: return "owner";
    case Kind::mode: return "mode";
    case Kind::times: return "times";
    case Kind::attribute: return "attribute " + operation.attribute;
    case Kind::names: break;
  }
  std::string line = "names";
  for (const auto& [name, number] : operation.names) {
    line.append(" ").append(name);
    line.append(number ? "=inode " + std::to_string(*number) : "=none");
  }
  return line;
}

}  // namespace

FakeDisk::FakeDisk() : inodes_(kRoot + 1), devices_(1) {
  Inode& root = inodes_[kRoot].emplace().edit();
  root.type = os::FileType::folder;
  root.links = 1;
  root.now.mode = 0755;
  root.now.mtime_ns = tick_ns;
  root.durable = root.now;
}

std::int64_t FakeDisk::next_tick() {
  tick_ns += tick_step_ns;
  return tick_ns;
}

std::optional<InodeNumber> FakeDisk::child(InodeNumber folder, std::string_view name) const {
  const FolderNames& names = *at(folder).now.names;
  const auto found = names.find(name);
  if (found == names.end()) return std::nullopt;
  return found->second;
}

void FakeDisk::mount(InodeNumber folder) {
  edit(folder).device = devices_.size();
  devices_.emplace_back();
}

InodeNumber FakeDisk::create(InodeNumber folder, const std::string& name, os::FileType type,
                             std::uint32_t mode, std::uint32_t uid, std::uint32_t gid) {
  const InodeNumber number = inodes_.size();
  Inode& inode = inodes_.emplace_back().emplace().edit();
  inode.type = type;
  inode.device = at(folder).device;
  inode.now.mode = mode & 07777U;
  inode.now.uid = uid;
  inode.now.gid = gid;
  inode.now.mtime_ns = tick_ns + tick_step_ns;
  inode.durable = inode.now;
  FakeDevice& device = devices_[inode.device];
  if (device.free_inodes != UINT64_MAX) --device.free_inodes;
  add_name(folder, name, number);
  return number;
}

void FakeDisk::name_change(DiskOperation operation, std::optional<InodeNumber> named) {
  operation.kind = Kind::names;
  change(std::move(operation));
  if (named) edit(*named).ctime_ns = tick_ns;
}

void FakeDisk::add_name(InodeNumber folder, const std::string& name, InodeNumber inode) {
  ++edit(inode).links;
  name_change({.inode = folder, .names = {{name, inode}}}, inode);
}

void FakeDisk::move_name(InodeNumber folder, const std::string& name, const std::string& new_name) {
  const InodeNumber inode = *child(folder, name);
  const auto replaced = child(folder, new_name);
  if (replaced) --edit(*replaced).links;
  name_change({.inode = folder, .names = {{name, std::nullopt}, {new_name, inode}}}, inode);
  if (replaced) edit(*replaced).ctime_ns = tick_ns;
}

void FakeDisk::remove_name(InodeNumber folder, const std::string& name) {
  const InodeNumber inode = *child(folder, name);
  --edit(inode).links;
  name_change({.inode = folder, .names = {{name, std::nullopt}}}, inode);
}

void FakeDisk::change(DiskOperation operation) {
  const std::int64_t tick = next_tick();
  if (operation.kind != Kind::times) operation.mtime_ns = tick;
  Inode& inode = edit(operation.inode);
  const std::uint64_t charged = inode.now.charged;
  apply(operation, Fate::kept, inode.now);
  inode.ctime_ns = tick;
  inode.differs = true;
  devices_[inode.device].free_bytes += charged - inode.now.charged;
  pending_.push_back({std::make_shared<const DiskOperation>(std::move(operation)), false});
}

std::uint64_t FakeDisk::bytes_needed(InodeNumber number, std::uint64_t end) const {
  const std::uint64_t allocated = at(number).now.allocated;
  return end > allocated ? end - allocated : 0;
}

void FakeDisk::release(InodeNumber number) {
  Inode& inode = edit(number);
  FakeDevice& device = devices_[inode.device];
  device.free_bytes += inode.now.charged;
  if (device.free_inodes != UINT64_MAX) ++device.free_inodes;
  inode.now.charged = 0;
  inode.differs = true;
}

void FakeDisk::sync(InodeNumber number, bool fails) {
  bool mine = false;
  for (Pending& each : pending_) {
    if (each.operation->inode != number) continue;
    mine = true;
    if (fails) {
      each.doomed = true;
    } else if (!each.doomed) {
      apply(*each.operation, Fate::kept, edit(number).durable);
    }
  }
  if (!mine || fails) return;
  std::erase_if(pending_, [&](const Pending& each) { return each.operation->inode == number; });
}

void FakeDisk::forget_unreachable_operations() {
  const auto nameless = [&](const Pending& each) { return at(each.operation->inode).links == 0; };
  if (std::none_of(pending_.begin(), pending_.end(), nameless)) return;
  std::set<InodeNumber> named;  // a cut could give these a name again
  for (const auto& inode : inodes_) {
    if (!inode) continue;
    for (const auto& [name, number] : *(*inode)->durable.names) named.insert(number);
  }
  for (const Pending& each : pending_) {
    for (const auto& [name, number] : each.operation->names) {
      if (number) named.insert(*number);
    }
  }
  std::erase_if(pending_, [&](const Pending& each) {
    return nameless(each) && !named.contains(each.operation->inode);
  });
}

std::size_t FakeDisk::pending_count() {
  forget_unreachable_operations();
  return pending_.size();
}

std::vector<std::string> FakeDisk::pending() {
  forget_unreachable_operations();
  std::vector<std::string> lines;
  for (const Pending& each : pending_) {
    lines.push_back(describe(*each.operation) + " of " + path_of(each.operation->inode) +
                    (each.doomed ? " (sync failed)" : ""));
  }
  return lines;
}

std::vector<std::shared_ptr<const DiskOperation>> FakeDisk::pending_operations() {
  forget_unreachable_operations();
  std::vector<std::shared_ptr<const DiskOperation>> operations;
  for (const Pending& each : pending_) operations.push_back(each.operation);
  return operations;
}

void FakeDisk::lose(const LossPattern& pattern) {
  forget_unreachable_operations();
  std::vector<std::uint64_t> totals(devices_.size());
  std::vector<std::uint64_t> counts(devices_.size());
  const auto for_each_inode = [&](auto visit) {
    for (const auto& inode : inodes_) {
      if (inode) visit(**inode);
    }
  };
  for_each_inode([&](const Inode& inode) { totals[inode.device] += inode.now.charged; });
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    if (inodes_[number] && at(number).differs) edit(number).now = at(number).durable;
  }
  for (std::size_t index = 0; index < pending_.size(); ++index) {
    const DiskOperation& operation = *pending_[index].operation;
    const Fate fate = pattern.fate(index);
    if (fate != Fate::lost) apply(operation, fate, edit(operation.inode).now);
  }
  pending_.clear();
  collect_unreachable_inodes();
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    if (!inodes_[number] || !at(number).differs) continue;
    Inode& inode = edit(number);
    inode.durable = inode.now;
    inode.differs = false;
  }
  for_each_inode([&](const Inode& inode) { counts[inode.device] += inode.now.charged; });
  for (std::size_t device = 0; device < devices_.size(); ++device) {
    const std::uint64_t total = devices_[device].free_bytes + totals[device];
    devices_[device].free_bytes = total > counts[device] ? total - counts[device] : 0;
  }
}

void FakeDisk::collect_unreachable_inodes() {
  std::vector<std::uint64_t> links(inodes_.size());
  links[kRoot] = 1;
  std::vector<InodeNumber> folders{kRoot};
  while (!folders.empty()) {
    const InodeNumber folder = folders.back();
    folders.pop_back();
    for (const auto& [name, number] : *at(folder).now.names) {
      if (links[number]++ == 0 && at(number).type == os::FileType::folder) {
        folders.push_back(number);
      }
    }
  }
  for (InodeNumber number = kRoot; number < inodes_.size(); ++number) {
    if (!inodes_[number]) continue;
    FakeDevice& device = devices_[at(number).device];
    const bool counted = device.free_inodes != UINT64_MAX;
    if (links[number] != at(number).links) {
      if (counted && links[number] == 0) ++device.free_inodes;
      if (counted && at(number).links == 0) --device.free_inodes;
      edit(number).links = links[number];
    }
    if (links[number] == 0) inodes_[number].reset();
  }
  while (!inodes_.back()) inodes_.pop_back();
}

std::string FakeDisk::path_of(InodeNumber number) const {
  std::vector<std::pair<InodeNumber, std::string>> folders{{kRoot, ""}};
  while (!folders.empty()) {
    const auto [folder, path] = std::move(folders.back());
    folders.pop_back();
    if (folder == number) return path.empty() ? "/" : path;
    for (const auto& [name, child_number] : *at(folder).now.names) {
      const std::string child_path = path + "/" + name;
      if (child_number == number) return child_path;
      if (at(child_number).type == os::FileType::folder) {
        folders.emplace_back(child_number, child_path);
      }
    }
  }
  return "inode " + std::to_string(number);
}

}  // namespace update
