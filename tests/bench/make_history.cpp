// Makes a journal with any number of finished updates, as the program itself would have written it
// but in seconds: the events go through the journal's own interface, thousands at a time.

#include <fcntl.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

#include "schema/journal.hpp"

namespace update {
namespace {

constexpr std::size_t kBatch = 6000;
constexpr std::int64_t kBegan = 1'764'000'000'000'000;  // a day in November 2025
constexpr std::int64_t kMinute = 60'000'000;

std::string version_of(std::int64_t id) {
  return "1." + std::to_string(id) + ".0";
}

std::string state_text(const Sha256Digest& digest, std::int64_t inode) {
  return R"({"sha256":")" + digest.hex() +
         R"(","size":31457280,"mode":493,"uid":0,"gid":0,"attributes":{},"identity":"65024:)" +
         std::to_string(inode) + R"(:31457280:1764000000000000000"})";
}

std::string file_text(const std::string& name, std::int64_t id) {
  const std::string tag = std::to_string(id) + "-0badcafe";
  return R"({"name":")" + name + R"(","destination":"/usr/local/bin/)" + name + R"(","old":)" +
         state_text(sha256_of(name + version_of(id - 1)), id) + R"(,"new":)" +
         state_text(sha256_of(name + version_of(id)), id + 1) +
         R"(,"unchanged":false,"staged":".)" + name + "." + tag + R"(.staged","backup":".)" + name +
         "." + tag + R"(.backup"})";
}

std::string begin_text(std::int64_t id) {
  std::string files;
  for (const char* name : {"banger", "bangerd", "banger-vsock-agent"}) {
    if (!files.empty()) files += ',';
    files += file_text(name, id);
  }
  return R"({"plan":{"kind":"apply","from_version":")" + version_of(id - 1) +
         R"(","to_version":")" + version_of(id) +
         R"(","target":null,"restart":true,"doctor":true,"reinstall":false,"backup_suffix":)"
         R"(".previous","notes":"","signed_by":"F664960325FC74BA","units":[],"files":[)" +
         files +
         R"(]},"actor":{"uid":0,"login":"alice","command":"banger-update apply release"},)"
         R"("boot_id":"6f1dd9a1-7a67-4a5c-8b5e-1f2d3c4b5a69"})";
}

void add_run(std::int64_t id, std::vector<NewEvent>& events) {
  const TransactionId transaction{id};
  std::int64_t at = kBegan + id * kMinute;
  events.push_back({transaction, std::nullopt, Phase::stage, at, begin_text(id)});
  constexpr std::array kSteps = {Phase::stage,   Phase::backup, Phase::swap,
                                 Phase::restart, Phase::doctor, Phase::committed};
  for (std::size_t i = 1; i < kSteps.size(); ++i) {
    at += 100'000;
    const bool last = kSteps[i] == Phase::committed;
    events.push_back(
        {transaction, kSteps[i - 1], kSteps[i], at, last ? R"({"verdict":"passed"})" : "{}"});
  }
}

Status fill(const std::string& path, std::int64_t transactions) {
  const int file = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return fail(ErrorCode::failed, path + " cannot be made: it must not exist yet");
  close(file);
  UPDATE_TRY(Journal::create({path, ""}));
  UPDATE_TRY_ASSIGN(Journal journal, Journal::open({path, ""}));
  std::vector<NewEvent> events;
  for (std::int64_t id = 1; id <= transactions; ++id) {
    add_run(id, events);
    if (events.size() < kBatch && id < transactions) continue;
    UPDATE_TRY_ASSIGN(const auto added, journal.append(events, Durability::visible));
    static_cast<void>(added);
    events.clear();
    UPDATE_TRY(journal.checkpoint());
  }
  return {};
}

}  // namespace
}  // namespace update

int main(int argc, char** argv) {
  const std::string_view count = argc == 3 ? argv[2] : "";
  std::int64_t transactions = 0;
  const auto parsed = std::from_chars(count.data(), count.data() + count.size(), transactions);
  if (count.empty() || parsed.ec != std::errc() || transactions < 1) {
    std::fputs("usage: update_make_history JOURNAL TRANSACTIONS\n", stderr);
    return 2;
  }
  if (const update::Status filled = update::fill(argv[1], transactions); !filled) {
    std::fprintf(stderr, "%s\n", filled.error().message().c_str());
    return 1;
  }
  return 0;
}
