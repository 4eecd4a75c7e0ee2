#include "engine/os/confinement_linux.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "tests/engine/os/error_of.hpp"
#include "tests/engine/os/temporary_folder.hpp"

namespace update::os {
namespace {

using Work = std::function<Result<std::string>()>;

class ConfinedWork : public testing::Test {
 protected:
  Result<std::string> run(const Work& work) { return confinement_.run(limits_, work); }
  std::unique_ptr<File> open_with(const std::string& text) {
    auto file = folder_->create_file("file", 0600).value();
    EXPECT_TRUE(file->write_at(std::as_bytes(std::span(text)), 0));
    return file;
  }
  static std::string read(File& file) {
    std::string text(100, '\0');
    const auto count = file.read_at(std::as_writable_bytes(std::span(text)), 0);
    return count ? text.substr(0, *count) : count.error().message();
  }
  /// It was killed for a system call.
  static void expect_forbidden(const Result<std::string>& answer) {
    const Error error = error_of(answer);
    EXPECT_EQ(error.code(), ErrorCode::not_trusted);
    EXPECT_NE(error.message().find("SIGSYS"), std::string::npos) << error.message();
  }

  TemporaryFolder temporary_;
  std::unique_ptr<Folder> folder_ = temporary_.open();
  LinuxConfinement confinement_;
  ConfinementLimits limits_;
};

void wait_for_ever() {
  int word = 0;
  for (;;) ::syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
}

TEST_F(ConfinedWork, AnswersWithAllBytesAndChangesNothingHere) {
  int changed = 0;
  const std::string large(3'000'000, 'x');
  const auto answer = run([&]() -> Result<std::string> {
    changed = 1;
    return large + std::string("\0end", 4);
  });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(*answer, large + std::string("\0end", 4));
  EXPECT_EQ(changed, 0);
  EXPECT_EQ(run([] { return Result<std::string>(""); }).value(), "");
}

TEST_F(ConfinedWork, AnErrorComesBackAsItWas) {
  const auto answer = run([]() -> Result<std::string> {
    return fail(Error::from_errno(EIO, "reading inode 12").with("the image").hint("run e2fsck"));
  });
  const Error error = error_of(answer);
  EXPECT_EQ(error.code(), ErrorCode::failed);
  EXPECT_EQ(error.message(), "the image: reading inode 12: Input/output error");
  EXPECT_EQ(error.system_errno(), EIO);
  EXPECT_EQ(error.hint(), "run e2fsck");
  const auto other =
      run([]() -> Result<std::string> { return fail(ErrorCode::not_found, "no such path"); });
  EXPECT_EQ(error_of(other).code(), ErrorCode::not_found);
  EXPECT_EQ(error_of(other).message(), "no such path");
  EXPECT_EQ(error_of(other).system_errno(), 0);
}

TEST_F(ConfinedWork, AMadeUpErrorIsNotTrustedAndSafeToShow) {
  const auto code = static_cast<ErrorCode>(99);
  EXPECT_EQ(error_of(run([&]() -> Result<std::string> { return fail(code, "x"); })).code(),
            ErrorCode::not_trusted);
  const auto answer =
      run([&]() -> Result<std::string> { return fail(ErrorCode::failed, "\033[2Jgone"); });
  EXPECT_EQ(error_of(answer).message(), "\\x1b[2Jgone");
}

TEST_F(ConfinedWork, ReadsTheFilesThatItKeepsAndNoOther) {
  const auto file = open_with("the bytes");
  limits_.files = {file.get()};
  const auto kept = run([&]() -> Result<std::string> { return read(*file); });
  ASSERT_TRUE(kept) << kept.error().message();
  EXPECT_EQ(*kept, "the bytes");
  limits_.files = {};
  EXPECT_NE(run([&]() -> Result<std::string> { return read(*file); }).value().find("Bad file"),
            std::string::npos);
}

TEST_F(ConfinedWork, LooksAtAFileThatItKeeps) {
  const auto file = open_with("12345");
  limits_.files = {file.get()};
  const auto answer = run([&]() -> Result<std::string> {
    UPDATE_TRY_ASSIGN(const FileInfo info, file->info());
    UPDATE_TRY_ASSIGN(const auto data, file->next_data(0));
    return std::to_string(info.identity.size) + " " + std::to_string(data ? data->end : 0);
  });
  ASSERT_TRUE(answer) << answer.error().message();
  EXPECT_EQ(*answer, "5 5");
}

TEST_F(ConfinedWork, WritesOnlyWhereThatWasAllowed) {
  const auto file = open_with("old");
  limits_.files = {file.get()};
  const auto write = [&]() -> Result<std::string> {
    UPDATE_TRY(file->write_at(std::as_bytes(std::span("new", 3)), 0));
    return "written";
  };
  expect_forbidden(run(write));
  EXPECT_EQ(read(*file), "old");
  limits_.writes = true;
  EXPECT_EQ(run(write).value(), "written");
  EXPECT_EQ(read(*file), "new");
}

// The file is open for writing, and its number is easily guessed.
TEST_F(ConfinedWork, FindsNoOtherWayToWrite) {
  const auto file = open_with("old");
  limits_.files = {file.get()};
  const int highest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(highest);
  for (int fd = 3; fd < highest; ++fd) {
    static_cast<void>(run([&]() -> Result<std::string> {
      [[maybe_unused]] const ssize_t written = ::write(fd, "new", 3);
      return "";
    }));
    static_cast<void>(run([&]() -> Result<std::string> {
      void* const map = ::mmap(nullptr, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
      if (map != MAP_FAILED) std::memcpy(map, "new", 3);
      return "";
    }));
  }
  EXPECT_EQ(read(*file), "old");
}

TEST_F(ConfinedWork, IsKilledForAnyOtherSystemCall) {
  const auto forbidden = [](long number) {
    return [number]() -> Result<std::string> {
      return std::to_string(::syscall(number, -1, "/etc/passwd", 0, 0, 0, 0));
    };
  };
  for (const long number :
       {SYS_openat, SYS_socket, SYS_clone, SYS_execve, SYS_kill, SYS_ptrace, SYS_ftruncate,
        SYS_fchmod, SYS_unlinkat, SYS_setuid, SYS_ioctl, SYS_dup, SYS_close, SYS_writev,
        SYS_process_vm_readv, SYS_io_uring_setup, SYS_seccomp}) {
    SCOPED_TRACE(number);
    expect_forbidden(run(forbidden(number)));
  }
  expect_forbidden(run([]() -> Result<std::string> {
    return ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? "refused"
               : "made";
  }));
}

TEST_F(ConfinedWork, ProcessorTimeIsBounded) {
  limits_.cpu_seconds = 1;
  const Error error = error_of(run([]() -> Result<std::string> {
    for (int turn = 0;; ++turn) static_cast<void>(::syscall(SYS_lseek, -1, turn, 0));
  }));
  EXPECT_EQ(error.code(), ErrorCode::failed);
  EXPECT_NE(error.message().find("processor time"), std::string::npos) << error.message();
}

TEST_F(ConfinedWork, TimeIsBoundedForOneThatDoesNothing) {
  limits_.cpu_seconds = -4;  // 2 s for it, and no limit of processor time
  const Error error = error_of(run([]() -> Result<std::string> {
    wait_for_ever();
    return "";
  }));
  EXPECT_EQ(error.code(), ErrorCode::failed);
  EXPECT_NE(error.message().find("longer than 2 s"), std::string::npos) << error.message();
}

TEST_F(ConfinedWork, AnAnswerIsBounded) {
  limits_.answer_bytes = 1000;
  EXPECT_EQ(run([] { return Result<std::string>(std::string(1000, 'x')); }).value().size(), 1000U);
  const Error error =
      error_of(run([] { return Result<std::string>(std::string(2'000'000, 'x')); }));
  EXPECT_EQ(error.code(), ErrorCode::failed);
  EXPECT_NE(error.message().find("larger"), std::string::npos) << error.message();
}

TEST_F(ConfinedWork, AChildThatDiesIsNotTrusted) {
  const Error killed = error_of(run([]() -> Result<std::string> {
    ::signal(SIGSEGV, SIG_DFL);
    __builtin_trap();
  }));
  EXPECT_EQ(killed.code(), ErrorCode::not_trusted);
  EXPECT_NE(killed.message().find("signal"), std::string::npos) << killed.message();
  const Error silent = error_of(run([]() -> Result<std::string> { ::_exit(0); }));
  EXPECT_EQ(silent.code(), ErrorCode::not_trusted);
}

TEST_F(ConfinedWork, LeavesNoChildAndNoDescriptor) {
  const auto next_descriptor = [] {
    const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::close(fd);
    return fd;
  };
  const int before = next_descriptor();
  EXPECT_TRUE(run([] { return Result<std::string>("x"); }));
  expect_forbidden(run([]() -> Result<std::string> {
    ::syscall(SYS_socket, 1, 1, 0);
    return "";
  }));
  EXPECT_EQ(next_descriptor(), before);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

/// A process that runs a confined child which never ends, and that child, seen from outside.
class WaitingChild {
 public:
  WaitingChild() : parent_(::fork()) {
    if (parent_ == 0) {
      static_cast<void>(LinuxConfinement().run({}, []() -> Result<std::string> {
        wait_for_ever();
        return "";
      }));
      ::_exit(0);
    }
    const std::string task = "/proc/" + std::to_string(parent_);
    const std::string children = task + "/task/" + std::to_string(parent_) + "/children";
    for (int turn = 0; turn < 500 && status("Seccomp") != "2"; ++turn) {
      std::ifstream(children) >> child_;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
  ~WaitingChild() {
    end_parent();
    if (child_ > 0 && !ended()) ::kill(child_, SIGKILL);  // the test has failed by then
  }
  WaitingChild(const WaitingChild&) = delete;
  WaitingChild& operator=(const WaitingChild&) = delete;

  void end_parent() {
    if (parent_ <= 0) return;
    ::kill(parent_, SIGKILL);
    ::waitpid(parent_, nullptr, 0);
    parent_ = -1;
  }
  /// The first word of a line of /proc/PID/status.
  std::string status(const std::string& key) const {
    std::ifstream file("/proc/" + std::to_string(child_) + "/status");
    for (std::string word; file >> word;) {
      if (word != key + ":") continue;
      file >> word;
      return word;
    }
    return "";
  }
  bool ended() const {
    const std::string state = status("State");
    return state.empty() || state == "Z";
  }

 private:
  pid_t parent_;
  pid_t child_ = -1;
};

TEST_F(ConfinedWork, HasNoPrivilegeAndEndsWithItsParent) {
  WaitingChild child;
  ASSERT_EQ(child.status("Seccomp"), "2");
  EXPECT_EQ(child.status("NoNewPrivs"), "1");
  if (::geteuid() == 0) {
    EXPECT_EQ(child.status("Uid"), "65534");
    EXPECT_EQ(child.status("Gid"), "65534");
    EXPECT_EQ(child.status("CapEff"), "0000000000000000");
  }
  child.end_parent();
  for (int turn = 0; turn < 500 && !child.ended(); ++turn) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_TRUE(child.ended());
}

}  // namespace
}  // namespace update::os
