// The updater among the files that it updates. An update is begun by one program and may be
// finished by another, older or newer than the journal: each of them brings the host to one
// version, or changes nothing and says which program can (journal.md, "Durable points").

#include <gtest/gtest.h>

#include "tests/scenario/self_update.hpp"
#include "tests/schema/sqlite_tools.hpp"

namespace update::scenario {
namespace {

TEST(SelfUpdate, GoesThroughThreeProgramsAndBack) {
  Host host;
  put_updater(host, kNow);
  const Bundle first = {"1.0.0", kNow};
  const Bundle second = {"2.0.0", kNext};
  const Bundle third = {"3.0.0", kAfter};
  const Bundle fourth = {"4.0.0", kAfter};
  const auto apply = [&host](const Bundle& bundle) {
    return host.run({"apply", release_of(host, bundle)});
  };
  expect_done(host, apply(first), first, kShipped);
  expect_done(host, apply(second), second, kShipped);
  expect_done(host, apply(third), third, kShipped + 1);
  // Nothing but the begin of an apply migrates, so that the way back stays open.
  expect_done(host, host.run({"rollback", "--to", "1"}), first, kShipped + 1);
  expect_done(host, host.run({"rollback"}), third, kShipped + 1);
  expect_done(host, host.run({"rollback"}), first, kShipped + 1);
  expect_done(host, apply(second), second, kShipped + 1);
  expect_done(host, apply(third), third, kShipped + 1);
  expect_done(host, apply(fourth), fourth, kShipped + 2);
}

TEST(SelfUpdate, TheTriggersOfANewerSchemaFollowAnOlderProgram) {
  Host host;
  put_updater(host, kNow);
  ASSERT_EQ(host.run({"apply", release_of(host, {"1.0.0", kNow})}).code, 0);
  ASSERT_EQ(run_with(host, kNext.path, {"apply", release_of(host, {"2.0.0", kNow})}).code, 0);
  ASSERT_EQ(host.run({"apply", release_of(host, {"3.0.0", kNext})}).code, 0);
  test::PlainDatabase journal(journal_of(host));
  EXPECT_EQ(journal.value("SELECT sum(events) FROM tally"),
            journal.value("SELECT count(*) FROM event"));
  EXPECT_EQ(journal.value("SELECT events FROM tally WHERE phase = 'committed'"), "3");
}

TEST(SelfUpdate, AProgramThatMayNotWriteSaysWhoMay) {
  Host host;
  put_updater(host, kNow);
  const Bundle first = {"1.0.0", kNow};
  ASSERT_EQ(host.run({"apply", release_of(host, first)}).code, 0);
  ASSERT_EQ(run_with(host, kAfter.path, {"apply", release_of(host, {"2.0.0", kAfter})}).code, 0);
  // The newer program goes back to one that may not write what it leaves.
  expect_done(host, host.run({"rollback"}), first, kShipped + 2);
  ASSERT_EQ(updater_of(host), "now");
  const std::string again = release_of(host, {"3.0.0", kNext});
  for (const Arguments& arguments :
       {Arguments{"apply", again}, Arguments{"rollback"}, Arguments{"prune"}}) {
    SCOPED_TRACE(arguments.front());
    expect_refused(host, kNow, arguments);
    const Ended ended = host.run(arguments);
    EXPECT_EQ(ended.code, 1) << "nothing is unfinished";
    EXPECT_TRUE(contains(ended.err, "install the newer banger-update again")) << ended.err;
  }
  expect_readable(host, kNow, 3);
  // The way out is beside it: the newer program under the name of the backup.
  const Bundle second = {"2.0.0", kAfter};
  expect_done(host, run_with(host, host.bin("banger-update.previous"), {"rollback"}), second,
              kShipped + 2);
}

}  // namespace
}  // namespace update::scenario
