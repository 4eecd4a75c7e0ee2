// The updater among the files that it updates. An update is begun by one program and may be
// finished by another, older or newer than the journal: each of them brings the host to one
// version, or changes nothing and says which program can (journal.md, "Durable points").

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <set>

#include "tests/crash/sampling.hpp"
#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"
#include "tests/schema/sqlite_tools.hpp"

namespace update::scenario {
namespace {

namespace fs = std::filesystem;
using Calls = std::vector<Call>;

constexpr int kShipped = UPDATE_SHIPPED_SCHEMA;
constexpr const char* kUpdater = "banger-update";

struct Program {
  std::string name;
  std::string path;
  int schema = 0;  // the newest that it knows
};

/// What is shipped; one with a further schema, which it may write; and one with a third schema,
/// which it may not.
const Program kNow = {"now", UPDATE_PROGRAM_NOW, kShipped};
const Program kNext = {"next", UPDATE_PROGRAM_NEXT, kShipped + 1};
const Program kAfter = {"after", UPDATE_PROGRAM_AFTER, kShipped + 2};
const std::array<Program, 3> kPrograms = {kNow, kNext, kAfter};

/// A version of all files, the updater among them.
struct Bundle {
  std::string version;
  Program updater;
};

/// The updater stands between the others, so that there are files before and after it in the swap.
void put_updater(Host& host, const Program& first) {
  fs::copy_file(first.path, host.bin(kUpdater));
  host.configure([&](Settings& settings) {
    settings.files.insert(settings.files.begin() + 1, {kUpdater, host.bin(kUpdater)});
  });
  host.use_program(host.bin(kUpdater));
}

std::string release_of(const Host& host, const Bundle& bundle) {
  const std::string bytes = read_file(bundle.updater.path);
  const std::string folder = host.release_with(bundle.version, [&](Json& manifest) {
    for (Json& file : manifest["files"]) {
      if (file["name"] != kUpdater) continue;
      file["sha256"] = sha256_of(bytes);
      file["size"] = bytes.size();
    }
  });
  write_file(folder + "/" + kUpdater, bytes, 0755);
  return folder;
}

Ended run_with(Host& host, const std::string& program, const Arguments& arguments) {
  host.use_program(program);
  Ended ended = host.run(arguments);
  host.use_program(host.bin(kUpdater));
  return ended;
}

std::string updater_of(const Host& host) {
  const std::string bytes = read_file(host.bin(kUpdater));
  for (const Program& program : kPrograms) {
    if (bytes == read_file(program.path)) return program.name;
  }
  return "foreign";
}

bool holds(const Host& host, const Bundle& bundle) {
  for (const std::string name : {"alpha", "beta", "gamma"}) {
    if (read_file(host.bin(name)) != program(name, bundle.version)) return false;
  }
  return updater_of(host) == bundle.updater.name;
}

std::string journal_of(const Host& host) {
  return host.path("state/journal.db");
}

int schema_of(const Host& host) {
  return std::stoi(test::PlainDatabase(journal_of(host)).value("PRAGMA user_version"));
}

std::string what_it_said(const Ended& ended) {
  return "code " + std::to_string(ended.code) + ": " + ended.out + ended.err;
}

/// One version on the disk and in the journal, and nothing left behind.
void expect_settled(Host& host, const Bundle& bundle, int schema) {
  EXPECT_TRUE(holds(host, bundle)) << host.installed() << updater_of(host);
  EXPECT_TRUE(host.leftovers().empty()) << testing::PrintToString(host.leftovers());
  Json status = host.json({"status"});
  EXPECT_TRUE(status["unfinished"].is_null()) << status.dump();
  EXPECT_EQ(status["installed_version"], bundle.version);
  EXPECT_EQ(status["recover_would"], "nothing");
  EXPECT_TRUE(host.json({"recover"})["recovered"].is_null());
  EXPECT_EQ(host.run({"verify"}).code, 0);
  EXPECT_EQ(schema_of(host), schema);
  for (const Program& program : kPrograms) {
    const Ended chain = run_with(host, program.path, {"history", "verify"});
    EXPECT_EQ(chain.code, 0) << program.name << ": " << what_it_said(chain);
  }
}

void expect_done(Host& host, const Ended& ended, const Bundle& bundle, int schema) {
  EXPECT_EQ(ended.code, 0) << what_it_said(ended);
  expect_settled(host, bundle, schema);
}

/// All that the program must leave alone: it may take the lock, and index the WAL.
std::map<std::string, std::string> untouchable(const Host& host) {
  std::map<std::string, std::string> prints = host.snapshot("bin");
  prints.merge(host.snapshot("state"));
  for (const char* name : {"state/lock", "state/journal.db-shm"}) prints.erase(host.path(name));
  return prints;
}

/// This program may not write the journal of `host`: it says who may, and changes nothing.
void expect_refused(Host& host, const Program& program, const Arguments& arguments) {
  const auto before = untouchable(host);
  const Ended ended = run_with(host, program.path, arguments);
  EXPECT_TRUE(ended.code == 1 || ended.code == 10) << what_it_said(ended);
  const std::string who = "only one that knows schema " + std::to_string(kShipped + 1) +
                          " or a newer one may change it, this one knows " +
                          std::to_string(program.schema);
  EXPECT_TRUE(contains(ended.err, who)) << what_it_said(ended);
  EXPECT_TRUE(contains(ended.err, "(schema " + std::to_string(kShipped + 2) + ")"))
      << what_it_said(ended);
  EXPECT_EQ(untouchable(host), before);
}

/// What reads still reads what a newer program wrote.
void expect_readable(Host& host, const Program& program, std::size_t updates) {
  host.use_program(program.path);
  const Ended status = host.run({"--output", "json", "status"});
  EXPECT_TRUE(status.code == 0 || status.code == 10) << what_it_said(status);
  Json report = status.json();
  EXPECT_TRUE(report["installed_version"].is_string()) << report.dump();
  EXPECT_EQ(report["unfinished"].is_null(), status.code == 0);
  Json list = host.json({"history", "list"});
  ASSERT_EQ(list.size(), updates) << list.dump();
  Json shown = host.json({"history", "show", id_of(list[0])});
  EXPECT_EQ(shown["files"].size(), 4U) << shown.dump();
  EXPECT_FALSE(shown["events"].empty());
  host.use_program(host.bin(kUpdater));
}

// --- Without a crash

TEST(SelfUpdate, GoesThroughThreeProgramsAndBack) {
  Host host;
  put_updater(host, kNow);
  const Bundle first = {"1.0.0", kNow};
  const Bundle second = {"2.0.0", kNext};
  const Bundle third = {"3.0.0", kAfter};
  const Bundle fourth = {"4.0.0", kAfter};
  const auto apply = [&host](const Bundle& bundle) {
    return host.run({"apply", release_of(host, bundle)});
  };
  expect_done(host, apply(first), first, kShipped);
  expect_done(host, apply(second), second, kShipped);
  expect_done(host, apply(third), third, kShipped + 1);
  // Nothing but the begin of an apply migrates, so that the way back stays open.
  expect_done(host, host.run({"rollback", "--to", "1"}), first, kShipped + 1);
  expect_done(host, host.run({"rollback"}), third, kShipped + 1);
  expect_done(host, host.run({"rollback"}), first, kShipped + 1);
  expect_done(host, apply(second), second, kShipped + 1);
  expect_done(host, apply(third), third, kShipped + 1);
  expect_done(host, apply(fourth), fourth, kShipped + 2);
}

TEST(SelfUpdate, TheTriggersOfANewerSchemaFollowAnOlderProgram) {
  Host host;
  put_updater(host, kNow);
  ASSERT_EQ(host.run({"apply", release_of(host, {"1.0.0", kNow})}).code, 0);
  ASSERT_EQ(run_with(host, kNext.path, {"apply", release_of(host, {"2.0.0", kNow})}).code, 0);
  ASSERT_EQ(host.run({"apply", release_of(host, {"3.0.0", kNext})}).code, 0);
  test::PlainDatabase journal(journal_of(host));
  EXPECT_EQ(journal.value("SELECT sum(events) FROM tally"),
            journal.value("SELECT count(*) FROM event"));
  EXPECT_EQ(journal.value("SELECT events FROM tally WHERE phase = 'committed'"), "3");
}

TEST(SelfUpdate, AProgramThatMayNotWriteSaysWhoMay) {
  Host host;
  put_updater(host, kNow);
  const Bundle first = {"1.0.0", kNow};
  ASSERT_EQ(host.run({"apply", release_of(host, first)}).code, 0);
  ASSERT_EQ(run_with(host, kAfter.path, {"apply", release_of(host, {"2.0.0", kAfter})}).code, 0);
  // The newer program goes back to one that may not write what it leaves.
  expect_done(host, host.run({"rollback"}), first, kShipped + 2);
  ASSERT_EQ(updater_of(host), "now");
  const std::string again = release_of(host, {"3.0.0", kNext});
  for (const Arguments& arguments :
       {Arguments{"apply", again}, Arguments{"rollback"}, Arguments{"prune"}}) {
    SCOPED_TRACE(arguments.front());
    expect_refused(host, kNow, arguments);
    const Ended ended = host.run(arguments);
    EXPECT_EQ(ended.code, 1) << "nothing is unfinished";
    EXPECT_TRUE(contains(ended.err, "install the newer banger-update again")) << ended.err;
  }
  expect_readable(host, kNow, 3);
  // The way out is beside it: the newer program under the name of the backup.
  const Bundle second = {"2.0.0", kAfter};
  expect_done(host, run_with(host, host.bin("banger-update.previous"), {"rollback"}), second,
              kShipped + 2);
}

// --- With a crash

/// An update that was made before, by a program that may migrate the journal.
struct Made {
  Program by;
  Bundle brings;
};

/// An update of the updater by the updater, on a journal of some schema.
struct Variant {
  std::string name;
  std::vector<Made> before;
  Arguments command;  // empty: apply `to`
  Bundle from;
  Bundle to;
  int schema = 0;
  int min_writer = 0;
  std::vector<Program> others;  // who may find the crash, beside what is then installed
};

/// In the names of tests; GoogleTest would print addresses.
void PrintTo(const Variant& variant, std::ostream* out) {
  *out << variant.name;
}

std::vector<Variant> all_variants() {
  const Bundle now = {"1.0.0", kNow};
  return {
      {"ShippedSchemaToNext", {{kNow, now}}, {}, now, {"2.0.0", kNext}, kShipped, 1, {kNow, kNext}},
      {"ShippedSchemaToAfter",
       {{kNow, now}},
       {},
       now,
       {"2.0.0", kAfter},
       kShipped,
       1,
       {kNow, kAfter}},
      {"OpenSchemaToNext",
       {{kNow, now}, {kNext, {"1.1.0", kNow}}},
       {},
       {"1.1.0", kNow},
       {"2.0.0", kNext},
       kShipped + 1,
       1,
       {kNow, kNext}},
      {"OpenSchemaToOlder",
       {{kNow, now}, {kNext, {"1.1.0", kNext}}},
       {},
       {"1.1.0", kNext},
       {"2.0.0", kNow},
       kShipped + 1,
       1,
       {kNow, kNext, kAfter}},
      {"ClosedSchemaToOlder",
       {{kNow, now}, {kAfter, {"1.1.0", kAfter}}},
       {},
       {"1.1.0", kAfter},
       {"2.0.0", kNow},
       kShipped + 2,
       kShipped + 1,
       {kNow, kNext, kAfter}},
      {"ClosedSchemaRollback",
       {{kNow, now}, {kNext, {"1.1.0", kNext}}, {kAfter, {"1.2.0", kNext}}},
       {"rollback", "--to", "1"},
       {"1.2.0", kNext},
       now,
       kShipped + 2,
       kShipped + 1,
       {kNow, kNext, kAfter}},
  };
}

void prepare(Host& host, const Variant& variant) {
  put_updater(host, kNow);
  for (const Made& made : variant.before) {
    const Ended ended = run_with(host, made.by.path, {"apply", release_of(host, made.brings)});
    ASSERT_EQ(ended.code, 0) << what_it_said(ended);
  }
  ASSERT_TRUE(holds(host, variant.from));
  ASSERT_EQ(schema_of(host), variant.schema);
}

Arguments command_of(const Host& host, const Variant& variant) {
  return variant.command.empty() ? Arguments{"apply", release_of(host, variant.to)}
                                 : variant.command;
}

void refuse_in_doctor(const Host& host, const Variant& variant) {
  host.doctor("test \"$installed\" != " + variant.to.version + "\n");
}

/// The update of `variant`; one that is undone because of the doctor where `undone`.
Scenario scenario_of(const Variant& variant, bool undone) {
  return {[variant, undone](Host& host) {
            prepare(host, variant);
            if (undone) refuse_in_doctor(host, variant);
          },
          [variant](const Host& host) { return command_of(host, variant); }};
}

/// A moment of an update, and what a recovery of it leads to.
enum class Leads { back, forth, either };
struct Moment {
  std::string name;
  Leads leads = Leads::either;
  std::function<void(Host&)> crash;
};

/// The renames that exchange the four files.
Calls exchanges(const Calls& calls) {
  Calls found;
  std::copy_if(calls.begin(), calls.end(), std::back_inserter(found), [](const Call& call) {
    const std::string target = call.target();
    return call.name.starts_with("rename") &&
           (target == "alpha" || target == "beta" || target == "gamma" || target == kUpdater);
  });
  return found;
}

bool is_of_journal(const Call& call) {
  return call.path().ends_with("/journal.db-wal");
}

/// The calls that write the outcome: from the end of the doctor to the first name that is retired.
Calls committing(const Calls& calls) {
  const auto end = std::find_if(calls.begin(), calls.end(), [](const Call& call) {
    return call.target().ends_with(".previous");
  });
  auto begin = end;
  while (begin != calls.begin() && !std::prev(begin)->name.starts_with("clone") &&
         !std::prev(begin)->name.ends_with("fork")) {
    --begin;
  }
  Calls found;
  std::copy_if(begin, end, std::back_inserter(found), is_of_journal);
  return found;
}

Moment at_call(const std::string& name, Leads leads, const Scenario& scenario, const Call& call) {
  return {name, leads, [scenario, call](Host& host) { crash(host, scenario, call); }};
}

/// The hook of `phase` kills the updater, once.
Moment in_hook(const std::string& hook, const std::string& phase, Leads leads,
               const Scenario& scenario) {
  const auto crash = [hook, phase, scenario](Host& host) {
    scenario.prepare(host);
    const std::string once = host.path("hooks/killed");
    const std::string body = "test \"$BANGER_UPDATE_PHASE\" = " + phase + " && test ! -e " + once +
                             " && { : >" + once + "; kill -KILL $PPID; exit 1; }\nexit 0\n";
    if (hook == "doctor") {
      host.doctor(body);
    } else {
      host.restart(body);
    }
    const Ended ended = host.run(scenario.command(host));
    ASSERT_EQ(ended.signal, SIGKILL) << what_it_said(ended);
  };
  return {"in_" + hook + "_of_" + phase, leads, crash};
}

void add_undo(std::vector<Moment>& moments, const Variant& variant) {
  const Scenario undone = scenario_of(variant, true);
  const Calls renames = exchanges(record(undone));
  ASSERT_EQ(renames.size(), 8U) << "four forth and four back";
  moments.push_back(at_call("undo_begins", Leads::back, undone, renames[4]));
  for (std::size_t index = 4; index + 1 < renames.size(); ++index) {
    if (renames[index].target() != kUpdater) continue;
    moments.push_back(at_call("undo_after_its_own", Leads::back, undone, renames[index + 1]));
  }
  moments.push_back(in_hook("restart", "rollback", Leads::back, undone));
}

std::vector<Moment> moments_of(const Variant& variant) {
  std::vector<Moment> moments;
  const Scenario good = scenario_of(variant, false);
  const Calls calls = record(good);
  const Calls staged = making(calls, ".staged");
  const Calls backups = making(calls, ".backup");
  const Calls renames = exchanges(calls);
  const Calls commit = committing(calls);
  const Calls retired = making(calls, ".previous");
  EXPECT_EQ(renames.size(), 4U);
  EXPECT_GE(commit.size(), 2U);
  if (staged.size() < 4 || backups.size() < 4 || renames.size() != 4 || commit.size() < 2 ||
      retired.size() < 4) {
    ADD_FAILURE() << "not the calls of an update";
    return moments;
  }
  EXPECT_EQ(renames[1].target(), kUpdater);
  moments.push_back(at_call("stage", Leads::back, good, staged[2]));
  moments.push_back(at_call("backup", Leads::back, good, backups[2]));
  moments.push_back(at_call("swap_begins", Leads::forth, good, renames[0]));
  moments.push_back(at_call("swap_before_its_own", Leads::forth, good, renames[1]));
  moments.push_back(at_call("swap_after_its_own", Leads::forth, good, renames[2]));
  moments.push_back(at_call("swap_ends", Leads::forth, good, renames[3]));
  // A release is suspect once it has run; the version that a rollback goes back to is wanted.
  const Leads suspect = variant.command.empty() ? Leads::back : Leads::forth;
  moments.push_back(in_hook("restart", "restart", suspect, good));
  moments.push_back(in_hook("doctor", "doctor", suspect, good));
  moments.push_back(at_call("commit_begins", Leads::either, good, commit.front()));
  moments.push_back(at_call("commit_ends", Leads::either, good, commit.back()));
  moments.push_back(at_call("retire", Leads::forth, good, retired[2]));
  add_undo(moments, variant);
  return moments;
}

const Program& program_in(const Host& host) {
  const std::string installed = updater_of(host);
  for (const Program& program : kPrograms) {
    if (program.name == installed) return program;
  }
  ADD_FAILURE() << "the updater is no program that was ever installed";
  return kPrograms.front();
}

/// `found_by` comes upon what a crash left; null: what is then installed.
void expect_recovery(Host& host, const Variant& variant, const Moment& moment,
                     const Program* found_by) {
  const Program& program = found_by != nullptr ? *found_by : program_in(host);
  std::string finisher = found_by != nullptr ? program.path : host.bin(kUpdater);
  if (program.schema < variant.min_writer) {
    expect_refused(host, program, {"recover"});
    expect_refused(host, program, {"recover", "--boot"});
    expect_refused(host, program, {"rollback"});
    expect_readable(host, program, variant.before.size() + 1);
    finisher = kNext.path;
  }
  const Ended recovered = run_with(host, finisher, {"recover"});
  EXPECT_EQ(recovered.code, 0) << what_it_said(recovered);
  const bool forth =
      moment.leads == Leads::forth || (moment.leads == Leads::either && holds(host, variant.to));
  expect_settled(host, forth ? variant.to : variant.from, variant.schema);
}

class SelfUpdateCrash : public testing::TestWithParam<Variant> {
 protected:
  static int failures() {
    return testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
  }
  void find(const Moment& moment, const Program* found_by) {
    SCOPED_TRACE(moment.name + ", found by " +
                 (found_by != nullptr ? found_by->name : "what is installed"));
    const int before = failures();
    ++tally_.tried;
    Host host;
    ASSERT_NO_FATAL_FAILURE(moment.crash(host));
    ++tally_.reached;
    expect_recovery(host, GetParam(), moment, found_by);
    tally_.held += failures() == before ? 1U : 0U;
  }

  crash::Tally tally_{GetParam().name};
};

TEST_P(SelfUpdateCrash, IsRecoveredOrLeftToWhoCan) {
  const Variant& variant = GetParam();
  const std::vector<Moment> moments = moments_of(variant);
  const std::size_t finders = variant.others.size() + 1;
  tally_.recorded = moments.size() * finders;
  // In a sample every other moment is tried, and found by one program; the next seeds try the rest.
  const std::uint64_t seed = crash::sweep_seed() + variant.name.size();
  for (std::size_t moment = 0; moment < moments.size(); ++moment) {
    for (std::size_t finder = 0; finder < finders; ++finder) {
      const bool in_sample = (seed + moment) % 2 == 0 && (seed + moment) / 2 % finders == finder;
      if (!in_sample && !crash::full_sweep()) continue;
      find(moments[moment], finder == 0 ? nullptr : &variant.others[finder - 1]);
    }
  }
  tally_.report();
}

INSTANTIATE_TEST_SUITE_P(Scenario, SelfUpdateCrash, testing::ValuesIn(all_variants()),
                         [](const auto& each) { return each.param.name; });

// --- With a crash before or in a migration

/// The new program's first apply, up to its first staged file: it migrates there.
Calls migrating(const Scenario& scenario) {
  const Calls calls = record(scenario);
  const auto end = std::find_if(calls.begin(), calls.end(), [](const Call& call) {
    return call.target().ends_with(".staged");
  });
  Calls found;
  std::copy_if(calls.begin(), end, std::back_inserter(found), is_of_journal);
  return found;
}

TEST(SelfUpdate, ACrashInAMigrationLeavesTheOldOrTheNewSchema) {
  const Bundle from = {"1.1.0", kAfter};
  const Bundle to = {"2.0.0", kNow};
  const Scenario scenario = {[from](Host& host) {
                               put_updater(host, kNow);
                               const Arguments first = {"apply", release_of(host, from)};
                               ASSERT_EQ(host.run(first).code, 0);
                               ASSERT_EQ(schema_of(host), kShipped);
                             },
                             [to](const Host& host) {
                               return Arguments{"apply", release_of(host, to)};
                             }};
  const Calls calls = migrating(scenario);
  ASSERT_GE(calls.size(), 4U);
  std::set<int> seen;
  for (const std::size_t index : crash::chosen_points(calls.size(), calls.size() / 4)) {
    SCOPED_TRACE("call " + std::to_string(index) + ": " + calls[index].name);
    Host host;
    crash(host, scenario, calls[index]);
    const int schema = schema_of(host);
    seen.insert(schema);
    const Program& finder = schema <= kNext.schema ? kNow : kNext;
    expect_done(host, run_with(host, finder.path, {"recover"}), from, schema);
    const Ended applied = host.run({"apply", release_of(host, to)});
    expect_done(host, applied, to, kAfter.schema);
  }
  if (crash::full_sweep()) {
    EXPECT_EQ(seen, (std::set{kNow.schema, kNext.schema, kAfter.schema}));
  }
}

TEST(SelfUpdate, TheNewProgramRecoversFirstAndMigratesThen) {
  Host host;
  const Variant variant = all_variants().front();
  in_hook("restart", "restart", Leads::back, scenario_of(variant, false)).crash(host);
  ASSERT_EQ(updater_of(host), "next");
  const Bundle third = {"3.0.0", kNext};
  Json answer = host.json({"apply", release_of(host, third)});
  EXPECT_EQ(answer["recovered"]["outcome"], "rolled_back") << answer.dump();
  expect_settled(host, third, kNext.schema);
}

TEST(SelfUpdate, TheNewProgramDoesNotMigrateWhileAPersonIsNeeded) {
  Host host;
  const Variant variant = all_variants().front();
  in_hook("restart", "restart", Leads::back, scenario_of(variant, false)).crash(host);
  const std::string release = release_of(host, {"3.0.0", kNext});
  fs::remove(host.bin("beta"));
  write_file(host.bin("beta"), "somebody's own work\n", 0755);
  for (int time = 0; time < 2; ++time) {
    const Ended ended = host.run({"apply", release});
    EXPECT_EQ(ended.code, 4) << what_it_said(ended);
    EXPECT_EQ(schema_of(host), kShipped) << "the program before must be able to go on";
  }
  write_file(host.bin("beta"), program("beta", "1.0.0"), 0755);
  const Ended forced =
      run_with(host, kNow.path, {"recover", "--force-rollback", "--reason", "a test"});
  expect_done(host, forced, variant.from, kShipped);
}

}  // namespace
}  // namespace update::scenario
