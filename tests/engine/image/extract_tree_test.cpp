#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "engine/image/host/host_tree.hpp"
#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"
#include "tests/fake/fake_system.hpp"
#include "tests/fake/fake_test.hpp"

namespace update::image {
namespace {

std::uint64_t skipped(const Tree& tree, Skipped kind) {
  return tree.skipped[static_cast<std::size_t>(kind)];
}

/// A tree by hand, as an image would give it.
class HandMade {
 public:
  HandMade() { add(kNoEntry, "", EntryType::folder, 0755); }

  EntryIndex add(EntryIndex parent, std::string_view name, EntryType type, std::uint32_t mode,
                 std::string_view content = "") {
    Entry entry;
    entry.parent = parent;
    entry.name = tree.keep(name);
    entry.type = type;
    entry.mode = static_cast<std::uint16_t>(mode);
    entry.uid = 12;
    entry.gid = 34;
    entry.modified = {7258118400, 123456789};
    entry.accessed = {1'600'000'000, 7};
    entry.content = tree.keep(content);
    entry.size = type == EntryType::regular ? content.size() : 0;
    tree.entries.push_back(entry);
    return static_cast<EntryIndex>(tree.entries.size() - 1);
  }
  /// To the entry that was added last.
  void attribute(std::string_view name, std::string_view value) {
    Entry& entry = tree.entries.back();
    if (entry.attributes++ == 0) {
      entry.first_attribute = static_cast<std::uint32_t>(tree.attributes.size());
    }
    tree.attributes.push_back({tree.keep(name), tree.keep(value)});
  }
  /// Data of the entry that was added last, from a file.
  void extent(const Extent& extent, std::uint64_t size) {
    Entry& entry = tree.entries.back();
    entry.first_extent = static_cast<std::uint32_t>(tree.extents.size());
    entry.extents = 1;
    entry.size = size;
    tree.extents.push_back(extent);
  }

  Tree tree;
};

/// No entry has extents.
class NoContents final : public Contents {
 public:
  Result<os::File*> open(const Tree&, EntryIndex) override {
    return fail(ErrorCode::failed, "nothing is there");
  }
  Status close(const Tree&, EntryIndex) override { return {}; }
};

class Extracting : public testing::Test {
 protected:
  Status extract(Tree& tree, const ExtractOptions& options = {}) {
    NoContents contents;
    return extract_tree(files_, tree, contents, at("out"), options, stop_);
  }
  std::string at(std::string_view name) { return scratch_ / name; }
  struct stat status_of(std::string_view name) {
    struct stat status {};
    EXPECT_EQ(::lstat(at(name).c_str(), &status), 0) << name;
    return status;
  }
  std::uint32_t mode_of(std::string_view name) { return status_of(name).st_mode & 07777U; }

  ScratchFolder scratch_;
  os::LinuxFileSystem files_;
  FakeStop stop_;
  HandMade made_;
};

TEST_F(Extracting, WhatWasReadFromAFolderComesOutTheSame) {
  std::filesystem::create_directories(at("in/b/deep"));
  std::string large;
  for (int number = 0; large.size() < 3'000'001; ++number) large += std::to_string(number);
  scratch_.put("in/b/deep/large", large);
  scratch_.put("in/a", "first");
  scratch_.put("in/empty", "");
  std::filesystem::create_hard_link(at("in/a"), at("in/b/again"));
  std::filesystem::create_symlink("b/deep/../again", at("in/link"));
  const int fd = ::open(at("in/sparse").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(::pwrite(fd, "middle", 6, 1 << 20), 6);
  ASSERT_EQ(::ftruncate(fd, (1 << 24) + 5), 0);
  ::close(fd);
  const bool attributes = ::setxattr(at("in/b").c_str(), "user.x", "y", 1, 0) == 0;
  ASSERT_EQ(::chmod(at("in/b/deep/large").c_str(), 0440), 0);
  ASSERT_EQ(::chmod(at("in/b/deep").c_str(), 0550), 0);

  HostTree host = read_folder(files_, at("in")).value();
  const Status extracted = extract_tree(files_, host.tree, *host.contents, at("out"), {}, stop_);
  ASSERT_TRUE(extracted) << extracted.error().message();
  const HostTree copy = read_folder(files_, at("out")).value();
  ASSERT_EQ(copy.tree.entries.size(), host.tree.entries.size());
  for (EntryIndex index = 0; index < copy.tree.entries.size(); ++index) {
    const Entry& was = host.tree.entries[index];
    const Entry& is = copy.tree.entries[index];
    SCOPED_TRACE(host.tree.path(index));
    EXPECT_EQ(copy.tree.path(index), host.tree.path(index));
    EXPECT_EQ(is.type, was.type);
    EXPECT_EQ(is.mode, was.mode);
    EXPECT_EQ(is.size, was.size);
    EXPECT_EQ(is.link_to, was.link_to);
    EXPECT_EQ(is.modified, was.modified);
    EXPECT_EQ(is.attributes, was.attributes);
    EXPECT_EQ(is.extents, was.extents);
    EXPECT_EQ(copy.tree.at(is.content), host.tree.at(was.content));
  }
  EXPECT_EQ(copy.tree.attributes.size(), attributes ? 1U : 0U);
  EXPECT_EQ(scratch_.read("out/b/deep/large"), large);
  EXPECT_EQ(scratch_.read("out/b/again"), "first");
  EXPECT_EQ(scratch_.read("out/sparse"), scratch_.read("in/sparse"));
  EXPECT_LE(status_of("out/sparse").st_blocks, 256) << "holes stay holes";
  ASSERT_EQ(::chmod(at("in/b/deep").c_str(), 0755), 0);
  ASSERT_EQ(::chmod(at("out/b/deep").c_str(), 0755), 0);
}

TEST_F(Extracting, SetsTimesAndModesOfFoldersAfterWhatIsInThem) {
  const EntryIndex folder = made_.add(0, "folder", EntryType::folder, 0500);
  made_.add(folder, "file", EntryType::regular, 0400, "inline bytes");
  made_.add(folder, "link", EntryType::symbolic_link, 0777, "file");
  ASSERT_TRUE(extract(made_.tree));
  for (const char* name : {"out", "out/folder", "out/folder/file", "out/folder/link"}) {
    SCOPED_TRACE(name);
    const struct stat status = status_of(name);
    EXPECT_EQ(status.st_mtim.tv_sec, 7258118400);
    EXPECT_EQ(status.st_mtim.tv_nsec, 123456789);
    EXPECT_EQ(status.st_uid, ::geteuid()) << "not asked for another";
  }
  EXPECT_EQ(status_of("out/folder/file").st_atim.tv_sec, 1'600'000'000);
  EXPECT_EQ(mode_of("out"), 0755U);
  EXPECT_EQ(mode_of("out/folder"), 0500U);
  EXPECT_EQ(mode_of("out/folder/file"), 0400U);
  EXPECT_EQ(scratch_.read("out/folder/file"), "inline bytes");
  ASSERT_EQ(::chmod(at("out/folder").c_str(), 0700), 0);
}

TEST_F(Extracting, ATargetThatHoldsSomethingIsLeftAlone) {
  std::filesystem::create_directory(at("out"));
  made_.add(0, "file", EntryType::regular, 0644, "x");
  Tree again = made_.tree;
  ASSERT_TRUE(extract(made_.tree)) << "an empty one is as good as a new one";
  const Status twice = extract(again);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code(), ErrorCode::failed);
  EXPECT_FALSE(twice.error().hint().empty());
}

TEST_F(Extracting, NoNameLeadsOutOfTheTarget) {
  std::filesystem::create_directory(at("outside"));
  for (const char* name : {"..", ".", "../outside/x", "/etc/x", "", "a/b"}) {
    SCOPED_TRACE(name);
    HandMade hostile;
    hostile.add(0, name, EntryType::regular, 0644, "x");
    EXPECT_FALSE(extract(hostile.tree));
    std::filesystem::remove_all(at("out"));
  }
  // A link, and a folder of the same name to be filled by it.
  HandMade hostile;
  hostile.add(0, "x", EntryType::symbolic_link, 0777, at("outside"));
  const EntryIndex folder = hostile.add(0, "x", EntryType::folder, 0755);
  hostile.add(folder, "file", EntryType::regular, 0644, "x");
  EXPECT_FALSE(extract(hostile.tree));
  EXPECT_TRUE(std::filesystem::is_empty(at("outside")));
}

TEST_F(Extracting, SetIdBitsAndCapabilitiesOnlyWhenAskedFor) {
  made_.add(0, "program", EntryType::regular, 06755, "x");
  made_.attribute("security.capability",
                  std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  made_.add(0, "folder", EntryType::folder, 03775);
  Tree kept = made_.tree;
  ASSERT_TRUE(extract(made_.tree));
  EXPECT_EQ(mode_of("out/program"), 0755U);
  EXPECT_EQ(mode_of("out/folder"), 01775U);
  EXPECT_EQ(skipped(made_.tree, Skipped::set_id_bits), 3U);
  EXPECT_EQ(::getxattr(at("out/program").c_str(), "security.capability", nullptr, 0), -1);

  std::filesystem::remove_all(at("out"));
  ASSERT_TRUE(extract(kept, {.keep_set_id = true}));
  EXPECT_EQ(mode_of("out/program"), 06755U);
  EXPECT_EQ(skipped(kept, Skipped::set_id_bits), 0U);
  if (::geteuid() != 0) GTEST_SKIP() << "capabilities need root";
  EXPECT_EQ(::getxattr(at("out/program").c_str(), "security.capability", nullptr, 0), 20);
}

TEST_F(Extracting, OwnersWhenAskedFor) {
  if (::geteuid() != 0) GTEST_SKIP() << "owners need root";
  made_.add(0, "program", EntryType::regular, 04755, "x");
  made_.add(0, "link", EntryType::symbolic_link, 0777, "program");
  ASSERT_TRUE(extract(made_.tree, {.keep_owner = true, .keep_set_id = true}));
  for (const char* name : {"out", "out/program", "out/link"}) {
    EXPECT_EQ(status_of(name).st_uid, 12U) << name;
    EXPECT_EQ(status_of(name).st_gid, 34U) << name;
  }
  EXPECT_EQ(mode_of("out/program"), 04755U) << "the change of owner did not take them";
}

TEST_F(Extracting, AccessListsComeOutTheSame) {
  const std::string acl(
      "\2\0\0\0"
      "\1\0\6\0\377\377\377\377"
      "\2\0\4\0\14\0\0\0"
      "\4\0\4\0\377\377\377\377"
      "\20\0\6\0\377\377\377\377"
      "\40\0\0\0\377\377\377\377",
      44);
  made_.add(0, "file", EntryType::regular, 0660, "x");
  made_.attribute("system.posix_acl_access", acl);
  made_.attribute("trusted.other", "x");
  ASSERT_TRUE(extract(made_.tree));
  if (skipped(made_.tree, Skipped::attribute) == 2) GTEST_SKIP() << "no access lists here";
  std::string value(100, '\0');
  const ssize_t size =
      ::getxattr(at("out/file").c_str(), "system.posix_acl_access", value.data(), value.size());
  ASSERT_EQ(size, 44);
  EXPECT_EQ(value.substr(0, 44), acl);
  EXPECT_EQ(mode_of("out/file"), 0660U);
  EXPECT_EQ(skipped(made_.tree, Skipped::attribute), 1U) << "trusted.other";
}

TEST_F(Extracting, AStopLeavesWhatWasMadeAndSaysSo) {
  made_.add(0, "file", EntryType::regular, 0644, "x");
  stop_.send(os::StopRequest::Signal::terminate);
  const Status stopped = extract(made_.tree);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code(), ErrorCode::terminated);
  EXPECT_NE(stopped.error().hint().find("out"), std::string::npos);
  EXPECT_EQ(mode_of("out"), 0700U);
}

class ExtractingOnAFakeHost : public FakeFileSystemTest {
 protected:
  Status extract(Tree& tree, const ExtractOptions& options = {}) {
    auto source = d->open_file("image").value();
    ImageContents contents(*source);
    return extract_tree(fs, tree, contents, "/d/out/", options, stop);
  }
  ExtractingOnAFakeHost() { fs.put_file("/d/image", std::string(4096, '-') + "the bytes"); }

  FakeStop stop;
  HandMade made;
};

TEST_F(ExtractingOnAFakeHost, CopiesFromAnImageAndIsDurableOnReturn) {
  const EntryIndex folder = made.add(0, "folder", EntryType::folder, 0755);
  made.add(folder, "file", EntryType::regular, 0644);
  made.extent({.offset = 0, .source = 4096, .length = 9}, 20);
  made.add(folder, "link", EntryType::symbolic_link, 0777, "file");
  made.tree.entries[made.add(0, "again", EntryType::regular, 0644)].link_to = 2;
  ASSERT_TRUE(extract(made.tree));
  EXPECT_EQ(fs.read("/d/out/folder/file"), "the bytes" + std::string(11, '\0'));
  EXPECT_EQ(fs.info("/d/out/again")->identity.inode, fs.info("/d/out/folder/file")->identity.inode);
  EXPECT_EQ(fs.pending_count(), 0U);
  // A link would be in the way of what comes after it.
  std::vector<FakeCall::Verb> order;
  for (const FakeCall& call : fs.calls()) {
    if (call.verb == FakeCall::Verb::create || call.verb == FakeCall::Verb::create_link ||
        call.verb == FakeCall::Verb::link) {
      order.push_back(call.verb);
    }
  }
  EXPECT_EQ(order, (std::vector<FakeCall::Verb>{FakeCall::Verb::create, FakeCall::Verb::create_link,
                                                FakeCall::Verb::link}));
}

TEST_F(ExtractingOnAFakeHost, WhatTheHostRefusesIsCountedAndGivesNobodyElseSetId) {
  made.add(0, "program", EntryType::regular, 04755, "x");
  made.attribute("user.x", "y");
  fs.fail_always(EPERM, [](const FakeCall& call) {
    return call.verb == FakeCall::Verb::set_owner || call.verb == FakeCall::Verb::set_attribute;
  });
  ASSERT_TRUE(extract(made.tree, {.keep_owner = true, .keep_set_id = true}));
  EXPECT_EQ(skipped(made.tree, Skipped::owner), 2U) << "the top and the program";
  EXPECT_EQ(skipped(made.tree, Skipped::attribute), 1U);
  EXPECT_EQ(skipped(made.tree, Skipped::set_id_bits), 1U);
  EXPECT_EQ(fs.info("/d/out/program")->mode, 0755U);
}

TEST_F(ExtractingOnAFakeHost, NobodyLooksInBeforeAllIsDone) {
  made.add(0, "program", EntryType::regular, 04755, "x");
  made.add(0, "second", EntryType::regular, 0644, "x");
  fs.make_folder("/d/out", 0777);
  fs.before_each_call([&](const FakeCall& call) {
    if (call.path.find("/d/out/") == 0 && call.path != "/d/out/") {
      EXPECT_EQ(fs.info("/d/out")->mode, 0700U) << call.line();
    }
  });
  ASSERT_TRUE(extract(made.tree, {.keep_set_id = true}));
  EXPECT_EQ(fs.info("/d/out")->mode, 0755U);
}

TEST_F(ExtractingOnAFakeHost, AnErrorAtAnyCallIsTold) {
  made.add(0, "file", EntryType::regular, 0644);
  made.extent({.offset = 0, .source = 4096, .length = 9}, 9);
  made.add(0, "link", EntryType::symbolic_link, 0777, "file");
  const FakeDisk before = fs.disk();
  Tree counted = made.tree;
  ASSERT_TRUE(extract(counted));
  const std::uint64_t calls = fs.call_count();
  for (std::uint64_t call = 1; call <= calls; ++call) {
    FakeFileSystem failing(before);
    failing.fail_at(call, EIO);
    auto source = failing.open_folder("/d").value()->open_file("image").value();
    ImageContents contents(*source);
    Tree tree = made.tree;
    const Status extracted = extract_tree(failing, tree, contents, "/d/out", {}, stop);
    ASSERT_FALSE(extracted) << fs.lines()[call - 1];
    EXPECT_EQ(extracted.error().system_errno(), EIO);
    EXPECT_NE(extracted.error().message().find("/d/out"), std::string::npos);
  }
}

TEST_F(ExtractingOnAFakeHost, AShortSourceIsAnError) {
  made.add(0, "file", EntryType::regular, 0644);
  made.extent({.offset = 0, .source = 4096, .length = 10}, 10);
  const Status extracted = extract(made.tree);
  ASSERT_FALSE(extracted);
  EXPECT_NE(extracted.error().message().find("became shorter"), std::string::npos);
}

}  // namespace
}  // namespace update::image
