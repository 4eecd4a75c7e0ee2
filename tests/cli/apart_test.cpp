#include "cli/apart.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "engine/base/json.hpp"
#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

constexpr const char* kRestarted = "/system.slice/bangerd.service";
constexpr const char* kOther = "/system.slice/cron.service";
constexpr const char* kSession = "/user.slice/user-1000.slice/session-3.scope";

/// The machine in memory starts no unit: that it is asked to, and what it answers, is the test's.
struct Somewhere : Program {
  explicit Somewhere(const std::string& group) {
    fake.services.set_present(true);
    fake.table.set_own_group(group);
    fake.table.add(fake.host.pid(), {5000, "banger-update", {}, os::Executable{"/usr/bin/b", {}}});
    fake.files.put_file("/etc/banger/update.toml", "[trust]\nrequire_signature = false\n", 0644);
    fake.services.on_run([this](const os::TransientUnit& unit) {
      units.push_back(unit);
      return answer;
    });
  }
  bool moves(const std::vector<std::string>& words = {"rollback"}) {
    units.clear();
    run(words);
    EXPECT_EQ(units.empty(), !contains(console.err_text, "moving to the unit banger-update-"));
    return !units.empty();
  }
  void cannot_be_followed() {
    fake.services.fail_check_run(Error(ErrorCode::failed, "it sees other files").hint("go out"));
  }

  std::vector<os::TransientUnit> units;
  Result<os::UnitEnd> answer = os::UnitEnd{.status = 0};
};

// F6. A service that the configuration does not name may be restarted with one that it names.
TEST(Apart, MovesWhereARestartOrASessionsEndWouldEndIt) {
  for (const std::string group :
       {"/system.slice/bangerd.service", "/system.slice/bangerd.service/worker",
        "/user.slice/user-1000.slice/session-3.scope",
        "/user.slice/user-0.slice/user@0.service/app.slice/x.service",
        "/user.slice/user-0.slice/user@0.service/app.slice/banger-update-1-2.service",
        "/system.slice/cron.service", "/system.slice/runner.service/job"}) {
    EXPECT_TRUE(Somewhere(group).moves()) << group;
  }
}

TEST(Apart, StaysEverywhereElse) {
  for (const std::string group :
       {"", "/", "/system.slice/bangerd.service.d", "/system.slice/run-1.scope", "/user.slice",
        "/system.slice/banger-update-1-2.service", "/system.slice/banger-update-verify.service",
        "/system.slice/banger-update-recover.service",
        "/system.slice/banger-update-expired-7.service"}) {
    EXPECT_FALSE(Somewhere(group).moves()) << group;
  }
}

TEST(Apart, StaysWhereNoUnitCanBeHad) {
  Somewhere without_systemd(kRestarted);
  without_systemd.fake.services.set_present(false);
  EXPECT_FALSE(without_systemd.moves());
  Somewhere not_root(kRestarted);
  not_root.fake.host.set_user(1000, 1000);
  EXPECT_FALSE(not_root.moves());
}

// A unit of its own inside of a container's service, of which the control group still tells.
TEST(Apart, MovesOnce) {
  Somewhere moved(kOther);
  moved.apart = true;
  EXPECT_FALSE(moved.moves());
  Somewhere first(kOther);
  ASSERT_TRUE(first.moves());
  const std::pair<std::string, std::string> mark = {"BANGER_UPDATE_APART", "1"};
  EXPECT_EQ(first.units[0].environment.front(), mark);
}

TEST(Apart, APlanIsMadeInPlace) {
  EXPECT_FALSE(Somewhere(kRestarted).moves({"rollback", "--dry-run"}));
  EXPECT_FALSE(Somewhere(kRestarted).moves({"apply", "--dry-run", "/release"}));
}

TEST(Apart, WhatOnlyRecoversMovesWhereThereIsSomethingToRecover) {
  for (const char* command : {"recover", "prune"}) {
    Somewhere here(kRestarted);
    EXPECT_FALSE(here.moves({command})) << command;
    here.fake.files.put_file("/var/lib/banger/update/journal.db", "no journal", 0600);
    EXPECT_TRUE(here.moves({command})) << command << ": what cannot be read may hold anything";
  }
}

// The unit would read another release, or install into other files.
TEST(Apart, WhatSeesOtherFilesThanAUnitWouldMovesNowhere) {
  Somewhere restarted(kRestarted);
  restarted.cannot_be_followed();
  EXPECT_FALSE(restarted.moves());
  EXPECT_EQ(restarted.run({"rollback"}), 1);
  EXPECT_TRUE(contains(restarted.console.err_text, "bangerd.service: it sees other files"))
      << restarted.console.err_text;
  EXPECT_TRUE(contains(restarted.console.err_text, "hint: go out"));
  for (const char* group : {kSession, kOther}) {
    Somewhere here(group);
    here.cannot_be_followed();
    EXPECT_FALSE(here.moves());
    EXPECT_EQ(here.run({"rollback"}), 9) << "there is nothing to go back to";
    EXPECT_TRUE(contains(here.console.err_text, "staying in ")) << here.console.err_text;
  }
}

TEST(Apart, TheCommandsOwnCodeIsGivenOn) {
  Somewhere here(kSession);
  for (const int code : {0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 130, 143}) {
    here.answer = os::UnitEnd{.status = code};
    EXPECT_EQ(here.run({"--output", "json", "rollback"}), code);
    EXPECT_EQ(here.console.out_text, "") << "the command has said it";
  }
}

// systemd-run fails with 1 too.
TEST(Apart, AFailureInTheUnitIsToldFromOneOfTheWaiting) {
  Somewhere inside("/system.slice/banger-update-1-2.service");
  inside.apart = true;
  Somewhere here(kSession);
  inside.fake.files.put_file("/var/lib/banger/update/journal.db", "no journal", 0600);
  const int code = inside.run({"status"});
  ASSERT_NE(code, 1);
  here.answer = os::UnitEnd{.status = code};
  EXPECT_EQ(here.run({"--output", "json", "rollback"}), 1);
  EXPECT_EQ(here.console.out_text, "");
  EXPECT_EQ(inside.run({"rollback", "--colour"}), 2);
}

struct Silent {
  os::UnitEnd end;
  bool goes_on;
  int code;
};

// F12. Nothing was begun here, as the state folder that is not there says.
TEST(Apart, WhereTheCommandSaidNothingTheErrorIsToldHere) {
  const Silent kAll[] = {{{.status = 1}, false, 1},
                         {{.status = 255}, false, 1},
                         {{.status = 203}, false, 1},
                         {{.status = std::nullopt}, false, 1},
                         {{.status = 255, .interrupted = true}, false, 130},
                         {{.status = 1}, true, 10},
                         {{.status = std::nullopt, .interrupted = true}, true, 10}};
  for (const Silent& silent : kAll) {
    SCOPED_TRACE(silent.end.status.value_or(-1));
    Somewhere here(kSession);
    here.fake.services.on_run([&](const os::TransientUnit& unit) {
      if (silent.goes_on) here.fake.services.add(unit.name);
      return silent.end;
    });
    EXPECT_EQ(here.run({"--output", "json", "rollback"}), silent.code);
    auto document = parse_json(here.console.out_text);
    ASSERT_TRUE(document) << here.console.out_text;
    EXPECT_EQ((*document)["error"]["code"], silent.code);
    EXPECT_TRUE((*document)["transaction"].is_null());
  }
}

TEST(Apart, LeftByASignalTheUpdateGoesOn) {
  Somewhere here(kSession);
  here.answer = fail(ErrorCode::unfinished, "left by a signal");
  EXPECT_EQ(here.run({"--output", "json", "rollback"}), 10);
  EXPECT_TRUE(contains(here.console.err_text, "hint: see how it ends with: banger-update status"));
}

TEST(Apart, ThatCannotMoveHasChangedNothing) {
  Somewhere here(kRestarted);
  here.answer = fail(ErrorCode::failed, "no unit can be started");
  EXPECT_EQ(here.run({"rollback"}), 1);
  EXPECT_FALSE(here.fake.files.exists("/var/lib/banger/update"));
}

}  // namespace
}  // namespace update::cli
