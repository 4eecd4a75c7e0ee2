#pragma once

#include <string>

#include "tests/fake/fake_filesystem.hpp"

namespace update {

/// A SQLite VFS whose files lie in a FakeFileSystem, so that the journal's writes are numbered,
/// stopped and lost as all others are. The shared memory of WAL is in this process's memory, as it
/// is after a reboot: new and empty. Registered while it lives.
class FakeVfs {
 public:
  explicit FakeVfs(FakeFileSystem& files);
  ~FakeVfs();
  FakeVfs(const FakeVfs&) = delete;
  FakeVfs& operator=(const FakeVfs&) = delete;

  const std::string& name() const { return name_; }
  /// Shared memory is gone, as after the end of every process that had it.
  void reboot();
  /// SQLite cannot be left by an exception: a stop inside one of its calls is an I/O error to it,
  /// and the next call of anybody throws.
  bool stopped_inside() const { return stopped_; }

  struct Registration;

 private:
  friend struct Registration;
  std::string name_;
  std::unique_ptr<Registration> registration_;
  bool stopped_ = false;
};

}  // namespace update
