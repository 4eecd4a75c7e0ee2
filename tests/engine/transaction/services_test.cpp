// Units through an update: what ran before is what runs after, the new code is seen to run.
#include <gtest/gtest.h>

#include <csignal>

#include "tests/engine/transaction/service_fixture.hpp"

namespace update {
namespace {

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

TEST_F(NewCode, IsAskedForAtMostTenTimesASecondWhileItSoaks) {
  world_.env.config.doctor.interval_ms = 0;
  std::size_t asked = 0;
  world_.fake.processes.on("/usr/bin/doctor", [&](const os::Command&) {
    ++asked;
    return os::ProcessResult{};
  });
  ASSERT_TRUE(world_.apply("1.0.0").status);
  EXPECT_GE(asked, 10U) << "a second of soak";
  EXPECT_LE(asked, 13U) << "and the baseline before it";
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

}  // namespace
}  // namespace update
