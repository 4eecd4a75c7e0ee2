#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/os/filesystem.hpp"
#include "tests/fake/fake_disk.hpp"
#include "tests/fake/fake_snapshot.hpp"

namespace update {

/// The machine has stopped. Not a std::exception, so that no handler for library exceptions takes
/// it for one.
struct PowerCut {
  std::uint64_t call = 0;
};

enum class When : std::uint8_t { before, after };
enum class Repeat : std::uint8_t { once, from_then_on };

/// A call that changed something, or that a test made fail.
struct FakeCall {
  enum class Verb : std::uint8_t {
    create,
    create_folder,
    write,
    clone,
    copy,
    truncate,
    reserve,
    set_owner,
    set_mode,
    set_times,
    set_attribute,
    remove_attribute,
    sync_file,
    link,
    rename,
    create_link,
    unlink,
    remove_folder,
    sync_folder,
    sync_all,
  };
  Verb verb = Verb::write;
  std::string path;
  std::string detail;  ///< "-> /other/name", "12 bytes at 0", "0755"
  int failed_with = 0;

  /// "rename /a/.x.staged -> /a/x"; a failed one ends with " = " and the system's words.
  std::string line() const;
};

/// Folders and files in memory that know what a power cut would leave (the POSIX model of
/// fsync(2)), record what was changed in which order, and stop or fail where a test says.
///
/// Every call that changes something has a number, from 1. One that fails by itself (EEXIST,
/// ENOENT, …) or changes nothing by itself (unlink of an absent name, rename of two names of one
/// inode) has none, so that numbers do not move with it; nor have reads. Permissions are not
/// checked: the caller is root.
class FakeFileSystem final : public os::FileSystem {
 public:
  FakeFileSystem() = default;
  explicit FakeFileSystem(FakeDisk disk) : disk_(std::move(disk)) {}

  Result<std::unique_ptr<os::Folder>> open_folder(const std::string& path) override;
  Result<std::unique_ptr<os::Folder>> open_root(const std::string& path) override;

  // What was done.
  const std::vector<FakeCall>& calls() const { return calls_; }
  std::vector<std::string> lines() const;
  std::size_t count(FakeCall::Verb verb) const;
  /// Calls so far: the highest n that stop_at() and fail_at() could have met.
  std::uint64_t call_count() const { return calls_.size(); }

  // Stopping. The n-th call throws PowerCut, and so does everything after it, until lose() or
  // kill(). Only where an exception would end the test program (another thread, a destructor that
  // runs because of the cut) the answer is EIO instead.
  void stop_at(std::uint64_t call, When when);
  /// Stops here and now: for a script of a process, or a hook.
  [[noreturn]] void cut_power();
  bool stopped() const { return stopped_; }
  /// The power cut, and the next boot: open files and locks are gone, the record and everything
  /// scripted are cleared.
  void lose(const LossPattern& pattern);
  /// The process alone ended: the same, but nothing is lost, and what was pending can still be lost
  /// later.
  void kill();
  std::size_t pending_count() { return disk_.pending_count(); }
  std::vector<std::string> pending() { return disk_.pending(); }
  std::uint64_t fingerprint() const { return disk_.fingerprint(); }
  /// To copy, keep and give to another FakeFileSystem; devices and clock are in it.
  FakeDisk& disk() { return disk_; }

  // Failing. A call that fails has done nothing; a failed sync makes later ones useless as well
  // (fsync(2) on Linux).
  void fail_at(std::uint64_t call, int error, Repeat repeat = Repeat::once);
  void fail_always(int error, std::function<bool(const FakeCall&)> predicate);
  /// Opening, looking up, listing and reading of such paths.
  void fail_reading(int error, std::function<bool(const std::string& path)> predicate);
  /// Such calls claim success and do nothing: what a program that leaves them out would leave.
  void drop_always(std::function<bool(const FakeCall&)> predicate);
  /// How many calls did nothing so.
  std::uint64_t drop_count() const { return drop_count_; }
  /// Runs before every call that changes something: a look at the disk at that moment.
  void before_each_call(std::function<void(const FakeCall&)> hook);
  /// Runs right after the call has had its effect: somebody else's change at that moment, for
  /// instance.
  void after_call(std::uint64_t call, std::function<void()> hook);

  // For tests: not recorded, never failing, durable at once (with all that is pending in the same
  // folder or file). Folders on the way are made. Wrong use throws std::logic_error.
  void make_folder(const std::string& path, std::uint32_t mode = 0755, std::uint32_t uid = 0,
                   std::uint32_t gid = 0);
  /// A new inode, whatever was there.
  void put_file(const std::string& path, std::string_view bytes, std::uint32_t mode = 0644,
                std::uint32_t uid = 0, std::uint32_t gid = 0);
  /// The same inode with other bytes, as a careless program does it.
  void overwrite(const std::string& path, std::string_view bytes);
  void set_attribute(const std::string& path, const std::string& name, const std::string& value);
  void symlink(const std::string& path, const std::string& target);
  void hard_link(const std::string& path, const std::string& new_path);
  void remove(const std::string& path);
  /// Who owns what the os:: verbs make, and links; 0:0 at first.
  void set_creator(std::uint32_t uid, std::uint32_t gid);
  /// Makes `path` the root of another file system, whose properties may then be set.
  FakeDevice& mount(const std::string& path);
  FakeDevice& device(const std::string& path);

  bool exists(const std::string& path) const { return find(path).has_value(); }
  /// The bytes of a file; nullopt: there is none.
  std::optional<std::string> read(const std::string& path) const;
  std::optional<os::FileInfo> info(const std::string& path) const;
  /// Every path, sorted, without `/`.
  std::vector<std::string> list_all() const;
  Snapshot snapshot(const std::string& folder = "/") const;
  /// How many files and folders are open: none may be left when an operation is over.
  std::size_t open_handles() const { return handles_; }

  /// For a SQLite VFS: the folder and the name of a path that may be absent. Reads, writes and
  /// syncs then go through the os:: verbs, so that they are numbered, fail and are lost as all
  /// others. PowerCut must not be thrown through SQLite: catch it in the callback and return
  /// SQLITE_IOERR.
  struct Place {
    std::unique_ptr<os::Folder> folder;
    std::string name;
  };
  Result<Place> place(const std::string& path);

 private:
  friend class FakeHandle;
  friend class FakeFile;
  friend class FakeFolder;

  struct Fault {
    std::uint64_t call = 0;
    int error = 0;
    Repeat repeat = Repeat::once;
  };

  using Lock = std::lock_guard<std::recursive_mutex>;

  std::optional<InodeNumber> find(const std::string& path) const;
  InodeNumber must_find(const std::string& path) const;
  Result<InodeNumber> walk(const std::string& path, bool follow_last) const;
  Result<InodeNumber> folder_of_path(const std::string& path);
  InodeNumber make_folders(const std::string& path);
  InodeNumber plant(const std::string& path, os::FileType type, std::string_view bytes,
                    std::uint32_t mode, std::uint32_t uid, std::uint32_t gid);
  void remove_tree(InodeNumber folder, const std::string& name);
  void restart();
  [[noreturn]] void stop(std::uint64_t call);

  Status powered(std::uint64_t boot);
  Status readable(const std::string& path) const;
  Status perform(FakeCall call, const std::function<void()>& effect,
                 const std::function<void()>& failure = {});
  int injected_error(const FakeCall& call) const;
  bool is_dropped(const FakeCall& call) const;
  /// Gives back the space of what has neither a name nor an opener any more.
  void release_if_gone(InodeNumber number);
  std::uint64_t opened(InodeNumber number);
  void closed(InodeNumber number, std::uint64_t boot, std::uint64_t handle);

  mutable std::recursive_mutex mutex_;  // reads may come from a second thread; hooks call back
  FakeDisk disk_;
  std::vector<FakeCall> calls_;
  std::uint32_t creator_uid_ = 0;
  std::uint32_t creator_gid_ = 0;
  std::uint64_t stop_call_ = 0;  ///< 0: none
  When stop_when_ = When::before;
  bool stopped_ = false;
  std::thread::id stopped_thread_;
  std::vector<Fault> faults_;
  std::vector<std::pair<int, std::function<bool(const FakeCall&)>>> call_predicates_;
  std::vector<std::pair<int, std::function<bool(const std::string&)>>> read_predicates_;
  std::vector<std::function<bool(const FakeCall&)>> dropped_;
  std::uint64_t drop_count_ = 0;
  std::function<void(const FakeCall&)> before_each_;
  std::map<std::uint64_t, std::function<void()>> hooks_;
  std::uint64_t boot_ = 1;
  std::size_t handles_ = 0;
  std::uint64_t last_handle_ = 0;
  std::map<InodeNumber, std::size_t> open_;
  std::map<InodeNumber, std::uint64_t> locks_;  // who holds it
};

}  // namespace update
