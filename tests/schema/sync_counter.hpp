#pragma once

#include <string>
#include <vector>

namespace update::test {

/// While it lives, records the base name of every file and folder that this process syncs.
/// (The program's own fsync and fdatasync stand before libc's, for shared libraries too.)
class SyncRecorder {
 public:
  SyncRecorder();
  ~SyncRecorder();
  SyncRecorder(const SyncRecorder&) = delete;
  SyncRecorder& operator=(const SyncRecorder&) = delete;
  /// What was synced since the last call.
  std::vector<std::string> take();
};

/// While it lives, every sync fails with `number`.
class FailingSync {
 public:
  explicit FailingSync(int number);
  ~FailingSync();
  FailingSync(const FailingSync&) = delete;
  FailingSync& operator=(const FailingSync&) = delete;
};

}  // namespace update::test
