#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/crash/power_cut/operation.hpp"
#include "tests/crash/power_cut/strace_log.hpp"

namespace update::crash {

/// Turns system calls into operations on inodes. It follows the names as they change, so that a
/// path that strace prints leads to the inode that it meant at that moment.
class Recorder {
 public:
  /// `before` is what `folders` below `root` held when the program was started.
  Recorder(std::string root, std::vector<std::string> folders, Disk before);

  /// What is added from now on was done by another program.
  void begin_program();
  void add(const SystemCall& call);

  const std::vector<Operation>& operations() const { return operations_; }
  /// All that was played so far; its inodes are numbered as those of the operations.
  const Disk& now() const { return now_; }
  /// The inodes as they were read or made, before anything was done to them.
  const std::vector<Inode>& made() const { return made_; }
  /// Calls that change something and that nobody here understands: the recording is of no use.
  const std::vector<std::string>& not_understood() const { return not_understood_; }

 private:
  static constexpr mode_t kFirstUmask = 022;  // what scenario::Process gives a child
  using Handler = void (Recorder::*)(const SystemCall&);
  static const std::map<std::string, Handler>& handlers();

  void open_file(const SystemCall& call);
  void write_at(const SystemCall& call);
  void write_on(const SystemCall& call);
  void seek(const SystemCall& call);
  void send_file(const SystemCall& call);
  void copy_range(const SystemCall& call);
  void control(const SystemCall& call);
  void truncate(const SystemCall& call);
  void allocate(const SystemCall& call);
  void change_mode(const SystemCall& call);
  void change_mode_by_name(const SystemCall& call);
  void change_owner(const SystemCall& call);
  void change_folder(const SystemCall& call);
  void set_umask(const SystemCall& call);
  void make_folder(const SystemCall& call);
  void link(const SystemCall& call);
  void rename(const SystemCall& call);
  void unlink(const SystemCall& call);
  void sync(const SystemCall& call);
  void sync_all(const SystemCall& call);
  void end(const SystemCall& call);
  void run_program(const SystemCall& call);
  void map_memory(const SystemCall& call);
  void refuse(const SystemCall& call);

  /// Where a path leads that is given by a folder and a name; not ours: outside of `folders`.
  struct Place {
    bool ours = false;
    bool is_volatile = false;
    InodeId folder = kRoot;
    std::string name;
    std::string path;  ///< below the root, for a person
  };
  Place place(const std::string& folder, const std::string& name) const;
  /// What a relative name begins at, in a call that is given a folder, or in one that is not.
  std::string folder_of(const SystemCall& call, bool is_given, std::size_t index) const;
  /// The inode behind a descriptor; nullopt where it is not ours.
  std::optional<InodeId> inode_of(const std::string& descriptor) const;
  /// Below the root, for a person.
  std::string path_of(const std::string& descriptor) const;
  std::string bytes_of(const std::string& descriptor, std::uint64_t offset,
                       std::uint64_t length) const;
  std::uint64_t& position(const SystemCall& call, const std::string& descriptor);

  InodeId new_inode(mode_t mode);
  void put(Operation operation);
  void put_data(InodeId inode, std::uint64_t offset, std::string bytes, const std::string& path);
  void put_mode(InodeId inode, const std::string& mode, const std::string& path);
  void put_names(const std::string& text, InodeId inode, std::vector<NameChange> changes);
  void forget_name(const Place& place);

  std::string root_;
  std::vector<std::string> folders_;
  Disk now_;
  std::vector<Inode> made_;
  std::string cwd_;
  std::vector<Operation> operations_;
  std::vector<std::string> not_understood_;
  /// Inodes without a name, by the text that strace prints for a descriptor of theirs.
  std::map<std::string, InodeId> nameless_;
  std::map<std::pair<int, int>, std::string> opened_;       // thread, number: path
  std::map<std::pair<int, int>, std::uint64_t> positions_;  // thread, number
  mode_t umask_ = kFirstUmask;
  bool started_ = false;
  int first_thread_ = 0;
};

}  // namespace update::crash
