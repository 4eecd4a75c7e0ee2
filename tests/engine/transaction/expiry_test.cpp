// The dead-man's switch: whoever had to see an update through is replaced when its time is over.
#include <gtest/gtest.h>

#include <csignal>

#include "engine/base/layout.hpp"
#include "tests/engine/transaction/service_fixture.hpp"

namespace update {
namespace {

class Expiry : public ServiceTest {
 protected:
  /// The updater dies while the unit is restarted.
  void die_in_restart() {
    services_.on_restart([this](const std::string&) -> Status {
      armed_at_restart_ = services_.timers().size();
      throw PowerCut{};
    });
    EXPECT_THROW(world_.apply("1.0.0"), PowerCut);
    world_.kill();
    services_.on_restart([this](const std::string&) { return start_another(); });
  }

  /// The timer's service is a process of its own.
  Result<RecoverReport> expire() {
    world_.fake.host.set_pid(501);
    world_.fake.host.add_process(501, 5010);
    table_.add(501, {5010, "updater", {}, os::Executable{"/usr/bin/u", {}}});
    RecoverRequest request;
    request.expired = TransactionId{1};
    return world_.recover(request);
  }

  void pass_deadline() { world_.fake.clock.advance_ms(600'000); }

  /// Somebody with root writes a later `armed` note into the journal.
  void note_armed_since(const std::string& monotonic_ms) {
    const std::string detail = R"({"note": "armed", "pid": 500, "start": 5000, "boot_id": ")" +
                               world_.fake.host.boot_id() + R"(", "monotonic_ms": )" +
                               monotonic_ms + "}";
    const std::string path = std::string(World::kState) + "/" + std::string(kJournalName);
    auto journal = Journal::open({path, world_.vfs.name()});
    ASSERT_TRUE(journal) << journal.error().message();
    const std::vector<NewEvent> note = {
        {TransactionId{1}, Phase::restart, Phase::restart, 0, detail}};
    ASSERT_TRUE(journal->append(note, Durability::durable));
  }

  std::size_t armed_at_restart_ = 0;
};

TEST_F(Expiry, IsArmedBeforeTheRestartAndTakenBackAfterTheOutcome) {
  services_.on_restart([this](const std::string&) {
    armed_at_restart_ = services_.timers().size();
    return start_another();
  });
  ASSERT_TRUE(world_.apply("1.0.0").status);
  EXPECT_EQ(armed_at_restart_, 1U);
  EXPECT_TRUE(services_.timers().empty());
}

TEST_F(Expiry, StaysArmedForAnUpdateThatNobodyEnds) {
  die_in_restart();
  ASSERT_EQ(services_.timers().size(), 1U);
  const auto& [name, timer] = *services_.timers().begin();
  EXPECT_TRUE(name.starts_with("banger-update-expired-1-")) << name;
  EXPECT_EQ(timer.unit.argv, (std::vector<std::string>{"/usr/bin/u", "recover", "--expired", "1"}));
  EXPECT_GT(timer.delay_ms, 2 * world_.env.config.restart.timeout_ms);
}

TEST_F(Expiry, IsTakenBackByWhoeverRecoversBeforeIt) {
  die_in_restart();
  ASSERT_TRUE(world_.recover());
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
  EXPECT_TRUE(services_.timers().empty());
}

TEST_F(Expiry, OutlivesARecoveryThatLeavesTheRestToLater) {
  die_in_restart();
  RecoverRequest boot;
  boot.boot = true;
  ASSERT_TRUE(world_.recover(boot));
  ASSERT_EQ(world_.newest()->phase, Phase::rollback);
  EXPECT_EQ(services_.timers().size(), 1U);
}

TEST_F(Expiry, IsArmedOnlyWhereSystemdRuns) {
  services_.set_present(false);
  ASSERT_TRUE(world_.apply("1.0.0").status);
  EXPECT_EQ(services_.armed(), 0U);
}

TEST_F(Expiry, ThatCannotBeArmedStopsTheUpdateBeforeItsRestart) {
  services_.fail_arm(Error(ErrorCode::failed, "no"));
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::undone);
  EXPECT_EQ(world_.version(), "0.9.0");
}

TEST_F(Expiry, EndsTheVeryProcessAndRecovers) {
  die_in_restart();
  pass_deadline();
  const auto recovered = expire();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(table_.ended(), (std::vector<os::ProcessId>{{500, 5000}}));
  EXPECT_EQ(world_.version(), "0.9.0");
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
}

TEST_F(Expiry, DoesNothingBeforeTheTimeIsOver) {
  die_in_restart();
  const auto recovered = expire();
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code(), ErrorCode::refused);
  EXPECT_TRUE(table_.ended().empty());
  EXPECT_EQ(world_.newest()->phase, Phase::restart);
}

TEST_F(Expiry, SparesAProcessThatOnlyHasTheNumber) {
  die_in_restart();
  pass_deadline();
  table_.add(500, {5001, "somebody", {}, {}});
  ASSERT_TRUE(expire());
  EXPECT_TRUE(table_.ended().empty());
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
}

TEST_F(Expiry, SparesEverybodyInAnotherBoot) {
  die_in_restart();
  world_.fake.host.set_boot_id("another");
  ASSERT_TRUE(expire());
  EXPECT_TRUE(table_.ended().empty());
}

// The service of the first timer runs, so its name is taken.
TEST_F(Expiry, ResumesTheRestartUnderATimerOfItsOwn) {
  world_.env.config.recovery_policy = RecoveryPolicy::replay;
  die_in_restart();
  pass_deadline();
  services_.on_restart([this](const std::string&) {
    armed_at_restart_ = services_.timers().size();
    return start_another();
  });
  const auto recovered = expire();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world_.newest()->phase, Phase::committed);
  EXPECT_EQ(world_.version(), "1.0.0");
  EXPECT_EQ(services_.armed(), 2U);
  EXPECT_EQ(armed_at_restart_, 1U) << "that of its first life was not taken back";
  EXPECT_TRUE(services_.timers().empty());
}

TEST_F(Expiry, OfAnotherProductsUpdateOfTheSameNumberStaysArmed) {
  die_in_restart();
  world_.env.config.state = AbsolutePath::parse("/var/lib/other/update").value();
  ASSERT_TRUE(world_.apply("1.1.0").status);
  EXPECT_EQ(services_.timers().size(), 1U);
}

TEST_F(Expiry, RecoversWhereTheJournalIsDamaged) {
  die_in_restart();
  pass_deadline();
  const std::string journal = std::string(World::kState) + "/" + std::string(kJournalName);
  world_.fake.files.put_file(journal, std::string(8192, 'x'), 0600);
  const auto recovered = expire();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_TRUE(recovered->recovered);
  EXPECT_EQ(world_.newest()->phase, Phase::committed);
}

TEST_F(Expiry, CountsWithWhateverTimeTheJournalHolds) {
  die_in_restart();
  note_armed_since("9223372036854775807");
  const auto early = expire();
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().code(), ErrorCode::refused);
  note_armed_since("-9223372036854775808");
  EXPECT_FALSE(expire()) << "this boot is not that old";
  pass_deadline();
  ASSERT_TRUE(expire());
  EXPECT_EQ(table_.ended(), (std::vector<os::ProcessId>{{500, 5000}}));
}

TEST_F(Expiry, OfAFinishedUpdateDoesNothing) {
  ASSERT_TRUE(world_.apply("1.0.0").status);
  const auto recovered = expire();
  ASSERT_TRUE(recovered);
  EXPECT_FALSE(recovered->recovered);
  EXPECT_TRUE(table_.ended().empty());
  EXPECT_EQ(world_.version(), "1.0.0");
}

}  // namespace
}  // namespace update
