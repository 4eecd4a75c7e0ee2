#include "tests/schema/sync_counter.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace {

bool recording = false;
int failing_with = 0;

std::vector<std::string>& recorded() {
  static std::vector<std::string> names;
  return names;
}

int sync_with(long call, int fd) {
  if (recording) {
    std::array<char, 4096> target{};
    const std::string link = "/proc/self/fd/" + std::to_string(fd);
    const ssize_t size = readlink(link.c_str(), target.data(), target.size() - 1);
    const std::string path(target.data(), size < 0 ? 0 : static_cast<std::size_t>(size));
    recorded().push_back(path.substr(path.rfind('/') + 1));
  }
  if (failing_with != 0) {
    errno = failing_with;
    return -1;
  }
  return static_cast<int>(syscall(call, fd));
}

}  // namespace

extern "C" int fsync(int fd) {
  return sync_with(SYS_fsync, fd);
}
extern "C" int fdatasync(int fd) {
  return sync_with(SYS_fdatasync, fd);
}

namespace update::test {

SyncRecorder::SyncRecorder() {
  recorded().clear();
  recording = true;
}
SyncRecorder::~SyncRecorder() {
  recording = false;
}
std::vector<std::string> SyncRecorder::take() {
  return std::exchange(recorded(), {});
}

FailingSync::FailingSync(int number) {
  failing_with = number;
}
FailingSync::~FailingSync() {
  failing_with = 0;
}

}  // namespace update::test
