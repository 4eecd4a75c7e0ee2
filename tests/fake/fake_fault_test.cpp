#include <stdexcept>
#include <thread>

#include "tests/fake/fake_test.hpp"

namespace update {
namespace {

using Verb = FakeCall::Verb;

class FakeFaultTest : public FakeFileSystemTest {};

TEST_F(FakeFaultTest, calls_that_change_something_are_recorded_in_order) {
  fs.put_file("/d/old", "old");
  auto file = d->create_file(".s", 0755).value();
  ASSERT_TRUE(write_text(*file, "new"));
  ASSERT_TRUE(file->set_owner(1, 2));
  ASSERT_TRUE(file->set_mode(0700));
  ASSERT_TRUE(file->set_attribute("user.a", "b"));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(d->link("old", *d, ".b"));
  ASSERT_TRUE(d->sync());
  ASSERT_TRUE(d->rename(".s", "old"));
  ASSERT_TRUE(d->unlink(".b").value());
  ASSERT_TRUE(d->sync());
  EXPECT_EQ(fs.lines(), (std::vector<std::string>{
                            "create /d/.s 0755", "write /d/.s 3 bytes at 0", "set owner /d/.s 1:2",
                            "set mode /d/.s 0700", "set attribute /d/.s user.a", "sync file /d/.s",
                            "link /d/old -> /d/.b", "sync folder /d", "rename /d/.s -> /d/old",
                            "unlink /d/.b", "sync folder /d"}));
  EXPECT_EQ(fs.count(Verb::sync_folder), 2U);
}

TEST_F(FakeFaultTest, reads_and_calls_that_change_nothing_have_no_number) {
  fs.put_file("/d/f", "x");
  fs.hard_link("/d/f", "/d/same");
  ASSERT_TRUE(d->lookup("f"));
  ASSERT_TRUE(d->list());
  EXPECT_EQ(read_text(*d->open_file("f").value()), "x");
  EXPECT_FALSE(d->unlink("absent").value());
  EXPECT_FALSE(d->remove_folder("absent").value());
  ASSERT_TRUE(d->rename("f", "same"));
  EXPECT_EQ(errno_of(d->create_file("f", 0600)), EEXIST);
  EXPECT_EQ(errno_of(d->rename("absent", "g")), ENOENT);
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, ""));
  ASSERT_TRUE(file->reserve(0));
  ASSERT_TRUE(file->remove_attribute("user.absent"));
  ASSERT_TRUE(file->try_lock().value());
  file->start_writeback(0, 1);
  EXPECT_EQ(fs.lines(), std::vector<std::string>{});
}

TEST_F(FakeFaultTest, stops_before_the_nth_call_or_after_it) {
  for (const When when : {When::before, When::after}) {
    FakeFileSystem each(fs.disk());
    each.stop_at(2, when);
    auto folder = each.open_folder("/d").value();
    ASSERT_TRUE(folder->create_file("first", 0600));
    EXPECT_THROW(static_cast<void>(folder->create_file("second", 0600)), PowerCut);
    EXPECT_TRUE(each.stopped());
    EXPECT_EQ(each.exists("/d/second"), when == When::after);
    EXPECT_EQ(each.call_count(), when == When::after ? 2U : 1U);
  }
}

TEST_F(FakeFaultTest, a_call_that_was_not_reached_does_not_stop) {
  fs.stop_at(2, When::before);
  ASSERT_TRUE(d->create_file("only", 0600));
  EXPECT_FALSE(fs.stopped());
}

TEST_F(FakeFaultTest, after_the_stop_every_verb_throws_and_the_next_boot_works) {
  auto file = create("f", "x");
  fs.stop_at(3, When::before);
  EXPECT_THROW(static_cast<void>(file->sync()), PowerCut);
  EXPECT_THROW(static_cast<void>(file->info()), PowerCut);
  EXPECT_THROW(static_cast<void>(read_text(*file)), PowerCut);
  EXPECT_THROW(file->start_writeback(0, 1), PowerCut);
  EXPECT_THROW(static_cast<void>(d->lookup("f")), PowerCut);
  EXPECT_THROW(static_cast<void>(d->list()), PowerCut);
  EXPECT_THROW(static_cast<void>(d->unlink("f")), PowerCut);
  EXPECT_THROW(static_cast<void>(fs.open_folder("/d")), PowerCut);
  fs.lose(LossPattern::keep_nothing());
  EXPECT_EQ(errno_of(file->sync()), EIO) << "a file of the boot before";
  EXPECT_EQ(fs.call_count(), 0U);
  EXPECT_TRUE(fs.open_folder("/d").value()->create_file("f", 0600));
}

TEST_F(FakeFaultTest, a_power_cut_is_not_taken_for_a_library_exception) {
  fs.stop_at(1, When::before);
  EXPECT_THROW(
      {
        try {
          static_cast<void>(d->sync());
        } catch (const std::exception&) {
          ADD_FAILURE();
        }
      },
      PowerCut);
}

TEST_F(FakeFaultTest, a_destructor_that_tidies_up_during_the_cut_changes_nothing) {
  struct Tidy {
    os::Folder& folder;
    ~Tidy() { EXPECT_EQ(errno_of(folder.unlink("f")), EIO); }
  };
  create("f", "x");
  fs.stop_at(3, When::before);
  EXPECT_THROW(
      {
        const Tidy tidy{*d};
        static_cast<void>(d->sync());
      },
      PowerCut);
  EXPECT_TRUE(fs.exists("/d/f"));
}

TEST_F(FakeFaultTest, a_reader_in_another_thread_gets_an_error_after_the_cut) {
  auto file = create("f", "x");
  fs.stop_at(3, When::before);
  EXPECT_THROW(static_cast<void>(d->sync()), PowerCut);
  int seen = 0;
  std::thread([&] {
    std::byte buffer[1];
    seen = errno_of(file->read_at(buffer, 0));
  }).join();
  EXPECT_EQ(seen, EIO);
}

TEST_F(FakeFaultTest, a_call_fails_once_or_from_then_on_and_has_done_nothing) {
  fs.fail_at(2, EIO);
  ASSERT_TRUE(d->create_file("a", 0600));
  EXPECT_EQ(errno_of(d->create_file("b", 0600)), EIO);
  EXPECT_FALSE(fs.exists("/d/b"));
  EXPECT_TRUE(d->create_file("b", 0600));
  fs.fail_at(4, EROFS, Repeat::from_then_on);
  EXPECT_EQ(errno_of(d->unlink("a")), EROFS);
  EXPECT_EQ(errno_of(d->unlink("a")), EROFS);
  EXPECT_TRUE(fs.exists("/d/a"));
  EXPECT_EQ(fs.lines()[1], "create /d/b 0600 = Input/output error");
}

TEST_F(FakeFaultTest, calls_fail_by_predicate_and_reads_by_path) {
  fs.put_file("/d/f", "x");
  fs.fail_always(ENOSPC, [](const FakeCall& call) { return call.verb == Verb::rename; });
  fs.fail_reading(EACCES, [](const std::string& path) { return path == "/d/f"; });
  EXPECT_EQ(errno_of(d->rename("f", "g")), ENOSPC);
  EXPECT_EQ(errno_of(d->rename("f", "g")), ENOSPC);
  EXPECT_EQ(errno_of(d->open_file("f")), EACCES);
  EXPECT_EQ(errno_of(d->lookup("f")), EACCES);
  EXPECT_TRUE(d->lookup("g"));
}

TEST_F(FakeFaultTest, a_failed_file_sync_makes_the_next_one_useless_for_those_bytes) {
  fs.put_file("/d/f", "old");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "new"));
  fs.fail_at(2, EIO);
  EXPECT_EQ(errno_of(file->sync()), EIO);
  EXPECT_EQ(fs.read("/d/f"), "new") << "still in memory";
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(write_text(*file, "!", 3));
  ASSERT_TRUE(file->sync());
  fs.lose(LossPattern::keep_all());
  EXPECT_EQ(fs.read("/d/f"), "old!");
}

TEST_F(FakeFaultTest, bytes_of_a_failed_sync_may_have_arrived) {
  fs.put_file("/d/f", "old");
  auto file = d->open_file_for_update("f").value();
  ASSERT_TRUE(write_text(*file, "new"));
  fs.fail_at(2, EIO);
  EXPECT_EQ(errno_of(file->sync()), EIO);
  fs.lose(LossPattern::keep_all());
  EXPECT_EQ(fs.read("/d/f"), "new");
}

TEST_F(FakeFaultTest, a_failed_folder_sync_makes_the_next_one_useless_for_those_names) {
  fs.put_file("/d/a", "x");
  ASSERT_TRUE(d->rename("a", "b"));
  fs.fail_at(2, EIO);
  EXPECT_EQ(errno_of(d->sync()), EIO);
  ASSERT_TRUE(d->sync());
  fs.lose(LossPattern::keep_all());
  EXPECT_TRUE(fs.exists("/d/a"));
  EXPECT_FALSE(fs.exists("/d/b"));
}

TEST_F(FakeFaultTest, somebody_else_acts_right_after_a_call) {
  fs.put_file("/d/f", "ours");
  fs.after_call(1, [&] { fs.put_file("/d/f", "theirs"); });
  ASSERT_TRUE(d->create_file("a", 0600));
  EXPECT_EQ(read_text(*d->open_file("f").value()), "theirs");
  EXPECT_EQ(fs.call_count(), 1U);
}

TEST_F(FakeFaultTest, cut_power_stops_from_outside_the_file_system) {
  EXPECT_THROW(fs.cut_power(), PowerCut);
  EXPECT_THROW(static_cast<void>(d->list()), PowerCut);
}

TEST_F(FakeFaultTest, a_test_that_names_what_is_not_there_is_told_so) {
  EXPECT_THROW(fs.remove("/absent"), std::logic_error);
  EXPECT_THROW(fs.overwrite("/absent", ""), std::logic_error);
}

}  // namespace
}  // namespace update
