#include "tests/fake/fake_test.hpp"

// What POSIX promises of a power cut, rule by rule (fsync(2), and its rationale in POSIX.1-2017).
namespace update {
namespace {

class FakeLossTest : public FakeFileSystemTest {};

TEST_F(FakeLossTest, a_file_whose_name_was_never_synced_is_gone) {
  auto file = create("new", "bytes");
  ASSERT_TRUE(file->sync());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_FALSE(fs.exists("/d/new"));
}

TEST_F(FakeLossTest, a_file_that_was_never_synced_itself_is_left_empty_and_private) {
  auto file = create("new", "bytes");
  ASSERT_TRUE(d->sync());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/new"), "");
  EXPECT_EQ(fs.info("/d/new")->mode, 0600U);
}

TEST_F(FakeLossTest, what_was_synced_with_its_folder_survives_whole) {
  auto file = create("new", "bytes");
  ASSERT_TRUE(file->set_owner(7, 8));
  ASSERT_TRUE(file->set_mode(04750));
  ASSERT_TRUE(file->set_times(12345));
  ASSERT_TRUE(file->set_attribute("user.note", "kept"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(d->sync());
  EXPECT_EQ(fs.pending_count(), 0U);
  const Snapshot before = fs.snapshot();
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.snapshot(), before);
  EXPECT_EQ(before.at("/d/new").attributes.at("user.note"), "kept");
  EXPECT_EQ(fs.info("/d/new")->identity.mtime_ns, 12345);
}

TEST_F(FakeLossTest, each_property_can_be_lost_alone) {
  fs.put_file("/d/f", "old", 0600, 1, 1);
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "new"));
  ASSERT_TRUE(file->set_owner(2, 2));
  ASSERT_TRUE(file->set_mode(0644));
  ASSERT_TRUE(file->set_attribute("user.note", "x"));
  ASSERT_EQ(fs.pending_count(), 4U);
  const SnapshotEntry all = fs.snapshot().at("/d/f");
  const FakeDisk disk = fs.disk();
  for (std::size_t lost = 0; lost < 4; ++lost) {
    FakeFileSystem cut(disk);
    cut.lose(LossPattern::all_but(lost));
    SnapshotEntry expected = all;
    if (lost == 0) expected.bytes = "old";
    if (lost == 1) expected.uid = expected.gid = 1;
    if (lost == 2) expected.mode = 0600;
    if (lost == 3) expected.attributes.clear();
    EXPECT_EQ(cut.snapshot().at("/d/f"), expected) << lost;
  }
}

TEST_F(FakeLossTest, a_write_after_the_sync_is_not_covered_by_it) {
  auto file = create("f", "first");
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(d->sync());
  ASSERT_TRUE(write_text(*file, "later"));
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/f"), "first");
}

TEST_F(FakeLossTest, a_synced_folder_keeps_no_bytes_and_a_synced_file_no_name) {
  auto file = create("a", "a");
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(d->sync());
  ASSERT_TRUE(write_text(*file, "A"));
  ASSERT_TRUE(d->rename("a", "b"));
  const FakeDisk disk = fs.disk();
  ASSERT_TRUE(d->sync());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/b"), "a");
  EXPECT_FALSE(fs.exists("/d/a"));

  FakeFileSystem other(disk);
  auto same = other.open_folder("/d").value()->open_file("b").value();
  ASSERT_TRUE(same->sync());
  other.lose(LossPattern::keep_nothing());
  EXPECT_EQ(other.read("/d/a"), "A");
  EXPECT_FALSE(other.exists("/d/b"));
}

TEST_F(FakeLossTest, writes_of_one_file_are_lost_in_any_order) {
  fs.put_file("/d/f", "....");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "a", 0));
  ASSERT_TRUE(write_text(*file, "b", 2));
  const FakeDisk disk = fs.disk();
  const auto after = [&](const LossPattern& pattern) {
    FakeFileSystem cut(disk);
    cut.lose(pattern);
    return cut.read("/d/f").value();
  };
  EXPECT_EQ(after(LossPattern::keep_all()), "a.b.");
  EXPECT_EQ(after(LossPattern::keep_nothing()), "....");
  EXPECT_EQ(after(LossPattern::only(1)), "..b.");
  EXPECT_EQ(after(LossPattern::all_but(1)), "a...");
  EXPECT_EQ(after(LossPattern::all_but_two(0, 1)), "....");
  EXPECT_EQ(after(LossPattern::chosen({Fate::lost, Fate::kept})), "..b.");
  EXPECT_EQ(after(LossPattern::first(1)), "a...");
}

TEST_F(FakeLossTest, a_lost_write_before_a_kept_one_leaves_zeros) {
  fs.put_file("/d/f", "");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "ab", 0));
  ASSERT_TRUE(write_text(*file, "cd", 2));
  fs.lose(LossPattern::only(1));
  EXPECT_EQ(fs.read("/d/f"), std::string("\0\0cd", 4));
}

TEST_F(FakeLossTest, a_write_can_be_torn_or_leave_zeros) {
  fs.put_file("/d/f", "12345678");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "abcdefghij"));
  const FakeDisk disk = fs.disk();
  fs.lose(LossPattern::only(0, Fate::torn));
  EXPECT_EQ(fs.read("/d/f"), "abcde678");
  FakeFileSystem zeroed(disk);
  zeroed.lose(LossPattern::only(0, Fate::zeroed));
  EXPECT_EQ(zeroed.read("/d/f"), std::string("12345678\0\0", 10)) << "only what is new is zeros";
}

TEST_F(FakeLossTest, only_a_write_can_arrive_in_part) {
  fs.put_file("/d/f", "x");
  ASSERT_TRUE(d->rename("f", "g"));
  const FakeDisk disk = fs.disk();
  for (const Fate fate : {Fate::torn, Fate::zeroed}) {
    FakeFileSystem cut(disk);
    cut.lose(LossPattern::only(0, fate));
    EXPECT_EQ(cut.read("/d/f"), "x");
    EXPECT_FALSE(cut.exists("/d/g"));
  }
}

TEST_F(FakeLossTest, a_truncation_is_lost_apart_from_the_write_after_it) {
  fs.put_file("/d/f", "old bytes");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(file->truncate(0));
  ASSERT_TRUE(write_text(*file, "new"));
  const FakeDisk disk = fs.disk();
  fs.lose(LossPattern::only(0));
  EXPECT_EQ(fs.read("/d/f"), "");
  FakeFileSystem other(disk);
  other.lose(LossPattern::only(1));
  EXPECT_EQ(other.read("/d/f"), "new bytes");
}

TEST_F(FakeLossTest, a_rename_over_a_file_is_old_or_new_and_never_neither) {
  fs.put_file("/d/live", "old");
  auto staged = create(".staged", "new");
  ASSERT_TRUE(staged->sync());
  ASSERT_TRUE(d->sync());
  ASSERT_TRUE(d->rename(".staged", "live"));
  ASSERT_EQ(fs.pending_count(), 1U);
  const FakeDisk disk = fs.disk();
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/live"), "old");
  EXPECT_EQ(fs.read("/d/.staged"), "new");
  FakeFileSystem other(disk);
  other.lose(LossPattern::keep_all());
  EXPECT_EQ(other.read("/d/live"), "new");
  EXPECT_FALSE(other.exists("/d/.staged"));
}

TEST_F(FakeLossTest, a_rename_without_file_sync_gives_the_new_name_with_no_bytes) {
  fs.put_file("/d/live", "old");
  create(".staged", "new");
  ASSERT_TRUE(d->rename(".staged", "live"));
  ASSERT_TRUE(d->sync());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/live"), "");
}

TEST_F(FakeLossTest, names_of_two_folders_are_independent) {
  fs.make_folder("/e");
  fs.put_file("/d/f", "x");
  auto e = fs.open_folder("/e").value();
  ASSERT_TRUE(d->link("f", *e, "f"));
  ASSERT_TRUE(d->unlink("f").value());
  const FakeDisk disk = fs.disk();
  ASSERT_TRUE(d->sync());
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.list_all(), (std::vector<std::string>{"/d", "/e"})) << "the only copy is lost";
  FakeFileSystem other(disk);
  ASSERT_TRUE(other.open_folder("/e").value()->sync());
  other.lose(LossPattern::keep_nothing());
  EXPECT_EQ(other.info("/d/f")->links, 2U);
  EXPECT_EQ(other.read("/e/f"), "x");
}

TEST_F(FakeLossTest, names_of_one_folder_are_independent_until_it_is_synced) {
  fs.put_file("/d/f", "x");
  ASSERT_TRUE(d->link("f", *d, "g"));
  ASSERT_TRUE(d->unlink("f").value());
  const FakeDisk disk = fs.disk();
  fs.lose(LossPattern::only(1));
  EXPECT_FALSE(fs.exists("/d/f") || fs.exists("/d/g"));
  FakeFileSystem synced_between(disk);
  ASSERT_TRUE(synced_between.open_folder("/d").value()->sync());
  synced_between.lose(LossPattern::keep_nothing());
  EXPECT_EQ(synced_between.read("/d/g"), "x");
}

TEST_F(FakeLossTest, an_unlinked_file_comes_back_with_what_was_durable_of_it) {
  fs.put_file("/d/f", "durable");
  {
    auto file = d->open_file_for_update("f").value();
    ASSERT_TRUE(write_text(*file, "pending"));
  }
  ASSERT_TRUE(d->unlink("f").value());
  ASSERT_EQ(fs.pending_count(), 2U);
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/f"), "durable");
}

TEST_F(FakeLossTest, a_file_that_cannot_come_back_has_nothing_pending) {
  create("f", "x");
  ASSERT_TRUE(d->unlink("f").value());
  ASSERT_TRUE(d->sync());
  EXPECT_EQ(fs.pending(), std::vector<std::string>{});
}

TEST_F(FakeLossTest, a_new_folder_needs_its_parent_synced) {
  auto sub = d->create_folder("sub", 0700).value();
  auto file = sub->create_file("f", 0600).value();
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(sub->sync());
  const FakeDisk disk = fs.disk();
  fs.lose(LossPattern::keep_nothing());
  EXPECT_FALSE(fs.exists("/d/sub"));
  FakeFileSystem other(disk);
  ASSERT_TRUE(other.open_folder("/d").value()->sync());
  other.lose(LossPattern::keep_nothing());
  EXPECT_TRUE(other.exists("/d/sub/f"));
}

TEST_F(FakeLossTest, start_writeback_makes_nothing_durable) {
  fs.put_file("/d/f", "old");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "new"));
  file->start_writeback(0, 3);
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/f"), "old");
}

TEST_F(FakeLossTest, a_copy_and_a_clone_are_data_like_any_other) {
  fs.device("/").clones = true;
  fs.put_file("/d/source", "bytes");
  auto source = d->open_file("source").value();
  auto copy = d->create_file("copy", 0600).value();
  auto clone = d->create_file("clone", 0600).value();
  ASSERT_EQ(copy->copy_from(*source, 0, 0, 100).value(), std::optional<std::size_t>(5));
  ASSERT_TRUE(clone->clone_from(*source).value());
  ASSERT_TRUE(d->sync());
  EXPECT_EQ(fs.read("/d/clone"), "bytes");
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/copy"), "");
  EXPECT_EQ(fs.read("/d/clone"), "");
}

TEST_F(FakeLossTest, the_end_of_a_process_loses_nothing_and_a_later_cut_still_can) {
  create("f", "x");
  fs.kill();
  EXPECT_EQ(fs.read("/d/f"), "x");
  EXPECT_EQ(fs.pending_count(), 3U) << "name, mode, bytes";
  fs.lose(LossPattern::keep_nothing());
  EXPECT_FALSE(fs.exists("/d/f"));
}

TEST_F(FakeLossTest, after_a_cut_what_is_there_is_durable) {
  create("f", "x");
  fs.lose(LossPattern::keep_all());
  EXPECT_EQ(fs.pending_count(), 0U);
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/f"), "x");
  auto file = fs.open_folder("/d").value()->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "y"));
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.read("/d/f"), "x");
}

TEST_F(FakeLossTest, space_of_what_was_lost_or_came_back_is_counted) {
  fs.device("/").free_bytes = 100;
  fs.device("/").free_inodes = 10;
  fs.put_file("/d/old", std::string(30, 'o'));
  create("new", std::string(20, 'n'));
  ASSERT_TRUE(d->unlink("old").value());
  EXPECT_EQ(fs.device("/").free_bytes, 80U);
  EXPECT_EQ(fs.device("/").free_inodes, 9U);
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(fs.device("/").free_bytes, 70U);
  EXPECT_EQ(fs.device("/").free_inodes, 9U);
}

TEST_F(FakeLossTest, a_copied_disk_goes_its_own_way) {
  fs.put_file("/d/f", "old");
  FakeFileSystem copy(fs.disk());
  EXPECT_EQ(copy.fingerprint(), fs.fingerprint());
  copy.overwrite("/d/f", "new");
  EXPECT_EQ(fs.read("/d/f"), "old");
  EXPECT_NE(copy.fingerprint(), fs.fingerprint());
}

TEST_F(FakeLossTest, equal_states_have_equal_fingerprints_and_each_visible_change_another) {
  fs.disk().tick_step_ns = 0;  // else a time would differ each time, and hide what else is left out
  create("f", "xx");
  fs.set_attribute("/d/f", "user.a", "1");
  create("pending", "");
  const FakeDisk base = fs.disk();
  const std::uint64_t before = fs.fingerprint();
  const auto changed_by = [&](auto change) {
    FakeFileSystem each(base);
    change(each);
    return each.fingerprint() != before;
  };
  EXPECT_FALSE(changed_by([](FakeFileSystem&) {}));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) { each.lose(LossPattern::keep_nothing()); }));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) { each.overwrite("/d/f", "y"); }));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) { each.hard_link("/d/f", "/d/g"); }));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) { each.make_folder("/d", 0700); }));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) { each.make_folder("/d", 0755, 1); }));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) { each.set_attribute("/d/f", "user.a", "2"); }));
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) {
    EXPECT_TRUE(each.open_folder("/d").value()->rename("f", "g"));
  })) << "another name";
  EXPECT_TRUE(changed_by([](FakeFileSystem& each) {
    EXPECT_TRUE(each.open_folder("/d").value()->open_file("f").value()->set_times(5));
  })) << "another time";
  // An empty file was looked at before: what is known of its bytes must not be taken for theirs.
  const auto print_with = [&](const std::string& bytes) {
    FakeFileSystem each(base);
    each.put_file("/d/n", bytes);
    return each.fingerprint();
  };
  EXPECT_NE(print_with("one"), print_with("two"));
}

TEST_F(FakeLossTest, fingerprints_by_names_know_inodes_apart_but_not_their_numbers) {
  fs.disk().tick_step_ns = 0;
  const FakeDisk base = fs.disk();
  const auto print_of = [](FakeFileSystem& each) {
    return each.disk().fingerprint_by_names(
        [](InodeNumber, const FileContent& content) { return content.hash(); });
  };
  FakeFileSystem one(base), other(base), linked(base);
  for (const char* name : {"/d/f", "/d/g"}) one.put_file(name, "same");
  for (const char* name : {"/d/g", "/d/f"}) other.put_file(name, "same");
  EXPECT_NE(one.fingerprint(), other.fingerprint());
  EXPECT_EQ(print_of(one), print_of(other));
  other.overwrite("/d/f", "else");
  EXPECT_NE(print_of(one), print_of(other));
  linked.put_file("/d/f", "same");
  linked.hard_link("/d/f", "/d/g");
  EXPECT_NE(print_of(one), print_of(linked));
}

}  // namespace
}  // namespace update
