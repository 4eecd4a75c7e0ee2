#include "tests/scenario/host.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>

namespace update::scenario {
namespace fs = std::filesystem;
namespace {

std::string array_of(const Arguments& words) {
  std::string text = "[";
  for (const std::string& word : words) {
    text += (text.size() > 1 ? ", " : "") + std::string("'") + word + "'";
  }
  return text + "]";
}

// Version V of program NAME, from "#!/bin/sh\necho NAME V\n"; empty for foreign bytes.
std::string version_in(const std::string& bytes, const std::string& name) {
  std::string version = after_marker(bytes, "echo " + name + " ");
  version = version.substr(0, version.find('\n'));
  return bytes == program(name, version) ? version : "";
}

}  // namespace

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes;
  // In blocks: a test may read whole programs, many times.
  std::array<char, 65536> block{};
  while (file.read(block.data(), block.size()), file.gcount() > 0) {
    bytes.append(block.data(), static_cast<std::size_t>(file.gcount()));
  }
  return bytes;
}

void write_file(const fs::path& path, std::string_view bytes, mode_t mode) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
  chmod(path.c_str(), mode);
}

bool present(const fs::path& path) {
  return fs::exists(fs::symlink_status(path));
}

bool has_tool(const std::string& name) {
  return run_process({"sh", "-c", "PATH=$PATH:/usr/sbin:/sbin command -v " + name}).code == 0;
}

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest.data());
  std::string text;
  for (const unsigned char byte : digest) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string after_marker(std::string_view text, std::string_view marker) {
  const std::size_t at = text.find(marker);
  return at == std::string_view::npos ? "" : std::string(text.substr(at + marker.size()));
}

std::string to_toml(const Settings& settings) {
  std::ostringstream text;
  text << "product = '" << settings.product << "'\n[paths]\nstate = '" << settings.state
       << "'\nstaging = '" << settings.staging << "'\nbackup_suffix = '" << settings.backup_suffix
       << "'\n";
  for (const InstalledFile& file : settings.files) {
    text << "[[file]]\nname = '" << file.name << "'\ndestination = '" << file.destination << "'\n"
         << file.more << "\n";
  }
  text << "[restart]\nunits = []\ncommand = " << array_of(settings.restart_command)
       << "\ntimeout = '20s'\n[doctor]\ncommand = " << array_of(settings.doctor_command)
       << "\ntimeout = '" << settings.doctor_timeout << "'\nattempts = " << settings.attempts
       << "\npasses = " << settings.passes << "\ninterval = '" << settings.interval
       << "'\nsoak = '0s'\nbaseline = '" << settings.baseline
       << "'\n[trust]\nrequire_signature = " << std::boolalpha << settings.require_signature
       << "\nkeys = " << array_of(settings.keys)
       << "\nallow_downgrade = " << settings.allow_downgrade << "\n[recovery]\npolicy = '"
       << settings.policy << "'\n[retention]\ngenerations = " << settings.generations << "\n"
       << settings.more << "\n";
  return text.str();
}

std::string program(const std::string& name, const std::string& version) {
  return "#!/bin/sh\necho " + name + " " + version + "\n";
}

Host::Host() {
  umask(022);
  const char* base = std::getenv("TMPDIR");
  root_ = std::string(base != nullptr ? base : "/tmp") + "/banger-scenario-XXXXXX";
  if (mkdtemp(root_.data()) == nullptr) {
    ADD_FAILURE() << "no temporary folder " << root_;
    std::abort();
  }
  chmod(root_.c_str(), 0755);
  for (const char* folder : {"bin", "keys", "hooks", "releases"}) {
    fs::create_directory(path(folder));
  }
  for (const char* name : {"alpha", "beta", "gamma"}) {
    write_file(bin(name), program(name, "0.9.0"), 0755);
    settings_.files.push_back({name, bin(name)});
  }
  settings_.state = path("state");
  settings_.staging = path("staging");
  settings_.keys = {path("keys")};
  for (const char* hook : {"restart", "doctor"}) {
    write_hook(hook);
  }
  settings_.restart_command = {path("hooks/restart")};
  settings_.doctor_command = {path("hooks/doctor")};
  configure([](Settings&) {});
}

Host::~Host() {
  close(ready_);
  close(go_);
  for (auto mount = mounts_.rbegin(); mount != mounts_.rend(); ++mount) {
    run_process({"umount", "-l", *mount});
  }
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

void Host::write_hook(const std::string& name) const {
  const std::string hook = path("hooks/" + name);
  write_file(hook + ".body", "exit 0\n");
  write_file(hook,
             "#!/bin/sh\nhooks='" + path("hooks") + "'\nbin='" + path("bin") +
                 "'\ninstalled=$(sed -n 's/^echo alpha //p' \"$bin/alpha\")\n"
                 "echo \"$BANGER_UPDATE_PHASE $BANGER_UPDATE_FROM $BANGER_UPDATE_TO\" >>'" +
                 hook + ".log'\n. '" + hook + ".body'\n",
             0755);
}

void Host::configure(const std::function<void(Settings&)>& change) {
  change(settings_);
  write_file(path("update.toml"), to_toml(settings_));
}

Arguments Host::command(const Arguments& arguments) const {
  Arguments words = {program_, "--config", path("update.toml")};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return words;
}

Ended Host::run(const Arguments& arguments, const Launch& launch) const {
  return run_process(command(arguments), launch);
}

Json Host::json(const Arguments& arguments, int code) const {
  Arguments words = {"--output", "json"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  const Ended ended = run(words);
  EXPECT_EQ(ended.code, code) << ended.out << ended.err;
  return ended.json();
}

void Host::install(const std::string& version) const {
  const Ended ended = run({"apply", release(version)});
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  ASSERT_EQ(installed(), version);
}

std::string Host::release(const std::string& version) const {
  const std::string folder = path("releases/" + version);
  Json manifest = {{"format", 1},
                   {"product", settings_.product},
                   {"version", version},
                   {"created", "2026-11-24T09:00:00Z"},
                   {"expires", nullptr},
                   {"minimum_version", nullptr},
                   {"notes", "notes of " + version},
                   {"files", Json::array()}};
  for (const InstalledFile& file : settings_.files) {
    const std::string bytes = program(file.name, version);
    write_file(folder + "/" + file.name, bytes, 0755);
    manifest["files"].push_back({{"name", file.name},
                                 {"sha256", sha256_of(bytes)},
                                 {"size", bytes.size()},
                                 {"mode", "0755"}});
  }
  write_manifest(folder, manifest);
  return folder;
}

Json Host::manifest(const std::string& folder) {
  return parse(read_file(folder + "/release.json"));
}

void Host::write_manifest(const std::string& folder, const Json& manifest) {
  write_file(folder + "/release.json", to_text(manifest));
}

std::string Host::release_with(const std::string& version,
                               const std::function<void(Json&)>& change) const {
  const std::string folder = release(version);
  Json changed = manifest(folder);
  change(changed);
  write_manifest(folder, changed);
  return folder;
}

std::string Host::installed() const {
  std::string all;
  bool same = true;
  std::string first;
  for (const InstalledFile& file : settings_.files) {
    const std::string version =
        present(file.destination) ? version_in(read_file(file.destination), file.name) : "missing";
    first = all.empty() ? version : first;
    same = same && version == first && !version.empty();
    all += file.name + "=" + (version.empty() ? "foreign" : version) + " ";
  }
  return same ? first : all;
}

std::vector<std::string> Host::leftovers() const {
  std::set<std::string> known = {"alpha", "beta", "gamma", "lost+found"};
  for (const InstalledFile& file : settings_.files) {
    known.insert(fs::path(file.destination).filename());
  }
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(path("bin"))) {
    const std::string name = entry.path().filename();
    const bool previous = entry.path().extension() == ".previous" &&
                          known.contains(entry.path().stem()) && name != "lost+found.previous";
    if (!known.contains(name) && !previous) {
      names.push_back(name);
    }
  }
  return names;
}

std::map<std::string, std::string> Host::snapshot(const std::string& folder) const {
  std::map<std::string, std::string> prints;
  for (const auto& entry : fs::recursive_directory_iterator(path(folder))) {
    struct stat status {};
    lstat(entry.path().c_str(), &status);
    std::ostringstream text;
    text << status.st_ino << " " << std::oct << status.st_mode << std::dec << " " << status.st_uid
         << " " << status.st_size << " " << status.st_mtim.tv_sec << "." << status.st_mtim.tv_nsec;
    if (S_ISREG(status.st_mode)) {
      text << " " << sha256_of(read_file(entry.path()));
    }
    prints[entry.path()] = text.str();
  }
  return prints;
}

std::vector<std::string> Host::hook_log(const std::string& hook) const {
  std::vector<std::string> lines;
  std::ifstream log(path("hooks/" + hook + ".log"));
  for (std::string line; std::getline(log, line);) {
    lines.push_back(line);
  }
  return lines;
}

void Host::hold_doctor(const std::string& version) {
  const std::string ready = path("hooks/ready");
  const std::string go = path("hooks/go");
  mkfifo(ready.c_str(), 0600);
  mkfifo(go.c_str(), 0600);
  // Opened for both directions, so that neither side can hang on a partner that has died.
  ready_ = open(ready.c_str(), O_RDWR | O_CLOEXEC);
  go_ = open(go.c_str(), O_RDWR | O_CLOEXEC);
  doctor("test \"$installed\" = " + version +
         " || exit 0\necho waits >$hooks/ready\nread verdict <$hooks/go\nexit $verdict\n");
}

bool Host::doctor_waits() const {
  pollfd ready{ready_, POLLIN, 0};
  if (poll(&ready, 1, 20000) != 1) {
    ADD_FAILURE() << "the doctor did not begin";
    return false;
  }
  std::array<char, 16> text{};
  return read(ready_, text.data(), text.size()) > 0;
}

void Host::let_doctor_go(const std::string& verdict) const {
  const std::string line = verdict + "\n";
  EXPECT_EQ(write(go_, line.data(), line.size()), static_cast<ssize_t>(line.size()));
}

bool Host::mount_small(const std::string& relative, const std::string& size) {
  const std::string image = path(relative + ".image");
  fs::create_directories(path(relative));
  const Ended made =
      run_process({"sh", "-c",
                   "export PATH=$PATH:/usr/sbin:/sbin; truncate -s " + size + " '" + image +
                       "' && mkfs.ext4 -q -m 0 '" + image + "' && mount -o loop '" + image + "' '" +
                       path(relative) + "'"});
  if (made.code == 0) {
    mounts_.push_back(path(relative));
  }
  return made.code == 0;
}

bool Host::bind_read_only(const std::string& relative) {
  const std::string folder = path(relative);
  if (run_process({"mount", "--bind", folder, folder}).code != 0) {
    return false;
  }
  mounts_.push_back(folder);
  return run_process({"mount", "-o", "remount,bind,ro", folder}).code == 0;
}

Json parse(std::string_view text) {
  auto parsed = parse_json(text, JsonLimits{std::size_t{1} << 26U, 64});
  if (!parsed) {
    ADD_FAILURE() << "not JSON: " << text;
    return nullptr;
  }
  return *parsed;
}

std::string id_of(const Json& transaction) {
  return transaction.contains("id") ? transaction["id"].dump() : "none";
}

}  // namespace update::scenario
