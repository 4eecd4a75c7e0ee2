#include "tests/crash/full_disk/disk_host.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

namespace update::crash {
namespace fs = std::filesystem;

using scenario::Ended;
using scenario::Host;
using scenario::InstalledFile;

namespace {

constexpr std::size_t kBallastBytes = std::size_t{2} << 20U;

std::string ballast_bytes(const std::string& version) {
  const std::string line = "ballast " + version + "\n";
  std::string bytes;
  bytes.reserve(kBallastBytes + line.size());
  while (bytes.size() < kBallastBytes) bytes += line;
  return bytes;
}

}  // namespace

void add_ballast(Host& host, const std::string& folder) {
  fs::create_directory(folder);
  host.configure([&](scenario::Settings& settings) {
    settings.more =
        "[[file]]\nname = 'ballast'\noptional = true\ndestination = '" + folder + "/ballast'\n";
  });
}

std::string full_release(const Host& host, const std::string& version) {
  return host.release_with(version, [&](Json& manifest) {
    const std::string bytes = ballast_bytes(version);
    scenario::write_file(host.path("releases/" + version + "/ballast"), bytes, 0755);
    manifest["files"].push_back({{"name", "ballast"},
                                 {"sha256", scenario::sha256_of(bytes)},
                                 {"size", bytes.size()},
                                 {"mode", "0755"}});
  });
}

void install(const Host& host, const std::string& version) {
  const Ended ended = host.run({"apply", full_release(host, version)});
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  ASSERT_EQ(host.installed(), version);
}

void hold_in(Host& host, const std::string& phase, const std::string& version) {
  host.hold_doctor(version);
  if (phase == "doctor") return;
  host.restart(scenario::read_file(host.path("hooks/doctor.body")));
  host.doctor("exit 0\n");
}

void crash_in_hook(Host& host, const std::string& phase) {
  install(host, "1.0.0");
  hold_in(host, phase, "2.0.0");
  scenario::Process update(host.command({"apply", full_release(host, "2.0.0")}));
  ASSERT_TRUE(host.doctor_waits());
  update.send(SIGKILL);
  EXPECT_EQ(update.wait().signal, SIGKILL);
  host.let_doctor_go();
  mend_hooks(host);
}

void mend_hooks(const Host& host) {
  host.restart("exit 0\n");
  host.doctor("exit 0\n");
}

DiskHost::DiskHost(const std::string& kind, OnDisk what, unsigned inodes)
    : disk_(kind, host_.path("disk"), inodes), big_(host_.path("big")) {
  if (!disk_.mounted()) return;
  const bool holds_files = what != OnDisk::state;
  if (holds_files) {
    // host_invariants looks at bin/; the destinations themselves are configured without the link,
    // so that each is where a person would have it.
    fs::create_directory(host_.path("disk/bin"));
    for (const InstalledFile& file : host_.settings().files) {
      scenario::write_file(host_.path("disk/bin/" + file.name),
                           scenario::program(file.name, "0.9.0"), 0755);
    }
    fs::remove_all(host_.path("bin"));
    fs::create_directory_symlink(host_.path("disk/bin"), host_.path("bin"));
    big_ = host_.path("disk/big");
  }
  host_.configure([&](scenario::Settings& settings) {
    if (what != OnDisk::destinations) {
      settings.state = host_.path("disk/state");
      settings.staging = host_.path("disk/staging");
    }
    for (InstalledFile& file : settings.files) {
      if (holds_files) file.destination = host_.path("disk/bin/" + file.name);
    }
  });
  crash::add_ballast(host_, big_);
}

void DiskHost::check_ballast(const std::vector<std::string>& versions, Findings& findings) const {
  const std::string bytes = scenario::read_file(ballast());
  const bool known = std::any_of(versions.begin(), versions.end(), [&](const std::string& version) {
    return bytes == ballast_bytes(version);
  });
  if (!known) {
    findings.push_back(ballast() + " holds " + std::to_string(bytes.size()) +
                       " bytes of no version: " + bytes.substr(0, 40));
  }
}

Findings DiskHost::each_file_whole(const std::vector<std::string>& versions) const {
  Findings findings = crash::each_file_whole(host_, versions);
  check_ballast(versions, findings);
  return findings;
}

Findings DiskHost::check_recovered(const std::vector<std::string>& versions) {
  Findings findings = crash::check_recovered(host_, versions);
  check_ballast({host_.installed()}, findings);
  for (const auto& entry : fs::directory_iterator(big_)) {
    const std::string name = entry.path().filename();
    if (name != "ballast" && name != "ballast.previous") findings.push_back("left behind: " + name);
  }
  return findings;
}

Findings DiskHost::recover_and_check(const std::vector<std::string>& versions) {
  const Ended recovered = host_.run({"recover"});
  Findings findings = check_recovered(versions);
  if (recovered.code != 0) {
    findings.push_back("recover ended with " + std::to_string(recovered.code) + ": " +
                       recovered.err);
  }
  return findings;
}

Findings DiskHost::check_usable(const std::string& version) {
  const Ended applied = host_.run({"apply", full_release(host_, version)});
  Findings findings = check_recovered({version});
  if (applied.code != 0) {
    findings.push_back("the next apply ended with " + std::to_string(applied.code) + ": " +
                       applied.err);
  }
  return findings;
}

std::string said(const Ended& ended) {
  return "code " + std::to_string(ended.code) + ", signal " + std::to_string(ended.signal) + ": " +
         ended.out + ended.err;
}

std::size_t enough_for(const std::string& kind) {
  // btrfs reserves the worst case of each call beforehand, some MiB for a rename with its 16 KiB
  // nodes, in metadata that has chunks of its own (btrfs(5)): less is as good as nothing there.
  return std::size_t{kind == "btrfs_metadata" ? 8U : 1U} << 20U;
}

Findings check_after_full(DiskHost& on, const Ended& ended, const Outcomes& expected) {
  Findings findings = on.each_file_whole({"1.0.0", "2.0.0"});
  const auto found = expected.find(ended.code);
  const bool works_when_full = type_of(on.disk().kind()) == "ext4";
  const bool may_refuse = !works_when_full && ended.code == 10;
  if (found == expected.end() && !may_refuse) findings.push_back(said(ended));
  const bool told = found != expected.end() && !found->second.empty();
  if (told && on.host().installed() != found->second) {
    findings.push_back(on.host().installed() + " after " + said(ended));
  }
  // An undo may tell the doctor's error alone; what was refused or stopped names the disk.
  const bool names = scenario::contains(ended.err, on.disk().path());
  if ((ended.code == 8 || ended.code == 10) && !names) {
    findings.push_back("does not name the disk: " + said(ended));
  }
  // Where not even a name can be removed, what a commit leaves waits for space too.
  const bool stuck = on.disk().kind() == "btrfs_metadata";
  if (stuck || (!works_when_full && (ended.code == 10 || ended.code == -1))) {
    on.disk().give_back(enough_for(on.disk().kind()));
  }
  const Findings after = on.recover_and_check({"1.0.0", "2.0.0"});
  findings.insert(findings.end(), after.begin(), after.end());
  on.disk().give_all_back();
  const Findings useless = on.check_usable("3.0.0");
  findings.insert(findings.end(), useless.begin(), useless.end());
  return findings;
}

std::string reason_against(const std::string& kind) {
  const std::string type = type_of(kind);
  if (geteuid() != 0) return "needs root";
  if (!scenario::has_tool("mkfs." + type)) return "needs mkfs." + type + ", not installed";
  const DiskHost probe(kind, OnDisk::everything);
  return probe.host().installed() == "0.9.0" && scenario::present(probe.host().path("disk/filler"))
             ? ""
             : "no loop-mounted " + type + " here";
}

}  // namespace update::crash
