#include "tests/crash/power_cut/recorder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "tests/scenario/host.hpp"

namespace update::crash {

namespace fs = std::filesystem;
using scenario::contains;

namespace {

bool is_folder(const Inode& inode) {
  return S_ISDIR(inode.mode);
}

}  // namespace

Recorder::Recorder(std::string root, std::vector<std::string> folders, Disk before)
    : root_(std::move(root)),
      folders_(std::move(folders)),
      now_(std::move(before)),
      made_(now_.inodes),
      cwd_(fs::current_path()) {}

const std::map<std::string, Recorder::Handler>& Recorder::handlers() {
  static const std::map<std::string, Handler> kHandlers = {
      {"openat", &Recorder::open_file},
      {"pwrite64", &Recorder::write_at},
      {"pwritev", &Recorder::write_at},
      {"pwritev2", &Recorder::write_at},
      {"write", &Recorder::write_on},
      {"writev", &Recorder::write_on},
      {"lseek", &Recorder::seek},
      {"sendfile", &Recorder::send_file},
      {"copy_file_range", &Recorder::copy_range},
      {"ioctl", &Recorder::control},
      {"ftruncate", &Recorder::truncate},
      {"fallocate", &Recorder::allocate},
      {"fchmod", &Recorder::change_mode},
      {"fchmodat", &Recorder::change_mode_by_name},
      {"fchown", &Recorder::change_owner},
      {"umask", &Recorder::set_umask},
      {"chdir", &Recorder::change_folder},
      {"mkdirat", &Recorder::make_folder},
      {"mkdir", &Recorder::make_folder},
      {"linkat", &Recorder::link},
      {"link", &Recorder::link},
      {"renameat", &Recorder::rename},
      {"renameat2", &Recorder::rename},
      {"rename", &Recorder::rename},
      {"unlinkat", &Recorder::unlink},
      {"unlink", &Recorder::unlink},
      {"rmdir", &Recorder::unlink},
      {"fsync", &Recorder::sync},
      {"fdatasync", &Recorder::sync},
      {"syncfs", &Recorder::sync_all},
      {"sync", &Recorder::sync_all},
      {"mmap", &Recorder::map_memory},
      {"execve", &Recorder::run_program}};
  return kHandlers;
}

void Recorder::begin_program() {
  opened_.clear();
  positions_.clear();
  cwd_ = fs::current_path();
  umask_ = kFirstUmask;
  started_ = false;
  first_thread_ = 0;
}

void Recorder::add(const SystemCall& call) {
  if (first_thread_ == 0) first_thread_ = call.thread;
  if (call.name == "exit_group") end(call);  // it has no result
  if (call.failed()) return;
  const auto handler = handlers().find(call.name);
  (this->*(handler != handlers().end() ? handler->second : &Recorder::refuse))(call);
}

void Recorder::refuse(const SystemCall& call) {
  // What is not below the root does not concern anybody.
  bool ours = false;
  for (const std::string& argument : call.arguments) {
    ours = ours || inode_of(argument) || place(cwd_, bytes_in(argument)).ours;
  }
  if (ours) not_understood_.push_back(call.name + "(" + call.argument(0).substr(0, 200) + ", …)");
}

Recorder::Place Recorder::place(const std::string& folder, const std::string& name) const {
  Place found;
  const std::string path = (fs::path(folder) / name).lexically_normal();
  if (path.compare(0, root_.size() + 1, root_ + "/") != 0) return found;
  found.path = path.substr(root_.size() + 1);
  const std::string top = found.path.substr(0, found.path.find('/'));
  if (std::find(folders_.begin(), folders_.end(), top) == folders_.end()) return found;
  const std::size_t slash = found.path.rfind('/');
  const auto parent = find(now_, slash == std::string::npos ? "" : found.path.substr(0, slash));
  if (!parent) return found;
  found.folder = *parent;
  found.name = slash == std::string::npos ? found.path : found.path.substr(slash + 1);
  found.is_volatile = crash::is_volatile(found.name);
  found.ours = true;
  return found;
}

std::optional<InodeId> Recorder::inode_of(const std::string& descriptor) const {
  const Descriptor file = descriptor_in(descriptor);
  if (file.path.empty()) return std::nullopt;
  if (file.deleted) {
    const auto found = nameless_.find(file.path);
    return found != nameless_.end() ? std::optional(found->second) : std::nullopt;
  }
  if (file.path == root_) return kRoot;
  const Place found = place("", file.path);
  return found.ours && !found.is_volatile ? find(now_, found.path) : std::nullopt;
}

std::string Recorder::path_of(const std::string& descriptor) const {
  return place("", descriptor_in(descriptor).path).path;
}

std::string Recorder::bytes_of(const std::string& descriptor, std::uint64_t offset,
                               std::uint64_t length) const {
  // A source that is not ours, as a release is, is still what it was when the program ran.
  const auto inode = inode_of(descriptor);
  const std::string bytes =
      inode ? now_.inodes[*inode].bytes : scenario::read_file(descriptor_in(descriptor).path);
  if (offset >= bytes.size()) return "";
  return bytes.substr(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

InodeId Recorder::new_inode(mode_t mode) {
  now_.inodes.push_back({mode & ~umask_, geteuid(), getegid(), {}, {}});
  made_.push_back(now_.inodes.back());
  return now_.inodes.size() - 1;
}

void Recorder::put(Operation operation) {
  apply(operation, Fate::kept, now_);
  operations_.push_back(std::move(operation));
}

void Recorder::put_data(InodeId inode, std::uint64_t offset, std::string bytes,
                        const std::string& path) {
  Operation operation{Kind::data, "write " + std::to_string(bytes.size()) + " bytes at " +
                                      std::to_string(offset) + " of " + path};
  operation.inode = inode;
  operation.offset = offset;
  operation.bytes = std::move(bytes);
  put(std::move(operation));
}

void Recorder::put_names(const std::string& text, InodeId inode, std::vector<NameChange> changes) {
  Operation operation{Kind::names, text};
  operation.inode = inode;
  operation.names = std::move(changes);
  put(std::move(operation));
}

void Recorder::forget_name(const Place& place) {
  // A descriptor of a file that lost its name is printed with the last name that it had.
  const auto inode = find(now_, place.path);
  if (inode) nameless_[root_ + "/" + place.path] = *inode;
}

std::uint64_t& Recorder::position(const SystemCall& call, const std::string& descriptor) {
  return positions_[{call.thread, descriptor_in(descriptor).number}];
}

std::string Recorder::folder_of(const SystemCall& call, bool is_given, std::size_t index) const {
  return is_given ? descriptor_in(call.argument(index)).path : cwd_;
}

void Recorder::change_folder(const SystemCall& call) {
  cwd_ = (fs::path(cwd_) / bytes_in(call.argument(0))).lexically_normal();
}

void Recorder::set_umask(const SystemCall& call) {
  umask_ = mode_in(call.argument(0));
}

void Recorder::sync_all(const SystemCall& call) {
  put({Kind::sync_all, call.name});
}

void Recorder::sync(const SystemCall& call) {
  const auto inode = inode_of(call.argument(0));
  if (!inode) return;
  const std::string path = path_of(call.argument(0));
  Operation operation{call.name == "fsync" ? Kind::sync : Kind::sync_data,
                      call.name + " " + (path.empty() ? "." : path)};
  operation.inode = *inode;
  put(std::move(operation));
}

void Recorder::end(const SystemCall& call) {
  if (call.thread == first_thread_) put({Kind::report, "end with " + call.argument(0)});
}

void Recorder::run_program(const SystemCall& call) {
  // The first one is how strace starts the program itself.
  if (std::exchange(started_, true)) put({Kind::run, "run " + bytes_in(call.argument(0))});
}

void Recorder::map_memory(const SystemCall& call) {
  const bool writes =
      contains(call.argument(3), "MAP_SHARED") && contains(call.argument(2), "PROT_WRITE");
  if (writes && inode_of(call.argument(4))) refuse(call);
}

void Recorder::make_folder(const SystemCall& call) {
  const bool at = call.name == "mkdirat";
  const Place made = place(folder_of(call, at, 0), bytes_in(call.argument(at ? 1 : 0)));
  if (!made.ours) return;
  const InodeId inode = new_inode(S_IFDIR | mode_in(call.argument(at ? 2 : 1)));
  put_names("mkdir " + made.path, inode, {{made.folder, made.name, inode}});
}

void Recorder::link(const SystemCall& call) {
  const bool at = call.name == "linkat";
  const Place made = place(folder_of(call, at, 2), bytes_in(call.argument(at ? 3 : 1)));
  if (!made.ours) return;
  const std::string from = bytes_in(call.argument(at ? 1 : 0));
  constexpr std::string_view kDescriptors = "/proc/self/fd/";
  std::optional<InodeId> inode;
  if (from.empty()) {
    inode = inode_of(call.argument(0));  // AT_EMPTY_PATH
  } else if (from.rfind(kDescriptors, 0) == 0) {
    const int number = std::atoi(from.c_str() + kDescriptors.size());
    const auto opened = opened_.find({call.thread, number});
    if (opened != opened_.end()) inode = inode_of(opened->second);
  } else {
    inode = find(now_, place(folder_of(call, at, 0), from).path);
  }
  if (!inode) return refuse(call);
  put_names("link " + made.path, *inode, {{made.folder, made.name, *inode}});
}

void Recorder::rename(const SystemCall& call) {
  const bool at = call.name != "rename";
  const Place from = place(folder_of(call, at, 0), bytes_in(call.argument(at ? 1 : 0)));
  const Place to = place(folder_of(call, at, 2), bytes_in(call.argument(at ? 3 : 1)));
  if (!from.ours && !to.ours) return;
  const auto inode = from.ours ? find(now_, from.path) : std::nullopt;
  if (!inode || !to.ours || contains(call.argument(4), "RENAME_EXCHANGE")) return refuse(call);
  if (find(now_, to.path) == inode) return;  // rename(2): two names of one file, nothing is done
  forget_name(to);
  put_names("rename " + from.path + " to " + to.path, *inode,
            {{from.folder, from.name, std::nullopt}, {to.folder, to.name, *inode}});
}

void Recorder::unlink(const SystemCall& call) {
  const bool at = call.name == "unlinkat";
  const Place gone = place(folder_of(call, at, 0), bytes_in(call.argument(at ? 1 : 0)));
  if (!gone.ours || gone.is_volatile) return;
  const auto inode = find(now_, gone.path);
  if (!inode) return refuse(call);
  forget_name(gone);
  put_names((is_folder(now_.inodes[*inode]) ? "rmdir " : "unlink ") + gone.path, *inode,
            {{gone.folder, gone.name, std::nullopt}});
}

}  // namespace update::crash
