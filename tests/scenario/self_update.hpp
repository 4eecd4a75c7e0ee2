#pragma once

#include <array>
#include <string>

#include "tests/scenario/host.hpp"

// The updater among the files that it updates, and the programs of later schemas that it may be.
namespace update::scenario {

constexpr int kShipped = UPDATE_SHIPPED_SCHEMA;
constexpr const char* kUpdater = "banger-update";

struct Program {
  std::string name;
  std::string path;
  int schema = 0;  // the newest that it knows
};

/// What is shipped; one with a further schema, which the shipped one may write; and one with a
/// third, which needs the second or the third.
inline const Program kNow = {"now", UPDATE_PROGRAM_NOW, kShipped};
inline const Program kNext = {"next", UPDATE_PROGRAM_NEXT, kShipped + 1};
inline const Program kAfter = {"after", UPDATE_PROGRAM_AFTER, kShipped + 2};
inline const std::array<Program, 3> kPrograms = {kNow, kNext, kAfter};

/// A version of all files, the updater among them.
struct Bundle {
  std::string version;
  Program updater;
};

/// The updater stands between the others, so that there are files before and after it in the swap.
void put_updater(Host& host, const Program& first);
std::string release_of(const Host& host, const Bundle& bundle);
Ended run_with(Host& host, const std::string& program, const Arguments& arguments);
/// The name of the program that is installed, or "foreign".
std::string updater_of(const Host& host);
bool holds(const Host& host, const Bundle& bundle);
std::string journal_of(const Host& host);
/// The number of the journal's schema, for a journal that nobody has open.
int schema_of(const Host& host);
std::string what_it_said(const Ended& ended);

/// One version on the disk and in the journal, and nothing left behind.
void expect_settled(Host& host, const Bundle& bundle, int schema);
void expect_done(Host& host, const Ended& ended, const Bundle& bundle, int schema);

/// This program may not write the journal of `host`: it says who may, and changes nothing.
void expect_refused(Host& host, const Program& program, const Arguments& arguments);

/// What reads still reads what a newer program wrote.
void expect_readable(Host& host, const Program& program, std::size_t updates);

}  // namespace update::scenario
