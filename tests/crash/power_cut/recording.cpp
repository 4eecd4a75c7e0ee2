#include "tests/crash/power_cut/recording.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tests/crash/power_cut/recorder.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {

namespace fs = std::filesystem;

namespace {

// All calls that change files or names, those too that the recorder will refuse; a leading ? lets
// strace pass over a call that this machine does not have.
constexpr const char* kTraced =
    "trace=?open,?openat,?openat2,?creat,?write,?writev,?pwrite64,?pwritev,?pwritev2,?lseek,"
    "?sendfile,?splice,?copy_file_range,?ioctl,?truncate,?ftruncate,?fallocate,?chmod,?fchmod,"
    "?fchmodat,?chown,?lchown,?fchown,?fchownat,?umask,?chdir,?fchdir,?mkdir,?mkdirat,?rmdir,?link,"
    "?linkat,"
    "?symlink,?symlinkat,?mknod,?mknodat,?rename,?renameat,?renameat2,?unlink,?unlinkat,?setxattr,"
    "?lsetxattr,?fsetxattr,?removexattr,?lremovexattr,?fremovexattr,?fsync,?fdatasync,?sync,"
    "?syncfs,?mmap,?io_uring_setup,?mount,?execve,?exit_group";

class TraceLog {
 public:
  TraceLog() {
    const int file = mkstemp(path_.data());
    EXPECT_GE(file, 0) << path_;
    close(file);
  }
  ~TraceLog() { unlink(path_.c_str()); }
  TraceLog(const TraceLog&) = delete;
  TraceLog& operator=(const TraceLog&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = fs::temp_directory_path().string() + "/power-cut-XXXXXX";
};

scenario::Launch traced(const Traced& program, const std::string& log) {
  scenario::Launch launch;
  const char* set = std::getenv("ASAN_OPTIONS");
  // LeakSanitizer cannot work beside a tracer.
  launch.environment = {
      {"ASAN_OPTIONS", (set != nullptr ? std::string(set) + ":" : "") + "detect_leaks=0"}};
  // Longer than any write of a test: a string that strace cuts off would be a write cut short.
  launch.prefix = {"strace", "-f", "-y", "-xx", "-qq", "-s", "1048576", "-o", log, "-e", kTraced};
  if (!program.injection.empty()) {
    launch.prefix.insert(launch.prefix.end(), {"-e", "inject=" + program.injection});
  }
  launch.prefix.emplace_back("--");
  return launch;
}

void compare(const Disk& played, const Disk& real) {
  const auto expected = describe(real);
  const auto got = describe(played);
  for (const auto& [path, line] : expected) {
    const auto found = got.find(path);
    ASSERT_TRUE(found != got.end()) << "the recording does not know " << path;
    ASSERT_EQ(found->second == line, true) << path << " is not what the operations make of it";
  }
  for (const auto& [path, line] : got) {
    ASSERT_EQ(expected.count(path), 1U) << path << " was recorded, and is not on the disk";
  }
}

}  // namespace

Recording record_operations(const std::string& root, const std::vector<std::string>& folders,
                            const std::vector<Traced>& programs) {
  Recording recording{fs::canonical(root), folders, {}, {}, 0, {}};
  recording.before = read_disk(recording.root, folders);
  Recorder recorder(recording.root, folders, recording.before);
  for (const Traced& program : programs) {
    const TraceLog log;
    recording.last_begins = recorder.operations().size();
    recording.ended = scenario::run_process(program.command, traced(program, log.path()));
    recorder.begin_program();
    for (const SystemCall& call : read_strace_log(log.path())) recorder.add(call);
  }
  EXPECT_TRUE(recorder.not_understood().empty())
      << testing::PrintToString(recorder.not_understood());
  recording.operations = recorder.operations();
  EXPECT_FALSE(recording.operations.empty()) << recording.ended.err;
  // The inodes that are made later begin as they were made: empty, with their first mode.
  for (std::size_t id = recording.before.inodes.size(); id < recorder.made().size(); ++id) {
    recording.before.inodes.push_back(recorder.made()[id]);
  }
  compare(recorder.now(), read_disk(recording.root, folders));
  return recording;
}

Disk play(const Recording& recording, const std::vector<Fate>& fates) {
  Disk disk = recording.before;
  for (std::size_t index = 0; index < fates.size(); ++index) {
    apply(recording.operations[index], fates[index], disk);
  }
  return disk;
}

}  // namespace update::crash
