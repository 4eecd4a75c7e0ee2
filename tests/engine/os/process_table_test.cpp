#include "engine/os/process_table_linux.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "engine/os/host_linux.hpp"
#include "tests/engine/os/temporary_folder.hpp"

namespace update::os {
namespace {

/// A program of a name of its own that waits until it is killed.
class Sleeper {
 public:
  explicit Sleeper(const std::string& path) {
    std::filesystem::copy_file("/bin/sleep", path);
    pid_ = fork();
    if (pid_ == 0) {
      execl(path.c_str(), path.c_str(), "1000", nullptr);
      _exit(127);
    }
  }
  ~Sleeper() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Sleeper(const Sleeper&) = delete;
  Sleeper& operator=(const Sleeper&) = delete;

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

class ProcessTableTest : public testing::Test {
 protected:
  /// The fork is there at once; what it executes, a moment later.
  std::optional<Executable> executable_of(const Sleeper& sleeper, const std::string& path) {
    for (;;) {
      auto found = table_.executable(sleeper.pid());
      if (!found || found->path == path) return found;
      usleep(1000);
    }
  }

  LinuxHost host_;
  LinuxProcessTable table_{host_};
  TemporaryFolder folder_;
};

TEST_F(ProcessTableTest, FindsAProcessByNameOnce) {
  const std::string path = folder_.path("a-very-long-name-of-a-program");
  const Sleeper sleeper(path);
  ASSERT_TRUE(executable_of(sleeper, path));
  const auto found = table_.named({"a-very-long-name-of-a-program"});
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id.pid, sleeper.pid());
  EXPECT_EQ(found[0].id, table_.find(sleeper.pid()));
  EXPECT_EQ(found[0].name, "a-very-long-nam");
  EXPECT_TRUE(table_.named({"a-very-long-na"}).empty()) << "a part of a name is another one";
  EXPECT_TRUE(table_.named({}).empty());
}

TEST_F(ProcessTableTest, KnowsTheFileThatIsExecutedAfterItsNameIsGone) {
  const std::string path = folder_.path("program");
  const Sleeper sleeper(path);
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  ASSERT_TRUE(executable_of(sleeper, path));
  std::filesystem::remove(path);
  const auto found = table_.executable(sleeper.pid());
  ASSERT_TRUE(found);
  EXPECT_EQ(found->path, path);
  EXPECT_EQ(found->identity.inode, status.st_ino);
  const auto file = table_.open_executable(sleeper.pid());
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ((*file)->info().value().identity.size, static_cast<std::uint64_t>(status.st_size));
}

TEST_F(ProcessTableTest, EndsTheVeryProcessEvenAStoppedOne) {
  const std::string path = folder_.path("program");
  const Sleeper sleeper(path);
  const auto process = table_.find(sleeper.pid());
  ASSERT_TRUE(process);
  kill(sleeper.pid(), SIGSTOP);
  const Status ended = table_.end(*process, 5000);
  EXPECT_TRUE(ended);
  EXPECT_FALSE(table_.find(sleeper.pid()));
}

TEST_F(ProcessTableTest, SparesAProcessThatOnlyHasTheNumber) {
  const std::string path = folder_.path("program");
  const Sleeper sleeper(path);
  auto process = table_.find(sleeper.pid());
  ASSERT_TRUE(process);
  ++process->start;
  EXPECT_TRUE(table_.end(*process, 5000));
  EXPECT_TRUE(table_.find(sleeper.pid()));
}

TEST_F(ProcessTableTest, AProcessThatIsGoneNeedsNoEnd) {
  EXPECT_TRUE(table_.end({4'194'303, 1}, 5000));
  EXPECT_FALSE(table_.executable(4'194'303));
  EXPECT_FALSE(table_.open_executable(4'194'303));
}

TEST_F(ProcessTableTest, NoUnitIsMeantByTheRootOfTheGroups) {
  EXPECT_TRUE(table_.in_group("").empty());
  EXPECT_TRUE(table_.in_group("/").empty());
  const std::string own = table_.own_group();
  if (own.size() < 2) return;
  bool here = false;
  for (const NamedProcess& process : table_.in_group(own)) here |= process.id.pid == getpid();
  EXPECT_TRUE(here);
}

}  // namespace
}  // namespace update::os
