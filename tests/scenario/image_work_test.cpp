// work-seed and work-disk: what banger makes for its VMs.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>

#include "tests/scenario/image_tools.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

constexpr std::uint64_t kMiB = 1U << 20U;

// A rootfs whose /root holds a little of everything, made by mke2fs.
std::string make_rootfs(const Host& host) {
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/root/.ssh");
  write_file(tree + "/root/.bashrc", "alias ll='ls -l'\n", 0644);
  write_file(tree + "/root/.ssh/authorized_keys", "ssh-ed25519 AAAA\n", 0600);
  chmod((tree + "/root/.ssh").c_str(), 0700);
  chmod((tree + "/root").c_str(), 0700);
  fs::create_symlink(".bashrc", tree + "/root/link");
  fs::create_hard_link(tree + "/root/.bashrc", tree + "/root/again");
  write_file(tree + "/outside", "not of /root");
  mke2fs(host.path("rootfs.ext4"), "64M", tree);
  return host.path("rootfs.ext4");
}

std::string owner_and_mode(const std::string& image, const std::string& path) {
  const std::string text = debugfs(image, "stat " + path);
  const auto field = [&](const std::string& name) {
    const std::string rest = text.substr(std::min(text.find(name), text.size()));
    return rest.substr(0, rest.find_first_of("\n", 0));
  };
  return field("Mode:") + field("User:");
}

TEST(WorkSeedCommand, HoldsTheFolderOfRootAndNothingElse) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string rootfs = make_rootfs(host);
  Json answer = host.json({"work-seed", rootfs});
  const std::string seed = host.path("rootfs.work-seed.ext4");
  EXPECT_EQ(answer["image"], seed);
  EXPECT_EQ(answer["bytes"], 512 * kMiB);
  EXPECT_EQ(file_size(seed), 512 * kMiB);
  EXPECT_EQ(answer["entries"], 5);
  EXPECT_EQ(answer["content_bytes"], 34) << "a hard link counts once";
  expect_clean(seed);
  EXPECT_EQ(debugfs(seed, "cat /.ssh/authorized_keys"), "ssh-ed25519 AAAA\n");
  EXPECT_TRUE(contains(debugfs(seed, "stat /link"), "Fast link dest: \".bashrc\""));
  EXPECT_FALSE(contains(debugfs(seed, "ls -p /"), "outside"));
}

TEST(WorkSeedCommand, BelongsToRootWithTheModesOfTheSource) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string rootfs = make_rootfs(host);
  debugfs(rootfs, "sif /root/.bashrc uid 1000", true);
  ASSERT_EQ(host.run({"work-seed", rootfs, "--out", host.path("s")}).code, 0);
  for (const auto& [path, mode] :
       std::map<std::string, std::string>{{"/", "0700"}, {"/.ssh", "0700"}, {"/.bashrc", "0644"}}) {
    const std::string text = owner_and_mode(host.path("s"), path);
    EXPECT_TRUE(contains(text, mode)) << path << text;
    EXPECT_TRUE(contains(text, "User:     0   Group:     0")) << path << text;
  }
  ASSERT_EQ(host.run({"work-seed", rootfs, "--out", host.path("k"), "--keep-owner"}).code, 0);
  EXPECT_TRUE(contains(owner_and_mode(host.path("k"), "/.bashrc"), "User:  1000"));
}

TEST(WorkSeedCommand, OfARootfsWithoutRootIsAnEmptyImage) {
  NEEDS_TOOL("debugfs");
  Host host;
  mke2fs(host.path("r"), "64M");
  Json answer = host.json({"work-seed", host.path("r")});
  EXPECT_EQ(answer["image"], host.path("r.work-seed"));
  EXPECT_EQ(answer["entries"], 0);
  EXPECT_EQ(file_size(host.path("r.work-seed")), 512 * kMiB);
  expect_clean(host.path("r.work-seed"));
}

TEST(WorkSeedCommand, HoldsMoreFilesThanItsSizeHasInodesFor) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string tree = host.path("tree");
  // More than the inodes of 512 MiB, one for each 16 KiB; mke2fs is slow in large folders.
  constexpr int kFolders = 100;
  constexpr int kFiles = 330;
  for (int folder = 0; folder < kFolders; ++folder) {
    const std::string path = tree + "/root/" + std::to_string(folder);
    fs::create_directories(path);
    for (int file = 0; file < kFiles; ++file) write_file(path + "/" + std::to_string(file), "");
  }
  ASSERT_EQ(tool({"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-N", "40000", "-d", tree,
                  host.path("r"), "128M"})
                .code,
            0);
  Json answer = host.json({"work-seed", host.path("r")});
  EXPECT_EQ(answer["entries"], kFolders * (kFiles + 1));
  EXPECT_GE(answer["bytes"], 512 * kMiB);
  EXPECT_EQ(answer["bytes"].get<std::uint64_t>() % (64 * kMiB), 0U);
  expect_clean(host.path("r.work-seed"));
}

TEST(WorkSeedCommand, LeavesOutWhatHasTheNameOfAFolderThatEachImageHas) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/root");
  write_file(tree + "/root/lost+found", "a file");
  write_file(tree + "/root/kept", "another");
  mke2fs(host.path("r"), "64M", tree);
  EXPECT_EQ(host.json({"work-seed", host.path("r")})["entries"], 1);
  expect_clean(host.path("r.work-seed"));
  EXPECT_EQ(debugfs(host.path("r.work-seed"), "cat /kept"), "another");
}

TEST(WorkSeedCommand, OfAnImageWithoutATopFolderReplacesNothing) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string rootfs = make_rootfs(host);
  debugfs(rootfs, "sif <2> mode 0100644", true);
  write_file(host.path("old"), "as it was");
  const Ended disk = host.run({"work-disk", rootfs, host.path("old"), "--size", "16MiB"});
  EXPECT_EQ(disk.code, 7) << disk.err;
  EXPECT_EQ(host.run({"work-seed", rootfs, "--out", host.path("old")}).code, 7);
  EXPECT_EQ(read_file(host.path("old")), "as it was");
  for (const char* verb : {"ls", "stat"}) {
    const Ended ended = host.run({"ext4", verb, rootfs, "/"});
    EXPECT_EQ(ended.code, 7) << verb;
    EXPECT_TRUE(contains(ended.err, rootfs)) << ended.err;
  }
  EXPECT_EQ(host.run({"ext4", "extract", rootfs, "/", host.path("out")}).code, 7);
}

TEST(WorkDiskCommand, ATargetThatSomebodyHoldsIsBusy) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string rootfs = make_rootfs(host);
  const std::string held = host.path("held");
  write_file(held, "as it was");
  const int fd = open(held.c_str(), O_RDONLY | O_CLOEXEC);
  ASSERT_EQ(flock(fd, LOCK_EX), 0);
  EXPECT_EQ(host.run({"work-disk", rootfs, held, "--size", "16MiB"}).code, 5);
  EXPECT_EQ(host.run({"work-seed", rootfs, "--out", held}).code, 5);
  EXPECT_EQ(host.run({"ext4", "mkfs", held, "--size", "16MiB"}).code, 5);
  EXPECT_EQ(host.run({"ext4", "ingest", held, host.path("tree"), "--size", "16MiB"}).code, 5);
  EXPECT_EQ(read_file(held), "as it was");
  close(fd);
  EXPECT_EQ(host.run({"ext4", "mkfs", held, "--size", "16MiB"}).code, 0);
}

TEST(WorkSeedCommand, CountsDevicesPipesAndSockets) {
  NEEDS_ROOT();
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string tree = host.path("tree");
  fs::create_directories(tree + "/root");
  ASSERT_EQ(mknod((tree + "/root/device").c_str(), S_IFCHR | 0600U, makedev(1, 3)), 0);
  ASSERT_EQ(mknod((tree + "/root/pipe").c_str(), S_IFIFO | 0600U, 0), 0);
  ASSERT_EQ(mknod((tree + "/root/pipe2").c_str(), S_IFIFO | 0600U, 0), 0);
  ASSERT_EQ(mknod((tree + "/root/socket").c_str(), S_IFSOCK | 0600U, 0), 0);
  mke2fs(host.path("r"), "64M", tree);
  Json answer = host.json({"work-seed", host.path("r")});
  EXPECT_EQ(answer["entries"], 0);
  EXPECT_EQ(answer["skipped"]["device"], 1);
  EXPECT_EQ(answer["skipped"]["pipe"], 2);
  EXPECT_EQ(answer["skipped"]["socket"], 1);
  const Ended text = host.run({"work-seed", host.path("r")});
  EXPECT_TRUE(contains(text.out, "skipped: 1 device, 1 socket, 2 pipes")) << text.out;
  EXPECT_EQ(host.run({"-q", "work-seed", host.path("r")}).out, "");
}

TEST(WorkSeedCommand, ReplacesAnOldImageAndKeepsItWhereItFails) {
  NEEDS_TOOL("debugfs");
  Host host;
  const std::string rootfs = make_rootfs(host);
  write_file(host.path("s"), "an old one", 0640);
  ASSERT_EQ(host.run({"work-seed", rootfs, "--out", host.path("s")}).code, 0);
  expect_clean(host.path("s"));
  write_file(host.path("broken"), std::string(std::size_t{1} << 20U, 'x'));
  const std::string before = sha256_of(data_of(host.path("s")));
  EXPECT_EQ(host.run({"work-seed", host.path("broken"), "--out", host.path("s")}).code, 7);
  EXPECT_EQ(sha256_of(data_of(host.path("s"))), before);
  EXPECT_TRUE(temporaries(host.path("")).empty());
}

TEST(WorkDiskCommand, HasExactlyTheSizeAndTheContentsOfTheSeed) {
  NEEDS_TOOL("debugfs");
  Host host;
  ASSERT_EQ(host.run({"work-seed", make_rootfs(host)}).code, 0);
  const std::string disk = host.path("d");
  Json answer = host.json({"work-disk", host.path("rootfs.work-seed.ext4"), disk, "--size",
                           std::to_string(1000 * kMiB + 4096 + 1)});
  EXPECT_EQ(answer["entries"], 5);
  EXPECT_EQ(file_size(disk), 1000 * kMiB + 4096 + 1);
  expect_clean(disk);
  EXPECT_EQ(debugfs(disk, "cat /.bashrc"), "alias ll='ls -l'\n");
  EXPECT_TRUE(contains(owner_and_mode(disk, "/"), "0700"));
}

TEST(WorkDiskCommand, OfManySizesTakesLittleMoreSpace) {
  NEEDS_TOOL("debugfs");
  Host host;
  ASSERT_EQ(host.run({"work-seed", make_rootfs(host)}).code, 0);
  for (const auto& [size, limit] :
       std::map<std::string, std::uint64_t>{{"512MiB", 2 * kMiB}, {"64GiB", 8 * kMiB}}) {
    const std::string disk = host.path(size);
    ASSERT_EQ(
        host.run({"work-disk", host.path("rootfs.work-seed.ext4"), disk, "--size", size}).code, 0);
    EXPECT_LT(allocated(disk), limit) << size;
    expect_clean(disk);
  }
}

TEST(WorkDiskCommand, TooSmallIsRefusedBeforeAnythingIsWritten) {
  NEEDS_TOOL("debugfs");
  Host host;
  fs::create_directories(host.path("tree"));
  write_file(host.path("tree/large"), std::string(40 * kMiB, 'x'));
  mke2fs(host.path("seed"), "64M", host.path("tree"));
  write_file(host.path("disk"), "old");
  Json answer =
      host.json({"work-disk", host.path("seed"), host.path("disk"), "--size", "32MiB"}, 8);
  EXPECT_EQ(answer["error"]["code"], 8);
  EXPECT_TRUE(contains(answer["error"]["message"].get<std::string>(), std::to_string(32 * kMiB)))
      << answer["error"]["message"];
  EXPECT_EQ(read_file(host.path("disk")), "old");
  EXPECT_TRUE(temporaries(host.path("")).empty());
}

TEST(WorkDiskCommand, NeverCopiesThePaddingOfTheSeed) {
  NEEDS_TOOL("debugfs");
  Host host;
  ASSERT_EQ(host.run({"work-seed", make_rootfs(host)}).code, 0);
  const std::string seed = host.path("rootfs.work-seed.ext4");
  // Deleted bytes stay in the seed's free blocks.
  write_file(host.path("secret"), std::string(65536, 'S'));
  debugfs(seed, "write " + host.path("secret") + " /gone", true);
  debugfs(seed, "rm /gone", true);
  ASSERT_EQ(host.run({"work-disk", seed, host.path("d"), "--size", "512MiB"}).code, 0);
  EXPECT_TRUE(contains(data_of(seed), std::string(4096, 'S')));
  EXPECT_FALSE(contains(data_of(host.path("d")), std::string(4096, 'S')));
}

TEST(WorkDiskCommand, IsTheSameTwiceUnderAGivenTime) {
  NEEDS_TOOL("debugfs");
  Host host;
  ASSERT_EQ(host.run({"work-seed", make_rootfs(host)}).code, 0);
  const Launch dated = {{{"SOURCE_DATE_EPOCH", "1700000000"}}};
  const auto make = [&](const std::string& name, const Launch& launch, Arguments more = {}) {
    Arguments words = {"work-disk", host.path("rootfs.work-seed.ext4"), host.path(name), "--size",
                       "128MiB"};
    words.insert(words.end(), more.begin(), more.end());
    EXPECT_EQ(host.run(words, launch).code, 0);
    return sha256_of(data_of(host.path(name)));
  };
  EXPECT_EQ(make("a", dated), make("b", dated));
  EXPECT_NE(make("c", {}), make("d", {}));
  const Arguments identity = {"--uuid",      "01234567-89ab-4cde-8f01-23456789abcd",
                              "--hash-seed", "fedcba98-7654-4321-8fed-cba987654321",
                              "--label",     "work"};
  EXPECT_EQ(make("e", dated, identity), make("f", dated, identity));
  Json info = host.json({"ext4", "stat", host.path("e")});
  EXPECT_EQ(info["uuid"], "01234567-89ab-4cde-8f01-23456789abcd");
  EXPECT_EQ(info["label"], "work");
}

TEST(WorkDiskCommand, IsMountedWrittenAndGrownByTheKernel) {
  NEEDS_ROOT();
  NEEDS_TOOL("resize2fs");
  Host host;
  ASSERT_EQ(host.run({"work-seed", make_rootfs(host)}).code, 0);
  const std::string disk = host.path("d");
  ASSERT_EQ(
      host.run({"work-disk", host.path("rootfs.work-seed.ext4"), disk, "--size", "1GiB"}).code, 0);
  {
    LoopMount mount(disk, host.path("mnt"), "rw");
    if (!mount.mounted()) GTEST_SKIP() << "no loop mounts here";
    EXPECT_EQ(read_file(host.path("mnt/.ssh/authorized_keys")), "ssh-ed25519 AAAA\n");
    write_file(host.path("mnt/new"), std::string(kMiB, 'n'));
  }
  expect_clean(disk);
  // resize2fs wants a check that is younger than the mount, to the second.
  ASSERT_EQ(tool({"e2fsck", "-f", "-p", disk}).code, 0);
  ASSERT_EQ(tool({"resize2fs", disk, "2G"}).code, 0);
  expect_clean(disk);
}

}  // namespace
}  // namespace update::scenario
