#include "tests/fake/fake_filesystem.hpp"

#include "tests/fake/fake_test.hpp"

// What the real file system can't be made to do at will, and so is not in the honesty test.
namespace update {
namespace {

TEST_F(FakeFileSystemTest, a_full_disk_takes_what_fits_and_then_says_so) {
  auto file = create("f", "");
  fs.device("/").free_bytes = 4;
  EXPECT_EQ(errno_of(write_text(*file, "123456")), ENOSPC);
  EXPECT_EQ(fs.read("/d/f"), "1234");
  EXPECT_EQ(fs.device("/").free_bytes, 0U);
  EXPECT_EQ(errno_of(write_text(*file, "5", 4)), ENOSPC);
  EXPECT_TRUE(write_text(*file, "abcd")) << "in place";
  EXPECT_EQ(errno_of(d->create_file("g", 0600)), ENOSPC);
  EXPECT_TRUE(d->link("f", *d, "g"));
  EXPECT_TRUE(d->rename("g", "h"));
  EXPECT_EQ(d->space().value().free_bytes, 0U);
}

TEST_F(FakeFileSystemTest, a_reservation_is_taken_at_once_and_changes_no_size) {
  auto file = create("f", "");
  fs.device("/").free_bytes = 10;
  EXPECT_EQ(errno_of(file->reserve(11)), ENOSPC);
  ASSERT_TRUE(file->reserve(10));
  EXPECT_EQ(fs.device("/").free_bytes, 0U);
  EXPECT_EQ(file->info().value().identity.size, 0U);
  EXPECT_TRUE(write_text(*file, "0123456789"));
  ASSERT_TRUE(file->truncate(3));
  EXPECT_EQ(fs.device("/").free_bytes, 7U);
}

TEST_F(FakeFileSystemTest, space_comes_back_when_the_last_name_and_the_last_opener_are_gone) {
  fs.device("/").free_bytes = 10;
  fs.device("/").free_inodes = 1;
  auto file = create("f", "12345");
  EXPECT_EQ(errno_of(d->create_file("g", 0600)), ENOSPC) << "no inode";
  ASSERT_TRUE(d->link("f", *d, "g"));
  ASSERT_TRUE(d->unlink("f").value());
  ASSERT_TRUE(d->unlink("g").value());
  EXPECT_EQ(fs.device("/").free_bytes, 5U);
  EXPECT_EQ(read_text(*file), "12345");
  file.reset();
  EXPECT_EQ(fs.device("/").free_bytes, 10U);
  EXPECT_TRUE(d->create_file("g", 0600));
}

TEST_F(FakeFileSystemTest, space_of_a_nameless_open_file_comes_back_when_its_process_ends) {
  fs.device("/").free_bytes = 10;
  auto file = create("f", "12345");
  ASSERT_TRUE(d->unlink("f").value());
  fs.kill();
  EXPECT_EQ(fs.device("/").free_bytes, 10U);
}

TEST_F(FakeFileSystemTest, a_file_renamed_over_gives_its_space_back) {
  fs.device("/").free_bytes = 10;
  create("old", "1234");
  create("new", "12");
  ASSERT_TRUE(d->rename("new", "old"));
  EXPECT_EQ(fs.device("/").free_bytes, 8U);
}

TEST_F(FakeFileSystemTest, another_device_is_another_file_system) {
  fs.mount("/d/mnt").free_bytes = 3;
  fs.device("/").free_bytes = 100;
  fs.put_file("/d/f", "x");
  auto mnt = d->open_folder("mnt").value();
  EXPECT_EQ(errno_of(d->link("f", *mnt, "f")), EXDEV);
  EXPECT_NE(mnt->space().value().device, d->space().value().device);
  auto file = mnt->create_file("g", 0600).value();
  EXPECT_EQ(file->info().value().identity.device, mnt->space().value().device);
  EXPECT_EQ(errno_of(write_text(*file, "1234")), ENOSPC);
  EXPECT_EQ(fs.device("/").free_bytes, 99U);
  EXPECT_EQ(errno_of(d->rename("mnt", "other")), EBUSY);
  EXPECT_EQ(errno_of(d->remove_folder("mnt")), EBUSY);
}

TEST_F(FakeFileSystemTest, copies_and_clones_need_one_device_that_can) {
  fs.mount("/m").clones = true;
  fs.put_file("/d/f", "12345678");
  fs.put_file("/m/f", "12345678");
  auto m = fs.open_folder("/m").value();
  auto source = d->open_file("f").value();
  auto target = d->create_file("t", 0600).value();
  auto far_target = m->create_file("t", 0600).value();
  auto far_source = m->open_file("f").value();
  EXPECT_FALSE(target->clone_from(*source).value()) << "this device can't";
  EXPECT_FALSE(far_target->clone_from(*source).value());
  EXPECT_EQ(far_target->copy_from(*source, 0, 0, 8).value(), std::nullopt);
  fs.device("/d").copy_chunk = 5;
  EXPECT_EQ(target->copy_from(*source, 0, 0, 8).value(), std::optional<std::size_t>(5));
  EXPECT_EQ(target->copy_from(*source, 5, 5, 8).value(), std::optional<std::size_t>(3));
  EXPECT_EQ(target->copy_from(*source, 8, 8, 8).value(), std::optional<std::size_t>(0));
  EXPECT_EQ(fs.read("/d/t"), "12345678");
  fs.device("/d").kernel_copies = false;
  EXPECT_EQ(target->copy_from(*source, 0, 0, 8).value(), std::nullopt);

  fs.device("/m").free_bytes = 1;
  EXPECT_TRUE(far_target->clone_from(*far_source).value());
  EXPECT_EQ(fs.read("/m/t"), "12345678");
  EXPECT_EQ(fs.device("/m").free_bytes, 1U) << "shared blocks cost nothing";
}

TEST_F(FakeFileSystemTest, hard_links_attributes_and_writing_can_be_switched_off) {
  fs.put_file("/d/f", "x");
  auto file = d->open_file_for_update("f").value();
  fs.device("/").link_error = EPERM;
  EXPECT_EQ(errno_of(d->link("f", *d, "g")), EPERM);
  fs.device("/").attributes = false;
  EXPECT_EQ(errno_of(file->set_attribute("user.a", "b")), EOPNOTSUPP);
  EXPECT_TRUE(file->attributes().value().empty());
  fs.device("/").read_only = true;
  EXPECT_EQ(errno_of(write_text(*file, "y")), EROFS);
  EXPECT_EQ(errno_of(d->create_file("g", 0600)), EROFS);
  EXPECT_EQ(errno_of(d->rename("f", "g")), EROFS);
  EXPECT_EQ(errno_of(d->unlink("f")), EROFS);
  EXPECT_EQ(errno_of(d->open_file_for_update("f")), EROFS);
  EXPECT_EQ(read_text(*d->open_file("f").value()), "x");
}

TEST_F(FakeFileSystemTest, every_change_moves_the_time_and_a_coarse_clock_hides_it) {
  auto file = create("f", "1");
  const os::FileInfo first = file->info().value();
  ASSERT_TRUE(write_text(*file, "2"));
  const os::FileInfo second = file->info().value();
  EXPECT_GT(second.identity.mtime_ns, first.identity.mtime_ns);
  ASSERT_TRUE(d->link("f", *d, "g"));
  const os::FileInfo third = file->info().value();
  EXPECT_EQ(third.identity, second.identity) << "a link is no change of the bytes";
  EXPECT_GT(third.ctime_ns, second.ctime_ns);
  fs.disk().tick_step_ns = 0;
  fs.disk().tick_ns = third.ctime_ns;
  ASSERT_TRUE(write_text(*file, "3"));
  const os::FileInfo fourth = file->info().value();
  ASSERT_TRUE(write_text(*file, "4"));
  EXPECT_EQ(file->info().value().identity, fourth.identity);
}

TEST_F(FakeFileSystemTest, a_lock_belongs_to_one_open_file_and_ends_with_it) {
  fs.put_file("/d/lock", "");
  auto first = d->open_file("lock").value();
  auto second = d->open_file("lock").value();
  EXPECT_TRUE(first->try_lock().value());
  EXPECT_TRUE(first->try_lock().value());
  EXPECT_FALSE(second->try_lock().value());
  first.reset();
  EXPECT_TRUE(second->try_lock().value());
  fs.kill();
  auto next = fs.open_folder("/d").value()->open_file("lock").value();
  EXPECT_TRUE(next->try_lock().value()) << "the kernel let go of a dead process's lock";
}

TEST_F(FakeFileSystemTest, open_files_and_folders_are_counted) {
  EXPECT_EQ(fs.open_handles(), 1U);
  auto file = create("f", "");
  EXPECT_EQ(fs.open_handles(), 2U);
  file.reset();
  d.reset();
  EXPECT_EQ(fs.open_handles(), 0U);
}

TEST_F(FakeFileSystemTest, new_files_belong_to_the_creator) {
  fs.set_creator(10, 20);
  const os::FileInfo info = create("f", "")->info().value();
  EXPECT_EQ(info.uid, 10U);
  EXPECT_EQ(info.gid, 20U);
}

TEST_F(FakeFileSystemTest, helpers_replace_the_inode_or_keep_it_as_they_say) {
  fs.put_file("/d/f", "one", 04755, 3, 4);
  const os::FileInfo first = fs.info("/d/f").value();
  EXPECT_EQ(first.mode, 04755U);
  EXPECT_EQ(first.uid, 3U);
  fs.overwrite("/d/f", "two!");
  EXPECT_TRUE(fs.info("/d/f")->identity.same_inode(first.identity));
  EXPECT_NE(fs.info("/d/f")->identity, first.identity);
  fs.put_file("/d/f", "three");
  EXPECT_FALSE(fs.info("/d/f")->identity.same_inode(first.identity));
  fs.remove("/d");
  EXPECT_EQ(fs.list_all(), std::vector<std::string>{});
  EXPECT_EQ(fs.pending_count(), 0U);
}

TEST_F(FakeFileSystemTest, a_place_serves_a_database) {
  fs.put_file("/state/journal.db", "page");
  auto place = fs.place("/state/journal.db-wal").value();
  EXPECT_EQ(place.name, "journal.db-wal");
  auto wal = place.folder->create_file(place.name, 0600).value();
  ASSERT_TRUE(write_text(*wal, "frame"));
  ASSERT_TRUE(place.folder->sync());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/state/journal.db-wal"), "");
  EXPECT_EQ(errno_of(fs.place("/absent/f")), ENOENT);
}

TEST_F(FakeFileSystemTest, a_snapshot_names_what_differs) {
  fs.put_file("/d/f", "bytes", 0755, 1, 2);
  fs.symlink("/d/l", "f");
  const Snapshot before = fs.snapshot("/d");
  EXPECT_EQ(before.size(), 2U);
  EXPECT_EQ(before.at("/d/l").bytes, "f");
  EXPECT_EQ(testing::PrintToString(before.at("/d/f")), "-0755 1:2 x1 5 bytes \"bytes\"");
  fs.put_file("/d/f", "bytes", 0755, 1, 3);
  EXPECT_NE(fs.snapshot("/d"), before);
}

}  // namespace

TEST_F(FakeFileSystemTest, ranges_are_shared_by_whole_blocks_and_copied_to_any_place) {
  fs.device("/d").clones = true;
  fs.put_file("/d/f", std::string(4096, 'a') + std::string(4096, 'b') + "c");
  auto source = d->open_file("f").value();
  auto target = d->create_file("t", 0600).value();
  EXPECT_FALSE(target->clone_range(*source, 4096, 1, 4096).value());
  EXPECT_FALSE(target->clone_range(*source, 8192, 0, 4096).value()) << "behind the end";
  fs.device("/d").free_bytes = 3;
  EXPECT_TRUE(target->clone_range(*source, 4096, 0, 4096).value());
  EXPECT_EQ(fs.read("/d/t"), std::string(4096, 'b'));
  EXPECT_EQ(target->copy_from(*source, 8192, 4096, 100).value(), std::optional<std::size_t>(1));
  EXPECT_EQ(fs.read("/d/t"), std::string(4096, 'b') + "c");
}

TEST_F(FakeFileSystemTest, folders_and_names_have_owners_times_and_attributes) {
  ASSERT_TRUE(d->create_link("link", "nowhere"));
  EXPECT_EQ(errno_of(d->create_link("link", "x")), EEXIST);
  EXPECT_EQ(d->read_link("link").value(), "nowhere");
  ASSERT_TRUE(d->set_owner_of("link", 12, 34));
  ASSERT_TRUE(d->set_times_of("link", {-1, 999'999'999}, {5, 6}));
  ASSERT_TRUE(d->set_attribute_of("link", "trusted.x", "y"));
  const os::FileInfo link = d->lookup("link").value().value();
  EXPECT_EQ(link.uid, 12U);
  EXPECT_EQ(link.gid, 34U);
  EXPECT_EQ(link.modified, (os::FileTime{-1, 999'999'999}));
  EXPECT_EQ(d->attributes_of("link").value(), (os::Attributes{{"trusted.x", "y"}}));
  ASSERT_TRUE(d->set_owner(56, 78));
  ASSERT_TRUE(d->set_mode(03751));
  ASSERT_TRUE(d->set_both_times({7, 8}, {9, 10}));
  ASSERT_TRUE(d->set_attribute("user.x", "z"));
  const os::FileInfo folder = d->info().value();
  EXPECT_EQ(folder.uid, 56U);
  EXPECT_EQ(folder.mode, 03751U);
  EXPECT_EQ(folder.modified, (os::FileTime{7, 8}));
  EXPECT_EQ(d->attributes().value(), (os::Attributes{{"user.x", "z"}}));
  EXPECT_EQ(errno_of(d->set_owner_of("absent", 1, 1)), ENOENT);
  EXPECT_EQ(errno_of(d->attributes_of("absent")), ENOENT);
}

TEST_F(FakeFileSystemTest, a_sync_of_all_stays_on_its_file_system) {
  fs.mount("/m");
  auto m = fs.open_folder("/m").value();
  create("here", "x");
  ASSERT_TRUE(m->create_link("there", "x"));
  ASSERT_TRUE(d->sync_all());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/here"), "x");
  EXPECT_FALSE(fs.exists("/m/there"));
}

}  // namespace update
