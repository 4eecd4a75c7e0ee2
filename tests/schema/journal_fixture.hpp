#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

#include "schema/journal.hpp"

// Makes journals for tests: a folder of its own, an empty journal in it, and the events of whole
// runs.
namespace update::test {

/// A temporary folder, by the path that has no symbolic link in it, since the journal refuses
/// those.
class JournalFolder {
 public:
  JournalFolder() {
    const std::filesystem::path base = std::filesystem::temp_directory_path();
    std::string pattern = (base / "update-journal-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      ADD_FAILURE() << "mkdtemp " << pattern;
      return;
    }
    path_ = std::filesystem::canonical(pattern).string();
  }
  JournalFolder(const JournalFolder&) = delete;
  JournalFolder& operator=(const JournalFolder&) = delete;
  ~JournalFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string journal() const { return path_ + "/journal.db"; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  /// All names in the folder, sorted.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

 private:
  std::string path_;
};

inline void make_empty_file(const std::string& path) {
  const int fd = open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
  ASSERT_GE(fd, 0) << path;
  close(fd);
}

/// What a caller of Journal::create does, without the syncs and the rename.
inline void create_journal(const std::string& path, std::int64_t first_seq = 1,
                           const std::vector<NewEvent>& first = {}) {
  ASSERT_NO_FATAL_FAILURE(make_empty_file(path));
  const Status created = Journal::create({path, ""}, first_seq, first);
  ASSERT_TRUE(created) << created.error().message();
}

/// The value of a Result that must have one; the test ends here if it has none.
template <class T>
T value_of(Result<T> result) {
  if (!result) throw std::runtime_error("unexpected error: " + result.error().message());
  return std::move(*result);
}
inline void must(const Status& status) {
  if (!status) throw std::runtime_error("unexpected error: " + status.error().message());
}

inline Journal open_journal(const std::string& path) {
  return value_of(Journal::open({path, ""}));
}

/// 64 times one hexadecimal digit.
inline std::string hex_of(char digit) {
  return std::string(64, digit);
}

struct PlannedFile {
  std::string name = "banger";
  std::string destination = "/usr/local/bin/banger";
  std::optional<std::string> old_sha256 = hex_of('a');
  std::optional<std::string> new_sha256 = hex_of('b');
  std::uint64_t size = 100;
  std::string old_identity = "old-identity";
};

struct Plan {
  std::string kind = "apply";
  std::optional<std::string> from_version = "1.0.0";
  std::optional<std::string> to_version = "1.1.0";
  std::vector<PlannedFile> files = {PlannedFile{}};
};

inline std::string json_text(const std::optional<std::string>& text) {
  return text ? '"' + *text + '"' : "null";
}

inline std::string begin_detail(const Plan& plan) {
  std::string files;
  for (const PlannedFile& file : plan.files) {
    const std::string old_part = "{\"sha256\":" + json_text(file.old_sha256) +
                                 ",\"identity\":" + json_text(file.old_identity) +
                                 ",\"mode\":\"0755\"}";
    const std::string new_part = "{\"sha256\":" + json_text(file.new_sha256) +
                                 ",\"size\":" + std::to_string(file.size) + ",\"mode\":\"0755\"}";
    files += (files.empty() ? "" : ",") + std::string("{\"name\":") + json_text(file.name) +
             ",\"destination\":" + json_text(file.destination) +
             ",\"old\":" + (file.old_sha256 ? old_part : "null") +
             ",\"new\":" + (file.new_sha256 ? new_part : "null") + "}";
  }
  return "{\"plan\":{\"kind\":" + json_text(plan.kind) +
         ",\"from_version\":" + json_text(plan.from_version) +
         ",\"to_version\":" + json_text(plan.to_version) + ",\"files\":[" + files +
         "]},\"actor\":{\"uid\":0,\"login\":\"alice\"},\"boot_id\":\"boot-1\"}";
}

/// Events at 1 s, 2 s, … in the order in which they are made, so that times tell them apart.
inline std::int64_t next_time_us() {
  static std::int64_t seconds = 0;
  return ++seconds * 1'000'000;
}

inline NewEvent begin(std::int64_t id, const Plan& plan = {}) {
  return {TransactionId{id}, std::nullopt, Phase::stage, next_time_us(), begin_detail(plan)};
}
inline NewEvent step(std::int64_t id, Phase from, Phase to, std::string detail = "{}") {
  return {TransactionId{id}, from, to, next_time_us(), std::move(detail)};
}
inline NewEvent note(std::int64_t id, Phase phase, std::string detail) {
  return step(id, phase, phase, std::move(detail));
}
inline NewEvent journal_note(std::string detail) {
  return {std::nullopt, std::nullopt, std::nullopt, next_time_us(), std::move(detail)};
}

/// A run with a doctor that passes.
inline std::vector<NewEvent> committed_run(std::int64_t id, const Plan& plan = {}) {
  return {begin(id, plan),
          step(id, Phase::stage, Phase::backup),
          step(id, Phase::backup, Phase::swap),
          step(id, Phase::swap, Phase::restart),
          step(id, Phase::restart, Phase::doctor),
          step(id, Phase::doctor, Phase::committed, R"({"verdict":"passed"})")};
}
/// A run that ends before its swap.
inline std::vector<NewEvent> discarded_run(std::int64_t id, const Plan& plan = {}) {
  return {begin(id, plan), step(id, Phase::stage, Phase::rollback),
          step(id, Phase::rollback, Phase::rolled_back)};
}
/// A run that a person ended without an outcome of its files.
inline std::vector<NewEvent> abandoned_run(std::int64_t id, const Plan& plan = {}) {
  return {begin(id, plan), step(id, Phase::stage, Phase::needs_operator),
          step(id, Phase::needs_operator, Phase::abandoned)};
}

inline std::vector<Event> add(Journal& journal, const std::vector<NewEvent>& events,
                              Durability durability = Durability::visible) {
  return value_of(journal.append(events, durability));
}
inline std::vector<Event> add(Journal& journal, const NewEvent& event,
                              Durability durability = Durability::visible) {
  return add(journal, std::vector{event}, durability);
}

}  // namespace update::test
