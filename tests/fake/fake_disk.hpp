#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/os/filesystem.hpp"
#include "tests/fake/loss_pattern.hpp"

namespace update {

/// A value that copies share until one of them changes it: copying a whole disk costs a pointer an
/// inode. Copies that share must stay in one thread.
template <class T>
class Shared {
 public:
  const T& operator*() const { return *value_; }
  const T* operator->() const { return value_.get(); }
  T& edit() {
    if (value_.use_count() > 1) value_ = std::make_shared<T>(*value_);
    return *value_;
  }

 private:
  static const std::shared_ptr<T>& blank() {
    static const std::shared_ptr<T> value = std::make_shared<T>();
    return value;
  }
  std::shared_ptr<T> value_ = blank();
};

using InodeNumber = std::uint64_t;
using FolderNames = std::map<std::string, InodeNumber, std::less<>>;

class FileContent {
 public:
  const std::string& text() const { return text_; }
  std::string& edit_text() {
    hash_.reset();
    return text_;
  }
  std::uint64_t hash() const {
    if (!hash_) hash_ = std::hash<std::string>{}(text_);
    return *hash_;
  }

 private:
  std::string text_;
  mutable std::optional<std::uint64_t> hash_;  ///< once somebody asked
};

/// What an inode holds, at one of two moments: now, or after a power cut that keeps nothing
/// unsynced.
struct InodeImage {
  Shared<FileContent> content;  ///< a file's bytes, or a link's target
  Shared<FolderNames> names;    ///< a folder's
  Shared<os::Attributes> attributes;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t allocated = 0;  ///< bytes from the beginning that have blocks
  std::uint64_t charged = 0;    ///< what of it came out of the free space: shared blocks did not

  const std::string& text() const { return content->text(); }
};

struct Inode {
  os::FileType type = os::FileType::other;
  std::size_t device = 0;  ///< index
  std::uint64_t links = 0;
  std::int64_t ctime_ns = 0;
  bool differs = false;  ///< `now` may be another than `durable`
  InodeImage now;
  InodeImage durable;
};

/// One file system, and what it can do.
struct FakeDevice {
  std::uint64_t free_bytes = std::uint64_t{1} << 40U;  ///< 0: no new file either
  std::uint64_t free_inodes = UINT64_MAX;
  int link_error = 0;                 ///< what link(2) always says: EPERM, EMLINK, EOPNOTSUPP
  bool clones = false;                ///< FICLONE
  bool kernel_copies = true;          ///< copy_file_range(2)
  std::size_t copy_chunk = SIZE_MAX;  ///< at most so many bytes a call
  bool attributes = true;
  bool read_only = false;
};

/// A change that is not durable before its inode is synced. `inode` is the folder, for names.
struct DiskOperation {
  enum class Kind : std::uint8_t { write, truncate, reserve, owner, mode, times, attribute, names };
  Kind kind = Kind::write;
  InodeNumber inode = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t offset = 0;       ///< of a write; the size, of truncate and reserve
  Shared<FileContent> content{};  ///< of a write
  bool shares_blocks = false;     ///< a write that takes no space
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t mode = 0;
  std::string attribute{};
  std::optional<std::string> value{};                                       ///< none: removed
  std::vector<std::pair<std::string, std::optional<InodeNumber>>> names{};  ///< none: removed
};

/// The state of all disks as a value: cheap to copy, to compare by fingerprint, and to cut the
/// power of. The verbs below trust their caller (FakeFolder and FakeFile check first).
class FakeDisk {
 public:
  static constexpr InodeNumber kRoot = 1;

  FakeDisk();

  const Inode& at(InodeNumber number) const { return **inodes_[number]; }
  std::optional<InodeNumber> child(InodeNumber folder, std::string_view name) const;
  FakeDevice& device_of(InodeNumber number) { return devices_[at(number).device]; }
  /// Everything that is made below `folder` from now on belongs to a file system of its own.
  void mount(InodeNumber folder);

  InodeNumber create(InodeNumber folder, const std::string& name, os::FileType type,
                     std::uint32_t mode, std::uint32_t uid, std::uint32_t gid);
  void add_name(InodeNumber folder, const std::string& name, InodeNumber inode);
  void move_name(InodeNumber folder, const std::string& name, const std::string& new_name);
  void remove_name(InodeNumber folder, const std::string& name);
  /// Anything else: `mtime_ns` is filled in, except for `times`.
  void change(DiskOperation operation);
  /// How many bytes of free space a write up to `end` would take.
  std::uint64_t bytes_needed(InodeNumber number, std::uint64_t end) const;
  /// The space of a file without a name and without an opener.
  void release(InodeNumber number);

  /// What is pending for this inode becomes durable. A failing one makes nothing durable, nor does
  /// any later one what was pending then: Linux has marked those pages clean.
  void sync(InodeNumber number, bool fails = false);
  std::size_t pending_count();
  /// One line an operation, in the order of LossPattern's index.
  std::vector<std::string> pending();
  /// The operations themselves, in the same order.
  std::vector<std::shared_ptr<const DiskOperation>> pending_operations();
  /// The power cut: what was durable, and of the pending operations those that `pattern` keeps.
  /// Files without a name are gone.
  void lose(const LossPattern& pattern);

  /// Equal for disks that are equal *now* in all that a program can see, ctime and free space left
  /// out. After lose() that is the whole state.
  std::uint64_t fingerprint() const;
  /// The same, where the caller knows which bytes of a file make a difference to its readers.
  using ContentHash = std::function<std::uint64_t(InodeNumber, const FileContent&)>;
  std::uint64_t fingerprint(const ContentHash& hash_of_content) const;
  /// Equal as well for disks that differ in the numbers of their inodes only, and in files that
  /// have no name.
  std::uint64_t fingerprint_by_names(const ContentHash& hash_of_content) const;
  /// A path of the inode now, else the number: for messages.
  std::string path_of(InodeNumber number) const;

  std::int64_t tick_ns = 1'700'000'000'000'000'000;  ///< the time that the next change gets
  std::int64_t tick_step_ns = 1'000'000;  ///< by which each change moves it; 0: a coarse clock

 private:
  struct Pending {
    std::shared_ptr<const DiskOperation> operation;
    bool doomed = false;  ///< a sync of it failed: no later one helps
  };

  Inode& edit(InodeNumber number) { return inodes_[number]->edit(); }
  std::int64_t next_tick();
  void name_change(DiskOperation operation, std::optional<InodeNumber> named);
  void forget_unreachable_operations();
  void collect_unreachable_inodes();

  // By number. An inode that a cut left without a name is empty, and the last ones' numbers are
  // used again, as real ones are.
  std::vector<std::optional<Shared<Inode>>> inodes_;
  std::deque<FakeDevice> devices_;  // a deque: tests keep references
  std::vector<Pending> pending_;
};

}  // namespace update
