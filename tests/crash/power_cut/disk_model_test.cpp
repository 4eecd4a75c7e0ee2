// Do the models allow what they should, and forbid what they should? A few operations by hand on a
// folder with one file, and the disks that a power cut may leave of them.

#include "tests/crash/power_cut/disk_model.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <set>

#include "tests/crash/power_cut/states.hpp"

namespace update::crash {
namespace {

constexpr InodeId kFolder = 1;
constexpr InodeId kOther = 2;
constexpr InodeId kOld = 3;
constexpr InodeId kNew = 4;

/// a/ with the file f, "old"; b/; and a file that has no name yet.
Disk small_disk() {
  Disk disk;
  disk.inodes.resize(5);
  disk.inodes[kRoot].names = {{"a", kFolder}, {"b", kOther}};
  for (const InodeId id : {kRoot, kFolder, kOther}) disk.inodes[id].mode = S_IFDIR | 0755;
  disk.inodes[kFolder].names = {{"f", kOld}};
  for (const InodeId id : {kOld, kNew}) disk.inodes[id].mode = S_IFREG | 0600;
  disk.inodes[kOld].bytes = "old";
  return disk;
}

Operation on(Kind kind, InodeId inode) {
  Operation operation{kind, ""};
  operation.inode = inode;
  return operation;
}

Operation written(InodeId inode, std::uint64_t offset, const std::string& bytes) {
  Operation operation = on(Kind::data, inode);
  operation.offset = offset;
  operation.bytes = bytes;
  return operation;
}

Operation moded(InodeId inode) {
  Operation operation = on(Kind::mode, inode);
  operation.mode = S_IFREG | 0755;
  return operation;
}

Operation created() {
  Operation operation = on(Kind::names, kNew);
  operation.names = {{kFolder, "t", kNew}};
  return operation;
}

/// t becomes f, in the same folder or in b.
Operation renamed(InodeId folder = kFolder) {
  Operation operation = on(Kind::names, kNew);
  operation.names = {{kFolder, "t", std::nullopt}, {folder, "f", kNew}};
  return operation;
}

/// All disks that are left when the power is cut after the last operation, each as "path=bytes ",
/// with an x where the mode says so.
std::set<std::string> left(Model model, const std::vector<Operation>& operations) {
  Recording recording;
  recording.before = small_disk();
  recording.operations = operations;
  recording.last_begins = operations.size();
  std::set<std::string> disks;
  for (const CutState& state : distinct_states(recording, {model, true, false})) {
    std::string text;
    for (const auto& [path, line] : describe(play(recording, state.fates))) {
      const auto id = find(play(recording, state.fates), path);
      const Inode inode = play(recording, state.fates).inodes[*id];
      if (S_ISDIR(inode.mode)) continue;
      text += path + "=" + inode.bytes + ((inode.mode & 0100U) != 0 ? "x " : " ");
    }
    disks.insert(text);
  }
  return disks;
}

using Disks = std::set<std::string>;

TEST(PosixModel, NoOrderHoldsBetweenANameAndItsBytes) {
  const auto disks = left(Model::posix, {created(), written(kNew, 0, "new!"), renamed()});
  const std::string zeros(4, '\0');
  EXPECT_EQ(disks, (Disks{"a/f=old ", "a/f= ", "a/f=new! ", "a/f=ne ", "a/f=" + zeros + " ",
                          "a/f=old a/t= ", "a/f=old a/t=new! "}));
}

TEST(PosixModel, AFolderMustBeSyncedForItsNames) {
  std::vector<Operation> operations = {created(), written(kNew, 0, "new"), on(Kind::sync, kNew),
                                       renamed()};
  EXPECT_EQ(left(Model::posix, operations), (Disks{"a/f=old ", "a/f=old a/t=new ", "a/f=new "}));
  operations.push_back(on(Kind::sync, kOld));
  EXPECT_EQ(left(Model::posix, operations).count("a/f=old "), 1U) << "another sync saves no name";
  operations.push_back(on(Kind::sync, kFolder));
  EXPECT_EQ(left(Model::posix, operations), (Disks{"a/f=new "}));
}

TEST(PosixModel, ARenameBetweenFoldersNeedsBothSyncs) {
  std::vector<Operation> operations = {created(), on(Kind::sync, kFolder), renamed(kOther),
                                       on(Kind::sync, kOther)};
  EXPECT_EQ(left(Model::posix, operations), (Disks{"a/f=old a/t= ", "a/f=old b/f= "}));
  operations.push_back(on(Kind::sync, kFolder));
  EXPECT_EQ(left(Model::posix, operations), (Disks{"a/f=old b/f= "}));
}

TEST(PosixModel, FdatasyncKeepsBytesAndSizeAndNotTheMode) {
  std::vector<Operation> operations = {written(kOld, 0, "longer"), moded(kOld),
                                       on(Kind::sync_data, kOld)};
  EXPECT_EQ(left(Model::posix, operations), (Disks{"a/f=longer ", "a/f=longerx "}));
  operations.push_back(on(Kind::sync, kOld));
  EXPECT_EQ(left(Model::posix, operations), (Disks{"a/f=longerx "}));
}

TEST(PosixModel, WhatIsOverwrittenIsNeverZeros) {
  EXPECT_EQ(left(Model::posix, {written(kOld, 0, "abc")}),
            (Disks{"a/f=old ", "a/f=abc ", "a/f=ald "}));
}

TEST(OrderedModel, ANameIsThereOnlyWithAllNamesBeforeIt) {
  EXPECT_EQ(left(Model::ordered, {created(), moded(kOld), renamed()}),
            (Disks{"a/f=old ", "a/f=old a/t= ", "a/f=oldx a/t= ", "a/f= "}));
}

TEST(OrderedModel, BytesComeLateAndNeverBeforeTheirName) {
  const auto disks = left(Model::ordered, {created(), renamed(), written(kNew, 0, "new!")});
  const std::string zeros(4, '\0');
  EXPECT_EQ(disks, (Disks{"a/f=old ", "a/f=old a/t= ", "a/f= ", "a/f=new! ", "a/f=ne ",
                          "a/f=" + zeros + " "}));
  EXPECT_EQ(left(Model::ordered, {created(), written(kNew, 0, "new"), renamed()}).count("a/f= "),
            1U);
}

TEST(OrderedModel, ASyncTakesAlongWhatWasDoneBefore) {
  EXPECT_EQ(left(Model::ordered, {created(), renamed(), written(kOld, 0, "longer"),
                                  on(Kind::sync, kOld), moded(kNew)}),
            (Disks{"a/f= ", "a/f=x "}));
}

TEST(OrderedModel, ASyncOfWhatMayBeCommittedAlreadyTakesNothingAlong) {
  EXPECT_EQ(left(Model::ordered, {written(kOld, 0, "longer"), created(), on(Kind::sync, kOld)}),
            (Disks{"a/f=longer ", "a/f=longer a/t= "}));
}

}  // namespace
}  // namespace update::crash
