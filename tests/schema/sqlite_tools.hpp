#pragma once

#include <sqlite3.h>

#include <stdexcept>
#include <string>
#include <vector>

// A plain SQLite connection beside the journal: the hand of somebody who edits the file, and the
// eye of somebody who looks at it with other tools.
namespace update::test {

using Rows = std::vector<std::vector<std::string>>;

class PlainDatabase {
 public:
  explicit PlainDatabase(const std::string& path) {
    if (sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) {
      throw std::runtime_error("can't open " + path);
    }
    sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    sqlite3_busy_timeout(db_, 2000);
  }
  PlainDatabase(const PlainDatabase&) = delete;
  PlainDatabase& operator=(const PlainDatabase&) = delete;
  ~PlainDatabase() { sqlite3_close(db_); }

  /// Empty if it worked, else SQLite's message.
  std::string try_run(const std::string& sql) {
    char* text = nullptr;
    sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, &text);
    const std::string message = text == nullptr ? "" : text;
    sqlite3_free(text);
    return message;
  }
  void run(const std::string& sql) {
    const std::string message = try_run(sql);
    if (!message.empty()) throw std::runtime_error(sql + ": " + message);
  }
  /// All values as text, NULL as "NULL".
  Rows query(const std::string& sql) {
    Rows rows;
    const auto collect = [](void* to, int columns, char** values, char**) {
      auto& row = static_cast<Rows*>(to)->emplace_back();
      for (int i = 0; i < columns; ++i) row.emplace_back(values[i] == nullptr ? "NULL" : values[i]);
      return 0;
    };
    char* text = nullptr;
    if (sqlite3_exec(db_, sql.c_str(), collect, &rows, &text) != SQLITE_OK) {
      const std::string message = text == nullptr ? "" : text;
      sqlite3_free(text);
      throw std::runtime_error(sql + ": " + message);
    }
    return rows;
  }
  std::string value(const std::string& sql) { return query(sql).at(0).at(0); }
  /// What somebody does who wants to change what triggers protect: takes them away, changes, puts
  /// them back word for word.
  void tamper(const std::string& sql) {
    const Rows triggers = query("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'");
    run("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON");
    for (const auto& trigger : triggers) run("DROP TRIGGER " + trigger[0]);
    run(sql);
    for (const auto& trigger : triggers) run(trigger[1]);
  }

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace update::test
