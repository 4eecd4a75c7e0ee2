#include "engine/os/folder_linux.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "tests/engine/os/error_of.hpp"
#include "tests/engine/os/temporary_folder.hpp"

namespace update::os {
namespace {

class OpenFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) {
    std::ofstream(temporary_.path(name)) << text;
  }
  std::string read(const std::string& name) {
    std::ifstream file(temporary_.path(name));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void symlink(const std::string& target, const std::string& name) {
    ASSERT_EQ(::symlink(target.c_str(), temporary_.path(name).c_str()), 0);
  }
  void fifo(const std::string& name) {
    ASSERT_EQ(::mkfifo(temporary_.path(name).c_str(), 0666), 0);
  }
  FileInfo info_of(const std::string& name) { return folder_->lookup(name).value().value(); }

  TemporaryFolder temporary_;
  std::unique_ptr<Folder> folder_ = temporary_.open();
};

class Umask {
 public:
  explicit Umask(mode_t mask) : before_(::umask(mask)) {}
  ~Umask() { ::umask(before_); }
  Umask(const Umask&) = delete;
  Umask& operator=(const Umask&) = delete;

 private:
  mode_t before_;
};

// F10: nothing depends on the umask.
TEST_F(OpenFolder, WhatIsCreatedHasExactlyItsModeWhateverTheUmask) {
  for (const mode_t mask : {0277U, 0077U, 0000U}) {
    const Umask umask(mask);
    ASSERT_TRUE(folder_->create_file("file", 04755));
    EXPECT_EQ(info_of("file").mode, 04755U);
    ASSERT_TRUE(folder_->create_folder("folder", 01750));
    EXPECT_EQ(info_of("folder").mode, 01750U);
    EXPECT_TRUE(folder_->unlink("file").value());
    EXPECT_TRUE(folder_->remove_folder("folder").value());
  }
}

TEST_F(OpenFolder, ATakenNameIsLeftAlone) {
  write("file", "old");
  EXPECT_EQ(error_of(folder_->create_file("file", 0644)).system_errno(), EEXIST);
  EXPECT_EQ(read("file"), "old");
  EXPECT_EQ(error_of(folder_->create_folder("file", 0755)).system_errno(), EEXIST);
  symlink("nowhere", "dangling");
  EXPECT_EQ(error_of(folder_->create_file("dangling", 0644)).system_errno(), EEXIST);
  EXPECT_FALSE(std::filesystem::exists(temporary_.path("nowhere")));
}

TEST_F(OpenFolder, AnErrorNamesThePath) {
  const auto file = folder_->open_file("absent");
  ASSERT_FALSE(file);
  EXPECT_EQ(error_of(file).system_errno(), ENOENT);
  EXPECT_NE(error_of(file).message().find(temporary_.path()), std::string::npos);
  EXPECT_NE(error_of(file).message().find("absent"), std::string::npos);
}

TEST_F(OpenFolder, OnlyRegularFilesAreOpened) {
  write("file", "text");
  symlink("file", "link");
  fifo("fifo");
  ASSERT_TRUE(folder_->create_folder("folder", 0755));
  const auto devices = LinuxFileSystem().open_folder("/dev").value();
  using Open = Result<std::unique_ptr<File>> (Folder::*)(const std::string&);
  for (const Open open : {&Folder::open_file, &Folder::open_file_for_update}) {
    EXPECT_TRUE(((*folder_).*open)("file"));
    EXPECT_EQ(error_of(((*folder_).*open)("link")).system_errno(), ELOOP);
    EXPECT_EQ(error_of(((*folder_).*open)("folder")).system_errno(), EISDIR);
    EXPECT_EQ(error_of(((*folder_).*open)("fifo")).system_errno(), EINVAL);
    EXPECT_EQ(error_of(((*devices).*open)("null")).system_errno(), EINVAL);
  }
}

// To open a FIFO or a device is to do something to it: a writer that waits for a reader goes on.
TEST_F(OpenFolder, WhatIsNoRegularFileIsNotOpenedForAMoment) {
  fifo("fifo");
  const UniqueFd events(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  ASSERT_TRUE(events.valid());
  ASSERT_GE(::inotify_add_watch(events.get(), temporary_.path("fifo").c_str(), IN_OPEN), 0);
  EXPECT_FALSE(folder_->open_file("fifo"));
  EXPECT_FALSE(folder_->open_file_for_update("fifo"));
  alignas(inotify_event) char buffer[4096];
  EXPECT_EQ(::read(events.get(), buffer, sizeof buffer), -1);
  EXPECT_EQ(errno, EAGAIN);
}

// What is put at a name between the look and the open: without O_NOFOLLOW the link's target is
// opened, without O_NONBLOCK the FIFO is waited for.
TEST_F(OpenFolder, AnExchangeAfterTheLookGainsNothing) {
  write("file", "text");
  symlink("file", "link");
  fifo("fifo");
  const UniqueFd parent = open_folder_at(AT_FDCWD, temporary_.path(), 0);
  const auto open = [&](const std::string& name) {
    return open_regular_at(parent.get(), name, O_RDONLY, temporary_.path(name));
  };
  EXPECT_TRUE(open("file"));
  EXPECT_EQ(error_of(open("link")).system_errno(), ELOOP);
  EXPECT_EQ(error_of(open("fifo")).system_errno(), EINVAL);
  EXPECT_EQ(error_of(open("absent")).system_errno(), ENOENT);
}

TEST_F(OpenFolder, AFileOpenedForUpdateIsChangedInPlace) {
  write("file", "abc");
  const std::uint64_t inode = info_of("file").identity.inode;
  const std::string text = "X";
  ASSERT_TRUE(
      folder_->open_file_for_update("file").value()->write_at(std::as_bytes(std::span(text)), 1));
  EXPECT_EQ(read("file"), "aXc");
  EXPECT_EQ(info_of("file").identity.inode, inode);
}

TEST_F(OpenFolder, AFolderIsNotReachedThroughALink) {
  ASSERT_TRUE(folder_->create_folder("folder", 0755));
  symlink("folder", "link");
  write("file", "");
  EXPECT_TRUE(folder_->open_folder("folder"));
  EXPECT_EQ(error_of(folder_->open_folder("link")).system_errno(), ENOTDIR);
  EXPECT_EQ(error_of(folder_->open_folder("file")).system_errno(), ENOTDIR);
  EXPECT_EQ(error_of(folder_->open_folder("absent")).system_errno(), ENOENT);
}

TEST_F(OpenFolder, AFileSystemFollowsLinksToTheFolderThatAPersonNames) {
  ASSERT_TRUE(folder_->create_folder("folder", 0755));
  symlink("folder", "link");
  const auto opened = LinuxFileSystem().open_folder(temporary_.path("link")).value();
  EXPECT_EQ(opened->path(), temporary_.path("link"));
  EXPECT_TRUE(opened->info().value().identity.same_inode(info_of("folder").identity));
  EXPECT_EQ(error_of(LinuxFileSystem().open_folder("")).system_errno(), ENOENT);
  EXPECT_EQ(error_of(LinuxFileSystem().open_folder(std::string("/\0x", 3))).system_errno(), EINVAL);
}

TEST_F(OpenFolder, NoNameLeadsOutOfIt) {
  ASSERT_TRUE(folder_->create_folder("sub", 0755));
  write("file", "text");
  write("sub/inner", "text");
  const auto sub = folder_->open_folder("sub").value();
  for (const std::string& name :
       {std::string("../file"), std::string("/etc"), std::string(""), std::string("."),
        std::string(".."), std::string("inner\0x", 7)}) {
    const auto refuses = [](const auto& result) {
      return !result && result.error().system_errno() == EINVAL;
    };
    EXPECT_TRUE(refuses(sub->lookup(name))) << name;
    EXPECT_TRUE(refuses(sub->read_link(name))) << name;
    EXPECT_TRUE(refuses(sub->open_file(name))) << name;
    EXPECT_TRUE(refuses(sub->open_file_for_update(name))) << name;
    EXPECT_TRUE(refuses(sub->create_file(name, 0644))) << name;
    EXPECT_TRUE(refuses(sub->open_folder(name))) << name;
    EXPECT_TRUE(refuses(sub->create_folder(name, 0755))) << name;
    EXPECT_TRUE(refuses(sub->link(name, *folder_, "new"))) << name;
    EXPECT_TRUE(refuses(sub->link("inner", *folder_, name))) << name;
    EXPECT_TRUE(refuses(sub->rename(name, "new"))) << name;
    EXPECT_TRUE(refuses(sub->rename("inner", name))) << name;
    EXPECT_TRUE(refuses(sub->unlink(name))) << name;
    EXPECT_TRUE(refuses(sub->remove_folder(name))) << name;
  }
  EXPECT_EQ(folder_->list().value(), (std::vector<std::string>{"file", "sub"}));
  EXPECT_EQ(sub->list().value(), std::vector<std::string>{"inner"});
}

TEST_F(OpenFolder, LookupTellsWhatANameIsWithoutFollowingIt) {
  write("file", "text");
  symlink("nowhere", "link");
  fifo("fifo");
  EXPECT_EQ(info_of("file").type, FileType::regular);
  EXPECT_EQ(info_of("file").identity.size, 4U);
  EXPECT_EQ(info_of("link").type, FileType::symbolic_link);
  EXPECT_EQ(info_of("fifo").type, FileType::other);
  EXPECT_EQ(folder_->info().value().type, FileType::folder);
  EXPECT_EQ(folder_->lookup("nowhere").value(), std::nullopt);
  EXPECT_EQ(error_of(folder_->lookup(std::string(300, 'n'))).system_errno(), ENAMETOOLONG);
}

TEST_F(OpenFolder, ListHasEachNameOnceAndInOrderEachTime) {
  EXPECT_EQ(folder_->list().value(), std::vector<std::string>{});
  for (const char* const name : {"b", ".hidden", "a\n", "c"}) write(name, "");
  const std::vector<std::string> expected = {".hidden", "a\n", "b", "c"};
  EXPECT_EQ(folder_->list().value(), expected);
  EXPECT_EQ(folder_->list().value(), expected);
}

TEST_F(OpenFolder, ReadLinkGivesTheTarget) {
  const std::string target(1000, 't');
  symlink(target, "link");
  write("file", "");
  EXPECT_EQ(folder_->read_link("link").value(), target);
  EXPECT_EQ(error_of(folder_->read_link("file")).system_errno(), EINVAL);
  EXPECT_EQ(error_of(folder_->read_link("absent")).system_errno(), ENOENT);
}

TEST_F(OpenFolder, ALinkIsASecondNameOfTheFile) {
  write("file", "text");
  const auto sub = folder_->create_folder("sub", 0755).value();
  ASSERT_TRUE(folder_->link("file", *sub, "second"));
  EXPECT_TRUE(sub->lookup("second").value()->identity.same_inode(info_of("file").identity));
  EXPECT_EQ(info_of("file").links, 2U);
  EXPECT_EQ(error_of(folder_->link("file", *sub, "second")).system_errno(), EEXIST);
  EXPECT_EQ(error_of(folder_->link("absent", *sub, "third")).system_errno(), ENOENT);
}

TEST_F(OpenFolder, ASecondNameOfALinkIsALink) {
  write("file", "text");
  symlink("file", "link");
  ASSERT_TRUE(folder_->link("link", *folder_, "second"));
  EXPECT_EQ(info_of("second").type, FileType::symbolic_link);
}

TEST_F(OpenFolder, RenameReplacesInOneStep) {
  write("new", "new");
  write("file", "old");
  ASSERT_TRUE(folder_->rename("new", "file"));
  EXPECT_EQ(read("file"), "new");
  EXPECT_EQ(folder_->lookup("new").value(), std::nullopt);
  EXPECT_EQ(error_of(folder_->rename("new", "file")).system_errno(), ENOENT);
}

// F17.
TEST_F(OpenFolder, RenameBetweenTwoNamesOfOneInodeKeepsBoth) {
  write("file", "text");
  ASSERT_TRUE(folder_->link("file", *folder_, "second"));
  EXPECT_TRUE(folder_->rename("file", "second"));
  EXPECT_EQ(folder_->list().value(), (std::vector<std::string>{"file", "second"}));
}

TEST_F(OpenFolder, WhatIsAbsentNeedsNoRemoval) {
  write("file", "text");
  EXPECT_TRUE(folder_->unlink("file").value());
  EXPECT_FALSE(folder_->unlink("file").value());
  ASSERT_TRUE(folder_->create_folder("sub", 0755));
  EXPECT_FALSE(folder_->unlink("sub")) << "a folder is not unlinked";
  write("sub/file", "");
  EXPECT_EQ(error_of(folder_->remove_folder("sub")).system_errno(), ENOTEMPTY);
  EXPECT_TRUE(folder_->open_folder("sub").value()->unlink("file").value());
  EXPECT_TRUE(folder_->remove_folder("sub").value());
  EXPECT_FALSE(folder_->remove_folder("sub").value());
}

TEST_F(OpenFolder, UnlinkRemovesALinkAndNotItsTarget) {
  write("file", "text");
  symlink("file", "link");
  EXPECT_TRUE(folder_->unlink("link").value());
  EXPECT_EQ(read("file"), "text");
}

TEST_F(OpenFolder, SpaceIsThatOfItsFileSystem) {
  const Space space = folder_->space().value();
  EXPECT_EQ(space.device, folder_->info().value().identity.device);
  EXPECT_GT(space.free_bytes, 0U);
  EXPECT_LE(space.free_bytes, std::filesystem::space(temporary_.path()).capacity);
  EXPECT_GT(space.free_inodes, 0U);
}

TEST_F(OpenFolder, StaysTheSameFolderWhenItsNameIsTaken) {
  ASSERT_TRUE(folder_->create_folder("sub", 0755));
  const auto sub = folder_->open_folder("sub").value();
  ASSERT_TRUE(folder_->rename("sub", "moved"));
  symlink("/etc", "sub");
  ASSERT_TRUE(sub->create_file("file", 0644));
  EXPECT_TRUE(sub->sync());
  EXPECT_TRUE(std::filesystem::exists(temporary_.path("moved/file")));
}

// Acts as a user without root's rights, for whom folder permissions count.
class AsUser {
 public:
  AsUser() : changed_(::geteuid() == 0 && ::seteuid(65534) == 0) {}
  ~AsUser() {
    if (changed_ && ::seteuid(0) != 0) std::abort();
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  bool changed_;
};

TEST_F(OpenFolder, AFolderThatMayBePassedButNotListedIsPassed) {
  ASSERT_TRUE(folder_->create_folder("sub", 0755));
  write("sub/file", "text");
  ASSERT_EQ(::chmod(temporary_.path().c_str(), 0755), 0);
  ASSERT_EQ(::chmod(temporary_.path("sub").c_str(), 0311), 0);
  {
    const AsUser user;
    const auto sub = folder_->open_folder("sub");
    ASSERT_TRUE(sub) << sub.error().message();
    EXPECT_TRUE((*sub)->open_file("file"));
    EXPECT_EQ(error_of((*sub)->list()).system_errno(), EACCES);
  }
  ASSERT_EQ(::chmod(temporary_.path("sub").c_str(), 0755), 0);
}

}  // namespace
}  // namespace update::os
