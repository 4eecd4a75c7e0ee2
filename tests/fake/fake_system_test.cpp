#include "tests/fake/fake_system.hpp"

#include "tests/fake/fake_test.hpp"

namespace update {
namespace {

using Signal = os::StopRequest::Signal;

TEST(FakeProcessRunnerTest, runs_the_script_of_the_program_and_records_the_command) {
  FakeProcessRunner processes;
  processes.on("/bin/doctor", FakeProcessRunner::exits(3, "sick"));
  const auto result = processes.run({.argv = {"/bin/doctor", "--quick"}, .environment = {}});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->status, 3);
  EXPECT_FALSE(result->passed());
  EXPECT_EQ(result->output, "sick");
  EXPECT_EQ(result->output_bytes, 4U);
  EXPECT_EQ(processes.lines(), std::vector<std::string>{"/bin/doctor --quick"});
}

TEST(FakeProcessRunnerTest, a_program_without_a_script_cannot_be_started) {
  FakeProcessRunner processes;
  const os::Command command{.argv = {"/bin/absent"}, .environment = {}};
  EXPECT_EQ(errno_of(processes.run(command)), ENOENT);
  processes.on_any(FakeProcessRunner::exits(0));
  EXPECT_TRUE(processes.run(command).value().passed());
  EXPECT_EQ(processes.commands().size(), 2U);
}

TEST(FakeServiceManagerTest, a_restart_gives_a_new_main_process) {
  FakeServiceManager services;
  const std::int64_t old_pid = services.add("a.service").main_pid;
  ASSERT_TRUE(services.restart("a.service", 1000));
  const os::UnitState state = services.state("a.service").value();
  EXPECT_TRUE(state.active);
  EXPECT_NE(state.main_pid, old_pid);
  EXPECT_EQ(services.restarts(), std::vector<std::string>{"a.service"});
}

TEST(FakeServiceManagerTest, unknown_masked_and_failing_units_do_not_restart) {
  FakeServiceManager services;
  EXPECT_FALSE(services.state("absent.service").value().found);
  EXPECT_FALSE(services.restart("absent.service", 0));
  services.add("masked.service").masked = true;
  EXPECT_FALSE(services.restart("masked.service", 0));
  services.add("bad.service").active = false;
  services.fail_restart("bad.service", Error(ErrorCode::failed, "no"));
  services.fail_state("bad.service", Error(ErrorCode::failed, "no bus"));
  EXPECT_FALSE(services.restart("bad.service", 0));
  EXPECT_FALSE(services.state("bad.service"));
  services.heal();
  EXPECT_FALSE(services.state("bad.service").value().active);
  services.on_restart([](const std::string&) -> Status { return fail(ErrorCode::failed, "hook"); });
  EXPECT_FALSE(services.restart("bad.service", 0));
  EXPECT_EQ(services.restarts().size(), 4U);
}

TEST(FakeClockTest, a_wait_moves_both_clocks_and_a_signal_ends_it) {
  FakeStop stop;
  FakeClock clock(stop);
  const std::int64_t wall_us = clock.wall_us();
  const std::int64_t start_ms = clock.monotonic_ms();
  EXPECT_TRUE(clock.wait_ms(250));
  EXPECT_EQ(clock.monotonic_ms() - start_ms, 250);
  EXPECT_EQ(clock.wall_us() - wall_us, 250'000);
  clock.step_wall_us(-3'600'000'000);
  EXPECT_EQ(clock.monotonic_ms() - start_ms, 250);
  clock.on_wait([&](std::int64_t) { stop.send(Signal::terminate); });
  EXPECT_FALSE(clock.wait_ms(1000));
  EXPECT_EQ(clock.monotonic_ms() - start_ms, 250);
  stop.hold();
  EXPECT_TRUE(clock.wait_ms(1000)) << "held signals cut no wait short";
  EXPECT_EQ(clock.waits_ms(), (std::vector<std::int64_t>{250, 1000, 1000}));
}

TEST(FakeStopTest, a_signal_stays_until_it_is_held) {
  FakeStop stop;
  EXPECT_EQ(stop.pending(), Signal::none);
  stop.send(Signal::interrupt);
  EXPECT_EQ(stop.pending(), Signal::interrupt);
  EXPECT_EQ(stop.pending(), Signal::interrupt);
  stop.hold();
  EXPECT_EQ(stop.pending(), Signal::none);
}

TEST(FakeHostTest, a_reboot_changes_the_boot_id_and_ends_all_processes) {
  FakeHost host;
  host.add_process(77, 1234);
  EXPECT_EQ(host.process_start(77), 1234U);
  EXPECT_TRUE(host.process_start(host.pid()));
  const std::string boot_id = host.boot_id();
  const std::int64_t pid = host.pid();
  host.reboot();
  EXPECT_NE(host.boot_id(), boot_id);
  EXPECT_EQ(host.boot_id().size(), boot_id.size());
  EXPECT_FALSE(host.process_start(77));
  EXPECT_FALSE(host.process_start(pid));
  EXPECT_TRUE(host.process_start(host.pid()));
}

TEST(FakeHostTest, random_numbers_are_known_and_never_repeat) {
  FakeHost host;
  host.set_random(0xabcdef01);
  EXPECT_EQ(host.random_u32(), 0xabcdef01U);
  EXPECT_EQ(host.random_u32(), 0xabcdef02U);
}

TEST(FakeSystemTest, is_one_machine_that_loses_power_as_a_whole) {
  FakeSystem machine;
  machine.files.make_folder("/d");
  const std::string boot_id = machine.host.boot_id();
  machine.stop.send(Signal::interrupt);
  auto folder = machine.system.files.open_folder("/d").value();
  ASSERT_TRUE(folder->create_file("f", 0600));
  machine.reboot(LossPattern::keep_nothing());
  EXPECT_FALSE(machine.files.exists("/d/f"));
  EXPECT_NE(machine.system.host.boot_id(), boot_id);
  EXPECT_EQ(machine.system.stop.pending(), Signal::none);
}

}  // namespace
}  // namespace update
