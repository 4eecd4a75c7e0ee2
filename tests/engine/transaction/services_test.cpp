// Units through an update: what ran before is what runs after, the new code is seen to run, and
// whoever had to see to that is replaced when its time is over.
#include <gtest/gtest.h>

#include <csignal>

#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

constexpr const char* kUnit = "demo.service";
constexpr std::int64_t kFirstPid = 1000;  // of FakeServiceManager

/// A host whose unit runs alpha. Each restart ends its main process and starts another one.
class ServiceTest : public testing::Test {
 protected:
  ServiceTest() {
    world_.preinstall("0.9.0");
    world_.env.config.restart.command.clear();
    world_.env.config.restart.units = {kUnit};
    world_.env.config.restart.timeout_ms = 1'000;
    world_.env.config.doctor.soak_ms = 1'000;
    world_.env.config.doctor.interval_ms = 100;
    services_.add(kUnit).activity = "active";
    services_.unit(kUnit).control_group = "/system.slice/demo.service";
    services_.set_present(true);
    services_.on_restart([this](const std::string&) { return start_another(); });
    run(kFirstPid);
    world_.fake.host.add_process(world_.fake.host.pid(), 5000);
    table_.add(world_.fake.host.pid(), {5000, "updater", {}, os::Executable{"/usr/bin/u", {}}});
  }

  os::FileIdentity identity_of(const std::string& name) {
    const auto folder = world_.fake.files.open_folder(World::kFolder);
    return (*folder)->lookup(name).value()->identity;
  }

  void run(std::int64_t pid) {
    table_.add(pid, {static_cast<std::uint64_t>(pid * 10), "alpha", "/system.slice/demo.service",
                     os::Executable{world_.destination("alpha"), identity_of("alpha")}});
    pid_ = pid;
  }

  Status start_another() {
    if (!survives_) table_.remove(pid_);
    const os::FileIdentity before = identity_of("alpha");
    run(pid_ + 1);
    if (runs_old_) {
      os::FileIdentity other = before;
      other.inode += 1000;
      table_.add(pid_, {1, "alpha", {}, os::Executable{"/somewhere/else", other}});
    }
    return {};
  }

  void expect_undone(const std::string& message) {
    const UpdateReport report = world_.apply("1.0.0");
    ASSERT_FALSE(report.status);
    EXPECT_EQ(report.status.error().code(), ErrorCode::undone) << report.status.error().message();
    EXPECT_NE(report.status.error().message().find(message), std::string::npos)
        << report.status.error().message();
    EXPECT_EQ(world_.version(), "0.9.0");
    EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
    EXPECT_TRUE(services_.unit(kUnit).active);
    EXPECT_TRUE(services_.timers().empty());
  }

  World world_;
  FakeServiceManager& services_ = world_.fake.services;
  FakeProcessTable& table_ = world_.fake.table;
  std::int64_t pid_ = 0;
  bool survives_ = false;
  bool runs_old_ = false;
};

using NewCode = ServiceTest;

TEST_F(NewCode, IsSeenToRunAndCommitted) {
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  EXPECT_EQ(services_.restarts(), std::vector<std::string>{kUnit});
  EXPECT_EQ(world_.version(), "1.0.0");
}

TEST_F(NewCode, IsNotWhatAProcessRunsThatStartedAnotherFile) {
  runs_old_ = true;
  expect_undone("does not run the new " + world_.destination("alpha"));
}

TEST_F(NewCode, DoesNotCountWhileTheProcessOfBeforeLives) {
  survives_ = true;
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_NE(report.status.error().message().find("still runs"), std::string::npos)
      << report.status.error().message();
  EXPECT_EQ(world_.version(), "0.9.0");
}

TEST_F(NewCode, DoesNotCountWhereTheMainProcessIsGone) {
  services_.on_restart([this](const std::string&) {
    table_.remove(pid_);
    return Status();
  });
  world_.fake.clock.on_wait([](std::int64_t) {});
  // A new number that the table does not know: it has forked away and ended.
  expect_undone("does not run the new");
}

TEST_F(NewCode, IsInACrashLoopWhereSystemdStartsItAgain) {
  world_.fake.clock.on_wait([this](std::int64_t) { ++services_.unit(kUnit).restart_count; });
  expect_undone("started again by systemd");
}

TEST_F(NewCode, IsInACrashLoopWhereTheMainProcessChanges) {
  world_.fake.clock.on_wait([this](std::int64_t) { ++services_.unit(kUnit).main_pid; });
  expect_undone("another main process");
}

TEST_F(NewCode, IsWatchedForTheSoakWithoutADoctorToo) {
  world_.fake.clock.on_wait([this](std::int64_t) { ++services_.unit(kUnit).restart_count; });
  ApplyOptions options;
  options.doctor = false;
  const UpdateReport report = world_.apply("1.0.0", options);
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::undone);
  EXPECT_EQ(world_.version(), "0.9.0");
}

TEST_F(NewCode, IsNotExcusedWithTheDoctor) {
  world_.doctor_passes(false);
  world_.env.config.doctor.baseline = Baseline::excuse;
  survives_ = true;
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(world_.version(), "0.9.0");
}

// F7, F8: what was down before is neither started nor held against the release.
TEST_F(NewCode, OfAUnitThatWasDownIsNotAsked) {
  services_.unit(kUnit).active = false;
  services_.unit(kUnit).activity = "failed";
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  EXPECT_TRUE(services_.restarts().empty());
  EXPECT_FALSE(services_.unit(kUnit).active);
}

TEST_F(NewCode, OfAMaskedUnitCannotBeStartedAndSaysSo) {
  services_.unit(kUnit).masked = true;
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  EXPECT_TRUE(services_.restarts().empty());
  ASSERT_FALSE(world_.observer.warnings.empty());
  EXPECT_NE(world_.observer.warnings[0].find("masked"), std::string::npos);
}

TEST_F(NewCode, AFailedRestartShowsTheEndOfTheUnitsLog) {
  services_.set_log_end("cannot bind\x1b[31m\nexiting\n");
  services_.fail_restart(kUnit, Error(ErrorCode::failed, "the job failed"));
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  const std::string message = report.status.error().message();
  EXPECT_NE(message.find("cannot bind"), std::string::npos) << message;
  EXPECT_EQ(message.find('\x1b'), std::string::npos);
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

// One that was left out would go on running what was undone.
TEST_F(NewCode, IsTakenBackFromEveryUnitThoughOneDoesNotStart) {
  world_.env.config.restart.units = {"broken.service", kUnit};
  services_.add("broken.service").activity = "active";
  services_.on_restart([](const std::string&) { return Status(); });
  table_.remove(kFirstPid);  // nothing is known of the processes
  world_.fake.processes.on("/usr/bin/doctor", [this](const os::Command&) {
    const bool is_new = world_.version() == "1.0.0";
    if (is_new) services_.fail_restart("broken.service", Error(ErrorCode::failed, "it failed"));
    return FakeProcessRunner::exits(is_new ? 1 : 0)({});
  });
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::needs_operator);
  const std::vector<std::string> expected = {"broken.service", kUnit, "broken.service", kUnit};
  EXPECT_EQ(services_.restarts(), expected);
  EXPECT_EQ(world_.version(), "0.9.0");
}

// A unit that was not restarted when the files came back, for whatever reason.
TEST_F(NewCode, IsTakenBackWhereItStillRunsOnceAPersonMadeAllOldAgain) {
  world_.doctor_passes(false);
  services_.on_restart([this, restarts = 0](const std::string&) mutable -> Status {
    if (++restarts == 1) return start_another();
    return fail(ErrorCode::failed, "the job failed");
  });
  ASSERT_FALSE(world_.apply("1.0.0").status);
  ASSERT_EQ(world_.newest()->phase, Phase::needs_operator);
  services_.on_restart([this](const std::string&) { return start_another(); });
  const auto recovered = world_.recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
  EXPECT_EQ(services_.restarts().size(), 3U);
  EXPECT_EQ(table_.executable(pid_)->identity, identity_of("alpha"));
}

Error killed() {
  return {ErrorCode::unfinished, "restarting demo.service: systemctl was ended by signal 15"};
}

TEST_F(NewCode, IsNotSaidNotToStartByAToolThatWasKilled) {
  world_.doctor_passes(false);
  services_.on_restart([this, restarts = 0](const std::string&) mutable -> Status {
    if (++restarts == 2) return fail(killed());
    return start_another();
  });
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::unfinished) << report.status.error().message();
  EXPECT_EQ(world_.newest()->phase, Phase::rollback);
  ASSERT_TRUE(world_.recover());
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
}

TEST_F(NewCode, IsUndoneWhereOnlyTheToolThatStartsItWasKilled) {
  services_.on_restart([this, restarts = 0](const std::string&) mutable -> Status {
    if (++restarts == 1) return fail(killed());
    return start_another();
  });
  expect_undone("ended by signal 15");
}

class Interrupted : public ServiceTest {
 protected:
  /// SIGINT ends `systemctl show` together with the update.
  void interrupt_show() {
    services_.fail_state(kUnit, Error(ErrorCode::failed, "was stopped"));
    world_.fake.stop.send(os::StopRequest::Signal::interrupt);
  }
};

TEST_F(Interrupted, WhileAUnitIsLookedAtForThePlan) {
  interrupt_show();
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::interrupted)
      << report.status.error().message();
}

TEST_F(Interrupted, WhileARestartedUnitIsLookedAt) {
  services_.on_restart([this, restarts = 0](const std::string&) mutable {
    if (++restarts == 1) {
      interrupt_show();
      // The undo, which begins with its record, is not interrupted.
      world_.fake.files.before_each_call([this](const FakeCall&) { services_.heal(); });
    }
    return start_another();
  });
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::interrupted)
      << report.status.error().message();
  EXPECT_EQ(world_.version(), "0.9.0");
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
}

TEST_F(Interrupted, ByASignalThatTheDoctorGotFirst) {
  world_.fake.processes.on("/usr/bin/doctor", [this](const os::Command&) {
    os::ProcessResult result;
    if (world_.version() != "1.0.0") return Result<os::ProcessResult>(result);
    world_.fake.stop.send(os::StopRequest::Signal::terminate);
    result.end = os::ProcessEnd::signalled;
    result.status = SIGTERM;
    return Result<os::ProcessResult>(result);
  });
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_FALSE(report.status);
  EXPECT_EQ(report.status.error().code(), ErrorCode::terminated) << report.status.error().message();
  EXPECT_EQ(world_.version(), "0.9.0");
}

class AfterBoot : public ServiceTest {
 protected:
  /// A power cut before the last rename; recover --boot leaves the new files for the doctor. The
  /// boot has not started the unit, and systemd calls it `activity`.
  void boot_without_unit(const std::string& activity) {
    world_.fake.files.before_each_call([this](const FakeCall& call) {
      const bool last = call.line().find("gamma.1-") != std::string::npos;
      if (last && call.verb == FakeCall::Verb::rename) world_.fake.files.cut_power();
    });
    EXPECT_THROW(world_.apply("1.0.0"), PowerCut);
    world_.reboot(LossPattern::keep_all());
    table_.remove(pid_);
    os::UnitState& unit = services_.unit(kUnit);
    unit.active = false;
    unit.activity = activity;
    unit.main_pid = 0;
    RecoverRequest at_boot;
    at_boot.boot = true;
    ASSERT_TRUE(world_.recover(at_boot));
    ASSERT_EQ(world_.newest()->phase, Phase::doctor);
  }
};

// It was started by hand, or by its socket.
TEST_F(AfterBoot, AUnitThatNoBootStartsIsStartedBeforeItIsJudged) {
  boot_without_unit("inactive");
  const auto recovered = world_.recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world_.newest()->phase, Phase::committed);
  EXPECT_EQ(services_.restarts(), std::vector<std::string>{kUnit});
}

TEST_F(AfterBoot, AUnitThatTheBootCouldNotStartIsHeldAgainstTheRelease) {
  boot_without_unit("failed");
  const auto recovered = world_.recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
  EXPECT_EQ(world_.version(), "0.9.0");
}

TEST_F(AfterBoot, AUnitThatDoesNotStartThenUndoesTheUpdate) {
  boot_without_unit("inactive");
  services_.on_restart([this](const std::string&) -> Status {
    if (world_.version() == "1.0.0") return fail(ErrorCode::failed, "the job failed");
    return start_another();
  });
  const auto recovered = world_.recover();
  ASSERT_TRUE(recovered) << recovered.error().message();
  EXPECT_EQ(world_.newest()->phase, Phase::rolled_back);
  EXPECT_EQ(world_.version(), "0.9.0");
}

using UnitFiles = ServiceTest;

TEST_F(UnitFiles, AreReadAgainOnlyWhereTheyChanged) {
  ASSERT_TRUE(world_.apply("1.0.0").status);
  EXPECT_EQ(services_.reloads(), 0U);
  services_.unit(kUnit).needs_reload = true;
  ASSERT_TRUE(world_.apply("1.1.0").status);
  EXPECT_EQ(services_.reloads(), 1U);
}

TEST_F(UnitFiles, AmongTheUpdatesAreReadBeforeTheRestart) {
  world_.env.config.files[2].destination =
      AbsolutePath::parse("/etc/systemd/system/demo.service").value();
  world_.fake.files.make_folder("/etc/systemd/system");
  std::size_t reloads_at_restart = 0;
  services_.on_restart([&](const std::string&) {
    reloads_at_restart = services_.reloads();
    return start_another();
  });
  const UpdateReport report = world_.apply("1.0.0");
  ASSERT_TRUE(report.status) << report.status.error().message();
  EXPECT_EQ(reloads_at_restart, 1U);
}

class Workloads : public ServiceTest {
 protected:
  Workloads() {
    world_.env.config.restart.keep_processes = {"firecracker"};
    table_.add(77, {770, "firecracker", "/system.slice/demo.service", {}});
  }
};

TEST_F(Workloads, ThatLiveThroughTheRestartAreWell) {
  EXPECT_TRUE(world_.apply("1.0.0").status);
}

TEST_F(Workloads, ThatDieInTheRestartUndoTheUpdate) {
  services_.on_restart([this](const std::string&) {
    table_.remove(77);
    return start_another();
  });
  expect_undone("firecracker (77) did not live through the restart");
}

TEST_F(Workloads, AreOthersWhenANumberIsUsedAgain) {
  services_.on_restart([this](const std::string&) {
    table_.add(77, {771, "firecracker", {}, {}});
    return start_another();
  });
  expect_undone("did not live through");
}

TEST_F(Workloads, ThatDieInTheSoakUndoTheUpdate) {
  world_.fake.clock.on_wait([this](std::int64_t) { table_.remove(77); });
  expect_undone("did not live through");
}

TEST_F(Workloads, OfAUnitThatEndsThemAreWarnedOf) {
  services_.unit(kUnit).kill_mode = "process";
  ASSERT_TRUE(world_.apply("1.0.0").status);
  EXPECT_TRUE(world_.observer.warnings.empty()) << world_.observer.warnings[0];
  services_.unit(kUnit).kill_mode = "control-group";
  ASSERT_TRUE(world_.apply("1.1.0").status);
  ASSERT_EQ(world_.observer.warnings.size(), 1U) << "once, and not of the main process";
  EXPECT_NE(world_.observer.warnings[0].find("firecracker (process 77)"), std::string::npos)
      << world_.observer.warnings[0];
}

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
