#include "tests/systemd/service_host.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <set>
#include <sstream>

namespace update::systemd {
namespace fs = std::filesystem;
namespace {

using scenario::read_file;
using scenario::write_file;

constexpr const char* kPrograms = "/opt/demo/bin/";
constexpr const char* kConfiguration = "/etc/banger/update.toml";

std::string array_of(const std::vector<std::string>& words) {
  std::string text = "[";
  for (const std::string& word : words) text += "'" + word + "', ";
  return text + "]";
}

std::string to_toml(const ServiceSettings& settings) {
  std::ostringstream text;
  text << "product = 'demo'\n[paths]\nstate = '/var/lib/banger/update'\n"
          "staging = '/var/cache/banger/updates'\n";
  for (const auto& [name, destination] : settings.files) {
    text << "[[file]]\nname = '" << name << "'\ndestination = '" << destination << "'\n";
  }
  text << "[restart]\nunits = " << array_of(settings.units) << "\ntimeout = '" << settings.timeout
       << "'\n";
  if (!settings.keep_processes.empty()) {
    text << "keep_processes = " << array_of(settings.keep_processes) << "\n";
  }
  text << "[doctor]\ncommand = " << array_of(settings.doctor) << "\ntimeout = '"
       << settings.doctor_timeout << "'\nattempts = " << settings.attempts
       << "\npasses = " << settings.passes << "\ninterval = '" << settings.interval << "'\nsoak = '"
       << settings.soak << "'\nbaseline = '" << settings.baseline
       << "'\n[trust]\nrequire_signature = false\n[recovery]\npolicy = '" << settings.policy
       << "'\n";
  return text.str();
}

// "1.0.0" of a file that program() made; empty for others.
std::string version_in(const std::string& bytes) {
  const std::size_t mark = bytes.rfind("\n#");
  if (mark == std::string::npos) return "";
  const std::string line = bytes.substr(mark + 2);
  return line.substr(0, line.find(' '));
}

}  // namespace

ServiceHost::ServiceHost() : daemon_(read_file(BOX_DAEMON_PROGRAM)) {
  fs::copy_file(BANGER_UPDATE_PROGRAM, box_.outside("/usr/bin/banger-update"));
  for (const char* name : {"alpha", "beta"}) {
    const std::string destination = kPrograms + std::string(name);
    settings_.files.emplace_back(name, destination);
    settings_.units.push_back(std::string(name) + ".service");
    write_file(box_.outside(destination), program("1.0.0"), 0755);
  }
  doctor("exit 0");
  configure([](ServiceSettings&) {});
}

void ServiceHost::configure(const std::function<void(ServiceSettings&)>& change) {
  change(settings_);
  write_file(box_.outside(kConfiguration), to_toml(settings_));
}

void ServiceHost::install_boot_units() const {
  const auto install = [&](const std::string& name, const std::string& folder, mode_t mode) {
    std::string text = read_file(PACKAGING_FOLDER "/systemd/" + name + ".in");
    EXPECT_FALSE(text.empty()) << "packaging/systemd/" << name << ".in is not there";
    constexpr std::string_view kPrefix = "@CMAKE_INSTALL_FULL_BINDIR@";
    for (std::size_t at = 0; (at = text.find(kPrefix)) != std::string::npos;) {
      text.replace(at, kPrefix.size(), "/usr/bin");
    }
    write_file(box_.outside(folder + "/" + name), text, mode);
  };
  install("banger-update-generator", "/usr/lib/systemd/system-generators", 0755);
  for (const char* name : {"banger-update-recover.service", "banger-update-verify.service"}) {
    install(name, "/usr/lib/systemd/system", 0644);
    box_.enable(name);
  }
}

bool ServiceHost::start() {
  if (!box_.boot()) return false;
  const Ended ended = run({"apply", "--no-restart", "--no-doctor", release("1.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  return ended.code == 0;
}

void ServiceHost::daemon(const std::string& name, const std::string& service,
                         const std::string& options) const {
  const std::string unit = name + ".service";
  box_.unit(unit, "[Service]\n" + service + (service.ends_with('\n') ? "" : "\n") +
                      "ExecStart=/opt/demo/bin/" + name + " " + options +
                      "\n[Install]\nWantedBy=multi-user.target\n");
  box_.enable(unit);
}

void ServiceHost::doctor(const std::string& body) const {
  write_file(box_.outside("/opt/demo/doctor"), "#!/bin/sh\n" + body + "\n", 0755);
}

void ServiceHost::hold_doctor(const std::string& version) const {
  doctor("test \"$(tail -n 1 /opt/demo/bin/alpha)\" = '#" + version +
         " sound' || exit 0\ntest -e /run/go && exit 0\ntouch /run/waits\n"
         "until test -e /run/go; do sleep 0.02; done");
}

bool ServiceHost::doctor_waits() const {
  const bool waits =
      scenario::eventually([&] { return scenario::present(box_.inside("/run/waits")); });
  EXPECT_TRUE(waits) << "the doctor did not begin";
  return waits;
}

void ServiceHost::let_doctor_go() const {
  write_file(box_.inside("/run/go"), "");
}

std::string ServiceHost::program(const std::string& version, const std::string& behaviour) const {
  return daemon_ + "\n#" + version + " " + behaviour + "\n";
}

std::string ServiceHost::release(const std::string& version,
                                 const std::map<std::string, std::string>& behaviour) const {
  return release_with(version, {}, behaviour);
}

std::string ServiceHost::release_with(const std::string& version,
                                      const std::map<std::string, std::string>& bytes,
                                      const std::map<std::string, std::string>& behaviour) const {
  const std::string folder = "/var/tmp/releases/" + version;
  Json manifest = {{"format", 1},        {"product", "demo"},
                   {"version", version}, {"created", "2026-11-24T09:00:00Z"},
                   {"expires", nullptr}, {"minimum_version", nullptr},
                   {"notes", ""},        {"files", Json::array()}};
  for (const auto& [name, destination] : settings_.files) {
    const bool program_file = destination.starts_with(kPrograms);
    const auto behaves = behaviour.find(name);
    const auto given = bytes.find(name);
    std::string content;
    if (given != bytes.end()) {
      content = given->second;
    } else if (program_file) {
      content = program(version, behaves == behaviour.end() ? "sound" : behaves->second);
    } else {
      content = read_file(box_.outside(destination));
    }
    write_file(box_.outside(folder + "/" + name), content, 0755);
    manifest["files"].push_back({{"name", name},
                                 {"sha256", scenario::sha256_of(content)},
                                 {"size", content.size()},
                                 {"mode", program_file ? "0755" : "0644"}});
  }
  write_file(box_.outside(folder + "/release.json"), to_text(manifest));
  return folder;
}

Arguments ServiceHost::command(const Arguments& arguments) const {
  Arguments words = {"/usr/bin/banger-update"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

Json ServiceHost::json(const Arguments& arguments, int code) const {
  Arguments words = {"--output", "json"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const Ended ended = run(words);
  EXPECT_EQ(ended.code, code) << ended.out << ended.err;
  return ended.json();
}

void ServiceHost::install(const std::string& version) const {
  const Ended ended = run({"apply", release(version)});
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  ASSERT_EQ(installed(), version);
}

std::string ServiceHost::installed() const {
  std::string all;
  std::string first;
  bool same = true;
  for (const auto& [name, destination] : settings_.files) {
    if (!destination.starts_with(kPrograms)) continue;
    const std::string version = version_in(read_file(box_.outside(destination)));
    if (all.empty()) first = version;
    same = same && !version.empty() && version == first;
    all += name + "=" + version + " ";
  }
  return same ? first : all;
}

std::string ServiceHost::running(const std::string& unit) const {
  const std::string text =
      box_.shell("pid=$(systemctl show --value -p MainPID " + unit +
                 "); test $pid -gt 0 || { echo none; exit 0; }; readlink /proc/$pid/exe; "
                 "tail -n 1 /proc/$pid/exe | tr -cd '[:print:]'");
  const std::size_t line = text.find('\n');
  if (line == std::string::npos) return text;
  const std::string path = text.substr(0, line);
  for (const auto& [name, destination] : settings_.files) {
    if (path == destination) return version_in(text.substr(line));
  }
  return path;
}

std::vector<std::string> ServiceHost::leftovers() const {
  std::set<fs::path> folders;
  for (const auto& [name, destination] : settings_.files) {
    folders.insert(fs::path(destination).parent_path());
  }
  std::vector<std::string> names;
  for (const fs::path& folder : folders) {
    for (const auto& entry : fs::directory_iterator(box_.outside(folder))) {
      // ".NAME.ID-RANDOM.staged" and its like.
      const std::string found = entry.path().filename();
      if (found.starts_with('.')) names.push_back((folder / found).string());
    }
  }
  if (!box_.running()) return names;
  std::istringstream units(
      box_.output({"systemctl", "list-units", "--all", "--plain", "--no-legend",
                   "banger-update-[0-9]*", "banger-update-expired-*"}));
  for (std::string line; std::getline(units, line);) names.push_back(line);
  return names;
}

std::string ServiceHost::outcome() const {
  Json history = json({"history", "-n", "1"});
  return history.is_array() && !history.empty() ? history[0]["outcome"].get<std::string>() : "none";
}

std::string ServiceHost::updater() const {
  return box_.shell(
      "for pid in $(pgrep -x banger-update); do "
      "ls -l /proc/$pid/fd 2>/dev/null | grep -q /var/lib/banger/update/lock && echo $pid; done; "
      "true");
}

::testing::AssertionResult ServiceHost::at_rest(const std::string& version,
                                                const std::vector<std::string>& units) const {
  std::ostringstream wrong;
  if (installed() != version) wrong << "installed: " << installed() << "\n";
  for (const std::string& unit : units) {
    if (box_.state(unit) != "active") wrong << unit << " is " << box_.state(unit) << "\n";
    if (running(unit) != version) wrong << unit << " runs " << running(unit) << "\n";
  }
  const Ended status = run({"--output", "json", "status"});
  if (status.code != 0) {
    wrong << "status ends with " << status.code << ": " << status.out << status.err;
  } else {
    Json document = status.json();
    if (document["installed_version"] != version) wrong << "status: " << status.out;
  }
  const Ended chain = run({"history", "verify"});
  if (chain.code != 0) wrong << "history verify: " << chain.out << chain.err;
  for (const std::string& name : leftovers()) wrong << "left over: " << name << "\n";
  if (wrong.str().empty()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "not at rest with " << version << ":\n" << wrong.str();
}

}  // namespace update::systemd
