// A crash in each phase of an update of the updater, found by each program that may come upon it.

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <set>

#include "tests/crash/sampling.hpp"
#include "tests/scenario/self_update.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {

namespace fs = std::filesystem;
using Calls = std::vector<Call>;

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
