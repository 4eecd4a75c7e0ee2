// ext4 mkfs, mkdir, put and ingest: the image is the old one or the new one, and a sound one.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "tests/scenario/image_tools.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

class Ext4Editing : public testing::Test {
 protected:
  void SetUp() override {
    NEEDS_TOOL("debugfs");
    ASSERT_EQ(host.run({"ext4", "mkfs", image, "--size", "64MiB"}).code, 0);
  }
  void TearDown() override { EXPECT_TRUE(IsSkipped() || temporaries(host.path("")).empty()); }

  Json entry(const std::string& path) { return host.json({"ext4", "stat", image, path}); }
  std::string cat(const std::string& path) { return host.run({"ext4", "cat", image, path}).out; }
  // Standard input comes from a file.
  Ended put_input(const std::string& bytes, const std::string& path, Arguments more = {}) {
    write_file(host.path("input"), bytes);
    Launch launch;
    launch.prefix = {"sh", "-c", "exec \"$@\" <'" + host.path("input") + "'", "sh"};
    Arguments words = {"ext4", "put", image, "-", path};
    words.insert(words.end(), more.begin(), more.end());
    return host.run(words, launch);
  }

  Host host;
  std::string image = host.path("image.ext4");
};

TEST_F(Ext4Editing, MkfsMakesASoundEmptyImageOfTheSize) {
  EXPECT_EQ(file_size(image), std::uint64_t{64} << 20U);
  expect_clean(image);
  Json top = entry("/");
  EXPECT_EQ(top["uid"], 0);
  EXPECT_EQ(top["gid"], 0);
  EXPECT_EQ(top["mode"], "0755");
  EXPECT_EQ(host.run({"ext4", "mkfs", host.path("tiny"), "--size", "4096"}).code, 8);
  EXPECT_FALSE(present(host.path("tiny")));
}

TEST_F(Ext4Editing, MkdirMakesAFolderWithModeAndOwner) {
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/data", "--mode", "0750", "--owner", "1000",
                      "--group", "70000"})
                .code,
            0);
  Json made = entry("/data");
  EXPECT_EQ(made["type"], "folder");
  EXPECT_EQ(made["mode"], "0750");
  EXPECT_EQ(made["uid"], 1000);
  EXPECT_EQ(made["gid"], 70000);
  expect_clean(image);
}

TEST_F(Ext4Editing, MkdirOfAFolderThatIsThereSetsModeAndOwner) {
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/d"}).code, 0);
  ASSERT_EQ(put_input("x", "/d/f").code, 0);
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/d", "--mode", "0700", "--owner", "5"}).code, 0);
  EXPECT_EQ(entry("/d")["mode"], "0700");
  EXPECT_EQ(entry("/d")["uid"], 5);
  EXPECT_EQ(cat("/d/f"), "x");
  expect_clean(image);
}

// The ACL would give others than the mode says.
TEST_F(Ext4Editing, MkdirOfAFolderThatIsThereTakesItsAclAndLeavesOtherAttributes) {
  NEEDS_TOOL("setfacl");
  NEEDS_TOOL("setfattr");
  const std::string folder = host.path("tree/d");
  fs::create_directories(folder);
  ASSERT_EQ(run_process({"setfacl", "-m", "u:1236:rwx", folder}).code, 0);
  ASSERT_EQ(run_process({"setfattr", "-n", "user.note", "-v", "kept", folder}).code, 0);
  ASSERT_EQ(host.run({"ext4", "ingest", image, host.path("tree")}).code, 0);
  ASSERT_TRUE(contains(debugfs(image, "ea_list /d"), "posix_acl_access"));
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/d", "--mode", "0700"}).code, 0);
  const std::string attributes = debugfs(image, "ea_list /d");
  EXPECT_FALSE(contains(attributes, "posix_acl")) << attributes;
  EXPECT_TRUE(contains(attributes, "user.note")) << attributes;
  EXPECT_EQ(entry("/d")["mode"], "0700");
  expect_clean(image);
}

TEST_F(Ext4Editing, ParentsAreMadeOnlyWhereAsked) {
  const Ended ended = host.run({"ext4", "mkdir", image, "/a/b/c"});
  EXPECT_EQ(ended.code, 9);
  EXPECT_TRUE(contains(ended.err, "--parents")) << ended.err;
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/a", "--mode", "0711"}).code, 0);
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/a/b/c", "--parents", "--mode", "0700"}).code, 0);
  EXPECT_EQ(entry("/a")["mode"], "0711") << "a parent that is there stays as it is";
  EXPECT_EQ(entry("/a/b")["mode"], "0755");
  EXPECT_EQ(entry("/a/b/c")["mode"], "0700");
  ASSERT_EQ(put_input("y", "/x/y/z", {"--parents", "--owner", "9"}).code, 0);
  EXPECT_EQ(entry("/x/y")["uid"], 9);
  EXPECT_EQ(cat("/x/y/z"), "y");
  expect_clean(image);
}

TEST_F(Ext4Editing, PutTakesBytesAndModeOfTheSource) {
  write_file(host.path("source"), std::string(100'000, 's'), 0600);
  ASSERT_EQ(chmod(host.path("source").c_str(), 04710), 0);
  ASSERT_EQ(host.run({"ext4", "put", image, host.path("source"), "/f"}).code, 0);
  EXPECT_EQ(cat("/f"), std::string(100'000, 's'));
  EXPECT_EQ(entry("/f")["mode"], "0710") << "set-id bits only where --mode asks for them";
  EXPECT_EQ(entry("/f")["uid"], 0);
  ASSERT_EQ(host.run({"ext4", "put", image, host.path("source"), "/f", "--mode", "4711"}).code, 0);
  EXPECT_EQ(entry("/f")["mode"], "4711");
  expect_clean(image);
}

TEST_F(Ext4Editing, PutTwiceGivesTheSame) {
  ASSERT_EQ(put_input("one", "/f").code, 0);
  const std::string free = host.json({"ext4", "stat", image})["free_bytes"].dump();
  ASSERT_EQ(put_input("two", "/f", {"--mode", "0600", "--owner", "3"}).code, 0);
  ASSERT_EQ(put_input("two", "/f", {"--mode", "0600", "--owner", "3"}).code, 0);
  EXPECT_EQ(cat("/f"), "two");
  EXPECT_EQ(entry("/f")["uid"], 3);
  EXPECT_EQ(host.json({"ext4", "stat", image})["free_bytes"].dump(), free);
  EXPECT_EQ(host.json({"ext4", "ls", image, "/"})["entries"].size(), 2U);
  expect_clean(image);
}

TEST_F(Ext4Editing, PutGoesIntoAFolder) {
  write_file(host.path("name"), "n");
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/d"}).code, 0);
  ASSERT_EQ(host.run({"ext4", "put", image, host.path("name"), "/d"}).code, 0);
  EXPECT_EQ(cat("/d/name"), "n");
  ASSERT_EQ(host.run({"ext4", "put", image, host.path("name"), "/e/", "--parents"}).code, 0);
  EXPECT_EQ(cat("/e/name"), "n");
  EXPECT_EQ(put_input("x", "/d").code, 2) << "standard input has no name";
  expect_clean(image);
}

TEST_F(Ext4Editing, StandardInputOfNothingIsAnEmptyFile) {
  ASSERT_EQ(put_input("", "/empty").code, 0);
  EXPECT_EQ(entry("/empty")["size"], 0);
  EXPECT_EQ(entry("/empty")["mode"], "0644");
  expect_clean(image);
}

TEST_F(Ext4Editing, WhatDoesNotFitLeavesTheImageAsItWas) {
  const std::string before = sha256_of(data_of(image));
  EXPECT_EQ(put_input(std::string(std::size_t{70} << 20U, 'x'), "/f").code, 8);
  EXPECT_EQ(put_input(std::string(std::size_t{62} << 20U, 'x'), "/f").code, 8);
  EXPECT_EQ(sha256_of(data_of(image)), before);
}

TEST_F(Ext4Editing, WhatIsOfAnotherKindIsInTheWay) {
  ASSERT_EQ(put_input("x", "/f").code, 0);
  const std::string before = sha256_of(data_of(image));
  EXPECT_EQ(host.run({"ext4", "mkdir", image, "/f"}).code, 1);
  EXPECT_EQ(host.run({"ext4", "mkdir", image, "/f/below"}).code, 1);
  EXPECT_EQ(sha256_of(data_of(image)), before);
}

TEST_F(Ext4Editing, NamesOfAnyBytes) {
  const std::string name = "\x01\xFF \n\\\"'" + std::string(247, 'n');
  ASSERT_EQ(name.size(), 255U - 1U);
  ASSERT_EQ(put_input("odd", "/" + name + "z").code, 0);
  EXPECT_EQ(cat("/" + name + "z"), "odd");
  EXPECT_EQ(put_input("odd", "/" + name + "zz").code, 2);
  expect_clean(image);
}

TEST_F(Ext4Editing, TheImageKeepsItsOwnModeAndItsHoles) {
  ASSERT_EQ(chmod(image.c_str(), 0640), 0);
  ASSERT_EQ(put_input("x", "/f").code, 0);
  struct stat info {};
  ASSERT_EQ(stat(image.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777U, 0640U);
  EXPECT_EQ(file_size(image), std::uint64_t{64} << 20U);
  EXPECT_LT(allocated(image), std::uint64_t{4} << 20U);
}

TEST_F(Ext4Editing, ALockedImageIsBusy) {
  const int fd = open(image.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_GE(fd, 0);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_EQ(host.run({"ext4", "mkdir", image, "/d"}).code, 5);
  EXPECT_EQ(put_input("x", "/f").code, 5);
  close(fd);
  EXPECT_EQ(host.run({"ext4", "mkdir", image, "/d"}).code, 0);
}

TEST_F(Ext4Editing, ChangesAtOnceAreNeverLost) {
  // Each of many runs either makes its folder or says that it is busy.
  std::vector<std::unique_ptr<Process>> runs;
  constexpr int kRuns = 8;
  for (int number = 0; number < kRuns; ++number) {
    runs.push_back(std::make_unique<Process>(
        host.command({"ext4", "mkdir", image, "/d" + std::to_string(number)})));
  }
  std::size_t made = 0;
  for (auto& run : runs) {
    const Ended ended = run->wait();
    EXPECT_TRUE(ended.code == 0 || ended.code == 5) << ended.err;
    made += ended.code == 0 ? 1U : 0U;
  }
  EXPECT_GE(made, 1U);
  EXPECT_EQ(host.json({"ext4", "ls", image, "/"})["entries"].size(), made + 1) << "and lost+found";
  expect_clean(image);
}

TEST_F(Ext4Editing, AnImageExchangedBeforeTheLockIsOpenedAnew) {
  NEEDS_TOOL("strace");
  // The first has opened the old image and waits in front of its lock; the second puts a new one in
  // its place.
  Launch slow;
  slow.environment = {{"ASAN_OPTIONS", "detect_leaks=0"}};  // which cannot work beside a tracer
  slow.prefix = {"strace", "-qq",         "-o", host.path("trace"),
                 "-e",     "trace=flock", "-e", "inject=flock:delay_enter=1500000:when=1"};
  Process first(host.command({"ext4", "mkdir", image, "/first"}), slow);
  ASSERT_TRUE(eventually([&] { return present(host.path("trace")); }));
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/second"}).code, 0);
  const Ended ended = first.wait();
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(entry("/first")["type"], "folder");
  EXPECT_EQ(entry("/second")["type"], "folder") << "the copy was of the new image";
}

TEST_F(Ext4Editing, IngestAddsToAnImageOrMakesOne) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/sub");
  fs::create_directories(tree + "/lost+found");
  write_file(tree + "/sub/a", "a");
  write_file(tree + "/b", "b");
  Json added = host.json({"ext4", "ingest", image, tree});
  EXPECT_EQ(added["entries"], 3);
  EXPECT_EQ(cat("/sub/a"), "a");
  EXPECT_EQ(host.run({"ext4", "ingest", image, tree, "--at", "/none"}).code, 9);
  ASSERT_EQ(host.run({"ext4", "ingest", image, tree, "--at", "/sub"}).code, 0);
  EXPECT_EQ(cat("/sub/b"), "b");
  expect_clean(image);
  ASSERT_EQ(host.run({"ext4", "ingest", image, tree, "--size", "32MiB", "--at", "/x/y"}).code, 0);
  EXPECT_EQ(file_size(image), std::uint64_t{32} << 20U);
  EXPECT_EQ(cat("/x/y/b"), "b");
  EXPECT_EQ(host.run({"ext4", "cat", image, "/b"}).code, 9);
  expect_clean(image);
}

TEST_F(Ext4Editing, IngestTakesWhatAListNames) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/one/deep");
  write_file(tree + "/one/deep/a", "a");
  write_file(tree + "/one/left", "l");
  write_file(tree + "/b", "b");
  write_file(host.path("list"), "one/deep  # a comment\r\n\n  b\n");
  Json added = host.json({"ext4", "ingest", image, tree, "--files-from", host.path("list")});
  EXPECT_EQ(added["entries"], 4);
  EXPECT_EQ(cat("/one/deep/a"), "a");
  EXPECT_EQ(host.run({"ext4", "cat", image, "/one/left"}).code, 9);
  for (const char* line : {"../b", "/b", "none"}) {
    write_file(host.path("list"), std::string(line) + "\n");
    EXPECT_EQ(host.run({"ext4", "ingest", image, tree, "--files-from", host.path("list")}).code, 2)
        << line;
  }
  expect_clean(image);
}

TEST_F(Ext4Editing, AListMayComeFromStandardInput) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree);
  write_file(tree + "/a", "a");
  write_file(tree + "/b", "b");
  const auto ingest = [&](const std::string& command) {
    Launch launch;
    launch.prefix = {"sh", "-c", command + " | \"$@\"", "sh"};
    return host.run({"ext4", "ingest", image, tree, "--files-from", "-"}, launch);
  };
  EXPECT_EQ(ingest("printf 'a\\n# b\\n'").code, 0);
  EXPECT_EQ(cat("/a"), "a");
  EXPECT_EQ(host.run({"ext4", "cat", image, "/b"}).code, 9);
  EXPECT_EQ(ingest("printf '# nothing\\n'").code, 2);
  const Ended large = ingest("yes '#' | head -c 80000000");
  EXPECT_EQ(large.code, 2);
  EXPECT_TRUE(contains(large.err, "more than 64 MiB")) << large.err;
}

TEST_F(Ext4Editing, ALineThatIsNoPathIsToldByItsNumber) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree);
  write_file(host.path("list"), "# a comment\n" + std::string(5'000'000, 'x') + "\n");
  const Ended ended = host.run({"ext4", "ingest", image, tree, "--files-from", host.path("list")});
  EXPECT_EQ(ended.code, 2);
  EXPECT_TRUE(contains(ended.err, "line 2")) << ended.err.substr(0, 1000);
  EXPECT_LT(ended.err.size(), 1000U);
}

// What is told is where it lies in the image, and how this command comes to it.
TEST_F(Ext4Editing, ErrorsOfIngestNameThePathInTheImage) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/name/deeper");
  ASSERT_EQ(host.run({"ext4", "mkdir", image, "/sub/folder", "--parents"}).code, 0);
  ASSERT_EQ(put_input("a file", "/sub/folder/name").code, 0);
  const Ended in_the_way = host.run({"ext4", "ingest", image, tree, "--at", "/sub/folder"});
  EXPECT_EQ(in_the_way.code, 1);
  EXPECT_TRUE(contains(in_the_way.err, "'/sub/folder/name' is a file")) << in_the_way.err;
  const Ended missing = host.run({"ext4", "ingest", image, tree, "--at", "/none/at/all"});
  EXPECT_EQ(missing.code, 9);
  EXPECT_FALSE(contains(missing.err, "--parents makes the folders on the way")) << missing.err;
  EXPECT_TRUE(contains(missing.err, "ext4 mkdir")) << missing.err;
}

TEST_F(Ext4Editing, IngestIsTheSameTwiceUnderAGivenTime) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/sub");
  write_file(tree + "/sub/a", std::string(10'000, 'a'));
  const Launch dated = {{{"SOURCE_DATE_EPOCH", "1700000000"}}};
  for (const char* name : {"one", "two"}) {
    ASSERT_EQ(host.run({"ext4", "ingest", host.path(name), tree, "--size", "32MiB"}, dated).code,
              0);
    read_file(tree + "/sub/a");
  }
  EXPECT_EQ(sha256_of(data_of(host.path("one"))), sha256_of(data_of(host.path("two"))));
  EXPECT_EQ(host.run({"ext4", "ingest", host.path("one"), tree, "--label", "x"}).code, 2);
}

TEST_F(Ext4Editing, AGivenTimeIsNotTakenForAChangeOfTheSource) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree);
  write_file(tree + "/old", "older than its place here");
  fs::last_write_time(tree + "/old", fs::file_time_type::clock::now() - std::chrono::hours(24));
  const Launch dated = {{{"SOURCE_DATE_EPOCH", "1700000000"}}};
  const Ended made = host.run({"ext4", "ingest", host.path("new"), tree, "--size", "32MiB"}, dated);
  EXPECT_EQ(made.code, 0) << made.err;
  const Ended put = host.run({"ext4", "put", image, tree + "/old", "/old"}, dated);
  EXPECT_EQ(put.code, 0) << put.err;
}

// What writes to an image is confined to memory that grows with the image and the names in it.
TEST_F(Ext4Editing, AnImageOfMoreThanATebibyteIsWrittenTo) {
  ASSERT_EQ(host.run({"ext4", "mkfs", image, "--size", "1536GiB"}).code, 0);
  const Ended put = put_input("found", "/f");
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_EQ(cat("/f"), "found");
}

// As arrays of bits, what libext2fs keeps of one of 2 TiB takes 80 MiB, and that of the check 144.
TEST_F(Ext4Editing, AnImageOfManyTebibytesTakesLittleMemory) {
  constexpr long kMostKiB = 64 * 1024;
  const auto peak_of_children = [] {
    rusage children{};
    EXPECT_EQ(getrusage(RUSAGE_CHILDREN, &children), 0);
    return children.ru_maxrss;
  };
  if (peak_of_children() > kMostKiB) GTEST_SKIP() << "another test before it took more";
  ASSERT_EQ(host.run({"ext4", "mkfs", image, "--size", "2TiB"}).code, 0);
  EXPECT_EQ(put_input("found", "/f").code, 0);
  EXPECT_LT(peak_of_children(), kMostKiB);
  EXPECT_EQ(host.run({"ext4", "check", image}).code, 0);
  EXPECT_LT(peak_of_children(), kMostKiB);
}

TEST_F(Ext4Editing, ManyLongNamesAreGoneOverOnceMore) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/sub");
  for (int i = 0; i < 60'000; ++i) {
    const std::string number = std::to_string(i);
    write_file(tree + "/sub/" + number + std::string(250 - number.size(), 'n'), "");
  }
  const std::string made = host.path("made");
  ASSERT_EQ(host.run({"ext4", "ingest", made, tree, "--size", "128MiB"}).code, 0);
  const Ended again = host.run({"ext4", "ingest", made, tree});
  EXPECT_EQ(again.code, 0) << again.err;
  expect_clean(made);
}

TEST_F(Ext4Editing, IngestCountsWhatIsNeitherFileNorFolderNorLink) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree);
  ASSERT_EQ(mkfifo((tree + "/pipe").c_str(), 0600), 0);
  Json added = host.json({"ext4", "ingest", image, tree});
  EXPECT_EQ(added["skipped"]["pipe"], 1);
  EXPECT_EQ(added["entries"], 0);
}

}  // namespace
}  // namespace update::scenario
