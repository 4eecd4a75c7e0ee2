#pragma once

#include <gtest/gtest.h>

#include "tests/fixture/world.hpp"

namespace update {

inline constexpr const char* kUnit = "demo.service";
inline constexpr std::int64_t kFirstPid = 1000;  // of FakeServiceManager

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

}  // namespace update
