#include "cli/apart.hpp"

#include <gtest/gtest.h>

#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

/// The machine in memory cannot start a unit: that it is asked to is what is seen.
struct Somewhere : Program {
  explicit Somewhere(const std::string& group) {
    fake.services.set_present(true);
    fake.table.set_own_group(group);
    fake.table.add(fake.host.pid(), {5000, "banger-update", {}, os::Executable{"/usr/bin/b", {}}});
    fake.files.put_file("/etc/banger/update.toml", "[trust]\nrequire_signature = false\n", 0644);
  }
  bool moves() {
    run({"rollback"});
    return contains(console.err_text, "moving to the unit banger-update-");
  }
};

// F6
TEST(Apart, MovesWhereItsOwnRestartOrASessionsEndWouldEndIt) {
  for (const std::string group :
       {"/system.slice/bangerd.service", "/system.slice/bangerd.service/worker",
        "/user.slice/user-1000.slice/session-3.scope",
        "/user.slice/user-0.slice/user@0.service/app.slice/x.service"}) {
    EXPECT_TRUE(Somewhere(group).moves()) << group;
  }
}

TEST(Apart, StaysEverywhereElse) {
  for (const std::string group :
       {"", "/", "/system.slice/cron.service", "/system.slice/bangerd.service.d",
        "/system.slice/banger-update-1-2.service", "/user.slice"}) {
    EXPECT_FALSE(Somewhere(group).moves()) << group;
  }
}

TEST(Apart, StaysWhereNoUnitCanBeHad) {
  Somewhere without_systemd("/system.slice/bangerd.service");
  without_systemd.fake.services.set_present(false);
  EXPECT_FALSE(without_systemd.moves());
  Somewhere not_root("/system.slice/bangerd.service");
  not_root.fake.host.set_user(1000, 1000);
  EXPECT_FALSE(not_root.moves());
}

TEST(Apart, APlanIsMadeInPlace) {
  Somewhere here("/system.slice/bangerd.service");
  here.run({"rollback", "--dry-run"});
  EXPECT_FALSE(contains(here.console.err_text, "moving"));
}

TEST(Apart, ThatCannotMoveHasChangedNothing) {
  Somewhere here("/system.slice/bangerd.service");
  EXPECT_EQ(here.run({"rollback"}), 1);
  EXPECT_FALSE(here.fake.files.exists("/var/lib/banger/update"));
}

}  // namespace
}  // namespace update::cli
