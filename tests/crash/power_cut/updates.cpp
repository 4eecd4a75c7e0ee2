#include "tests/crash/power_cut/updates.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "tests/scenario/trace.hpp"

namespace update::crash {

using scenario::Arguments;
using scenario::Host;
using scenario::InstalledFile;
using scenario::Settings;

namespace {

Arguments apply_of_2(const Host& host) {
  return {"apply", host.release("2.0.0")};
}

void install_1(Host& host) {
  host.install("1.0.0");
}

/// An apply of 2.0.0 that strace kills before a rename of a destination.
Traced stopped_apply(const Host& host, std::size_t swapped) {
  const scenario::Scenario twin{[](Host& other) {
                                  make_quick(other);
                                  install_1(other);
                                },
                                apply_of_2};
  const auto swaps = scenario::swaps(scenario::record(twin));
  EXPECT_GT(swaps.size(), swapped);
  const scenario::Call& rename = swaps.at(swapped);
  return {host.command(apply_of_2(host)),
          rename.name + ":signal=KILL:when=" + std::to_string(rename.nth)};
}

}  // namespace

void make_quick(Host& host) {
  host.configure([](Settings& settings) {
    settings.restart_command = {"/bin/true"};
    settings.doctor_command = {"/bin/true"};
  });
}

Update an_apply() {
  Update update;
  update.name = "apply";
  update.prepare = install_1;
  update.command = apply_of_2;
  update.versions = {"1.0.0", "2.0.0"};
  update.reported = "2.0.0";
  update.kept = {"0.9.0", "1.0.0"};
  update.kept_without_journal = {"1.0.0"};
  update.in_restart = "1.0.0";
  return update;
}

Update an_apply_whose_doctor_fails() {
  Update update = an_apply();
  update.name = "apply, the doctor fails";
  update.prepare = [](Host& host) {
    host.install("1.0.0");
    host.configure([&](Settings& settings) {
      settings.doctor_command = {"/bin/grep", "-q", "alpha [13]", host.bin("alpha")};
    });
  };
  update.code = 3;
  update.reported = "1.0.0";
  return update;
}

Update a_rollback() {
  Update update = an_apply();
  update.name = "rollback";
  update.prepare = [](Host& host) {
    host.install("1.0.0");
    host.install("2.0.0");
  };
  update.command = [](const Host&) { return Arguments{"rollback"}; };
  update.reported = "1.0.0";
  update.kept = {"0.9.0", "1.0.0", "2.0.0"};
  update.in_restart = "";  // it goes forward: its new version is the one that is wanted back
  return update;
}

Update a_first_install() {
  Update update;
  update.name = "first install";
  update.prepare = [](Host& host) {
    for (const InstalledFile& file : host.settings().files) {
      std::filesystem::remove(file.destination);
    }
  };
  update.command = [](const Host& host) { return Arguments{"apply", host.release("1.0.0")}; };
  update.versions = {"absent", "1.0.0"};
  update.reported = "1.0.0";
  update.in_restart = "absent";
  return update;
}

Update a_recovery_of_a_stopped_swap() {
  Update update = an_apply();
  update.name = "recover, goes on";
  update.earlier = [](const Host& host) { return std::vector<Traced>{stopped_apply(host, 1)}; };
  update.command = [](const Host&) { return Arguments{"recover"}; };
  return update;
}

Update a_recovery_that_goes_back() {
  Update update = a_recovery_of_a_stopped_swap();
  update.name = "recover, goes back";
  update.command = [](const Host&) { return Arguments{"recover", "--policy", "rollback"}; };
  update.reported = "1.0.0";
  return update;
}

Update an_apply_that_checkpoints() {
  Update update = an_apply();
  update.name = "apply, with a checkpoint";
  update.prepare = [](Host& host) {
    // A log that the recorded run brings past 1 MiB (journal.md).
    for (const char* version : {"0.9.1", "0.9.2", "0.9.3", "1.0.0"}) host.install(version);
  };
  update.kept = {"0.9.3", "1.0.0"};
  return update;
}

Update an_apply_right_after_the_first() {
  Update update = an_apply();
  update.name = "apply, right after the first";
  update.prepare = [](Host&) {};
  update.earlier = [](const Host& host) {
    return std::vector<Traced>{{host.command({"apply", host.release("1.0.0")})}};
  };
  return update;
}

std::vector<Update> all_updates() {
  return {an_apply(),
          an_apply_whose_doctor_fails(),
          a_rollback(),
          a_first_install(),
          a_recovery_of_a_stopped_swap(),
          a_recovery_that_goes_back(),
          an_apply_that_checkpoints(),
          an_apply_right_after_the_first()};
}

HostsInMemory::HostsInMemory() {
  if (std::getenv("TMPDIR") == nullptr && access("/dev/shm", W_OK) == 0) {
    setenv("TMPDIR", "/dev/shm", 1);
  }
}

RecordedHost::RecordedHost(const Update& update) {
  make_quick(host_);
  update.prepare(host_);
  std::vector<Traced> programs;
  if (update.earlier) programs = update.earlier(host_);
  programs.push_back({host_.command(update.command(host_))});
  recording_ = record_operations(host_.path("."), {"bin", "state"}, programs);
  EXPECT_EQ(recording_.ended.code, update.code) << recording_.ended.out << recording_.ended.err;
  const std::string history = host_.run({"history", "export"}).out;
  const std::size_t last = history.rfind('\n', history.size() - 2);
  Json event = scenario::parse(history.substr(last == std::string::npos ? 0 : last + 1));
  last_hash_ = event["hash"].get<std::string>();
}

}  // namespace update::crash
