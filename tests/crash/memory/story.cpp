#include "tests/crash/memory/story.hpp"

#include <stdexcept>

#include "schema/journal.hpp"

namespace update::crash {
namespace {

constexpr const char* kBefore = "0.9.0";
constexpr const char* kOld = "1.0.0";
constexpr const char* kNew = "1.1.0";

Told told_by(const UpdateReport& report) {
  if (report.status) return Told::committed;
  return report.status.error().code() == ErrorCode::undone ? Told::rolled_back : Told::nothing;
}

/// The clock of files stands still from here on: equal histories then give equal disks, and no
/// identity is saved by a time stamp that a coarse clock would not have given it.
FakeDisk settled(World& world) {
  FakeDisk disk = world.fake.files.disk();
  disk.lose(LossPattern::keep_all());
  disk.tick_step_ns = 0;
  return disk;
}

void install(World& world, const std::string& version) {
  const UpdateReport report = world.apply(version);
  if (!report.status) throw std::logic_error(report.status.error().message());
}

/// The journal's file holds all of it, and the WAL is as short as it can be.
void checkpoint(World& world) {
  auto journal = Journal::open({std::string(World::kState) + "/journal.db", world.vfs.name()});
  if (!journal || !journal->checkpoint()) throw std::logic_error("no checkpoint");
}

/// 1.0.0 was installed over 0.9.0, which nobody but the host knew; 1.1.0 lies ready.
FakeDisk updated_once() {
  World world;
  world.preinstall(kBefore);
  install(world, kOld);
  world.make_release(kNew);
  checkpoint(world);
  return settled(world);
}

FakeDisk updated_twice() {
  World world;
  world.preinstall(kBefore);
  install(world, kOld);
  install(world, kNew);
  checkpoint(world);
  return settled(world);
}

FakeDisk never_updated(const std::string& version) {
  World world;
  if (!version.empty()) world.preinstall(version);
  world.make_release(kNew);
  return settled(world);
}

std::map<std::string, std::string> all_of(const std::string& version) {
  std::map<std::string, std::string> bytes;
  for (const std::string& name : World::names()) bytes[name] = World::bytes_of(name, version);
  return bytes;
}

Told apply_new(World& world) {
  return told_by(world.apply(kNew));
}

Told roll_back(World& world) {
  return told_by(world.roll_back());
}

}  // namespace

std::vector<Story> stories() {
  const FakeDisk once = updated_once();
  std::vector<Story> all;
  all.push_back({"Apply", once, kOld, kNew, true, all_of(kBefore), apply_new});
  all.push_back({"UndoneApply", once, kOld, kNew, false, all_of(kBefore), apply_new});
  all.push_back({"Rollback", updated_twice(), kNew, kOld, true, all_of(kOld), roll_back});
  all.push_back({"FirstUpdate", never_updated(kBefore), kBefore, kNew, true, {}, apply_new});
  all.push_back({"FirstInstall", never_updated({}), "none", kNew, true, {}, apply_new});
  all.push_back({"UndoneFirstInstall", never_updated({}), "none", kNew, false, {}, apply_new});
  return all;
}

const Story& story(const std::string& name) {
  static const std::vector<Story> kStories = stories();
  for (const Story& each : kStories) {
    if (each.name == name) return each;
  }
  throw std::logic_error("no story " + name);
}

void set_programs(World& world, const Story& story, const std::function<void()>& on_start) {
  const auto answer = [&world, &story, on_start](bool judges) {
    return [&world, &story, on_start, judges](const os::Command&) -> Result<os::ProcessResult> {
      if (on_start) on_start();
      const bool bad = judges && !story.doctor_passes && world.version() == story.new_version;
      os::ProcessResult result;
      result.status = bad ? 1 : 0;
      return result;
    };
  };
  world.fake.processes.on("/usr/bin/doctor", answer(true));
  world.fake.processes.on("/usr/bin/restart", answer(false));
}

std::unique_ptr<World> wake(const HostState& state, const Story& story, const Tamper& tamper) {
  auto world = std::make_unique<World>(state.disk);
  FakeHost& host = world->fake.host;
  for (int boot = 1; boot < state.boot; ++boot) host.reboot();
  if (state.killed) {
    host.end_process(host.pid());
    host.set_pid(host.pid() + 1);
    host.add_process(host.pid(), 6000);
  }
  set_programs(*world, story);
  if (tamper) tamper(*world);
  return world;
}

}  // namespace update::crash
