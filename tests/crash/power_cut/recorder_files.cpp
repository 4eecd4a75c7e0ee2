// What becomes of the bytes, the size and the mode of a file.

#include <sys/stat.h>

#include <utility>

#include "tests/crash/power_cut/recorder.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {

using scenario::contains;

namespace {

std::uint64_t unsigned_in(const std::string& argument) {
  return static_cast<std::uint64_t>(number_in(argument));
}

}  // namespace

void Recorder::open_file(const SystemCall& call) {
  const Descriptor opened = descriptor_in(call.result);
  const std::string& flags = call.argument(2);
  opened_[{call.thread, opened.number}] = call.result;
  positions_[{call.thread, opened.number}] = 0;
  const Place file = place(descriptor_in(call.argument(0)).path, bytes_in(call.argument(1)));
  if (!file.ours || file.is_volatile) return;
  const auto mode = mode_in(call.argument(3));
  if (contains(flags, "O_TMPFILE")) {
    nameless_[opened.path] = new_inode(S_IFREG | mode);
    return;
  }
  const auto inode = find(now_, file.path);
  if (!inode && contains(flags, "O_CREAT")) {
    const InodeId made = new_inode(S_IFREG | mode);
    put_names("create " + file.path, made, {{file.folder, file.name, made}});
  } else if (inode && contains(flags, "O_TRUNC") && !now_.inodes[*inode].bytes.empty()) {
    Operation operation{Kind::size, "empty " + file.path};
    operation.inode = *inode;
    put(std::move(operation));
  }
  if (contains(flags, "O_APPEND") && inode) {
    positions_[{call.thread, opened.number}] = now_.inodes[*inode].bytes.size();
  }
}

void Recorder::write_at(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (!inode) return;
  std::string bytes = bytes_in(call.argument(1));
  bytes.resize(static_cast<std::size_t>(number_in(call.result)));
  put_data(*inode, unsigned_in(call.argument(3)), std::move(bytes), path_of(call.argument(0)));
}

void Recorder::write_on(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  std::string bytes = bytes_in(call.argument(1));
  bytes.resize(static_cast<std::size_t>(number_in(call.result)));
  if (!inode) {
    if (descriptor_in(call.argument(0)).number == 1) put({Kind::report, "say: " + bytes});
    return;
  }
  if (positions_.count({call.thread, descriptor_in(call.argument(0)).number}) == 0) {
    return refuse(call);  // inherited or duplicated: nobody knows where it writes
  }
  std::uint64_t& offset = position(call, call.argument(0));
  const std::uint64_t begin = std::exchange(offset, offset + bytes.size());
  put_data(*inode, begin, std::move(bytes), path_of(call.argument(0)));
}

void Recorder::seek(const SystemCall& call) {
  position(call, call.argument(0)) = unsigned_in(call.result);
}

void Recorder::send_file(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (!inode) return;
  const std::uint64_t length = unsigned_in(call.result);
  const bool given = call.argument(2).rfind('[', 0) == 0;
  std::uint64_t& from = position(call, call.argument(1));
  const std::uint64_t source = given ? unsigned_in(call.argument(2)) : from;
  if (!given) from += length;
  std::uint64_t& to = position(call, call.argument(0));
  put_data(*inode, std::exchange(to, to + length), bytes_of(call.argument(1), source, length),
           path_of(call.argument(0)));
}

void Recorder::copy_range(const SystemCall& call) {
  const auto inode = inode_of(call.argument(2));
  if (!inode) return;
  if (call.argument(1) == "NULL" || call.argument(3) == "NULL") return refuse(call);
  const std::uint64_t length = unsigned_in(call.result);
  put_data(*inode, unsigned_in(call.argument(3)),
           bytes_of(call.argument(0), unsigned_in(call.argument(1)), length),
           path_of(call.argument(2)));
}

void Recorder::control(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (!inode || !contains(call.argument(1), "CLONE")) return;
  const auto source = opened_.find({call.thread, static_cast<int>(number_in(call.argument(2)))});
  if (contains(call.argument(1), "CLONERANGE") || source == opened_.end()) return refuse(call);
  put_data(*inode, 0, bytes_of(source->second, 0, ~std::uint64_t{0}), path_of(call.argument(0)));
}

void Recorder::truncate(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  const std::uint64_t size = unsigned_in(call.argument(1));
  if (!inode || now_.inodes[*inode].bytes.size() == size) return;
  Operation operation{Kind::size,
                      "cut to " + std::to_string(size) + ": " + path_of(call.argument(0))};
  operation.inode = *inode;
  operation.size = size;
  put(std::move(operation));
}

void Recorder::allocate(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (!inode || call.argument(1) == "FALLOC_FL_KEEP_SIZE") return;  // space, and no bytes
  if (call.argument(1) != "0") return refuse(call);
  const std::uint64_t end = unsigned_in(call.argument(2)) + unsigned_in(call.argument(3));
  if (end <= now_.inodes[*inode].bytes.size()) return;
  Operation operation{Kind::size, "grow " + path_of(call.argument(0))};
  operation.inode = *inode;
  operation.size = end;
  put(std::move(operation));
}

void Recorder::put_mode(InodeId inode, const std::string& mode, const std::string& path) {
  Operation operation{Kind::mode, "mode of " + path};
  operation.inode = inode;
  operation.mode = (now_.inodes[inode].mode & S_IFMT) | mode_in(mode);
  if (operation.mode != now_.inodes[inode].mode) put(std::move(operation));
}

void Recorder::change_mode(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (inode) put_mode(*inode, call.argument(1), path_of(call.argument(0)));
}

void Recorder::change_mode_by_name(const SystemCall& call) {
  const Place file = place(descriptor_in(call.argument(0)).path, bytes_in(call.argument(1)));
  const auto inode = file.ours && !file.is_volatile ? find(now_, file.path) : std::nullopt;
  if (inode) put_mode(*inode, call.argument(2), file.path);
}

void Recorder::change_owner(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (!inode) return;
  Operation operation{Kind::owner, "owner of " + path_of(call.argument(0))};
  const Inode& file = now_.inodes[*inode];
  operation.inode = *inode;
  // -1 leaves one of the two as it is: chown(2).
  const auto owner = static_cast<uid_t>(number_in(call.argument(1)));
  const auto group = static_cast<gid_t>(number_in(call.argument(2)));
  operation.owner = owner == static_cast<uid_t>(-1) ? file.owner : owner;
  operation.group = group == static_cast<gid_t>(-1) ? file.group : group;
  if (operation.owner != file.owner || operation.group != file.group) put(std::move(operation));
}

}  // namespace update::crash
