#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/systemd/service_host.hpp"

namespace update::systemd {
namespace {

using scenario::contains;
using scenario::write_file;

std::string alpha_unit(const std::string& more = "") {
  return "[Service]\nExecStart=/opt/demo/bin/alpha\n" + more;
}

bool connect_to(const std::string& path) {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

long long stamp(const Box& box, const std::string& unit, const std::string& name) {
  const std::string text = box.property(unit, name + "TimestampMonotonic");
  return text.empty() ? 0 : std::stoll(text);
}

// F7: what ran is restarted, what did not run is not started, and no unit changes its kind.
TEST(RestartTest, EachUnitGetsBackTheStateThatItHad) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  host.daemon("alpha");
  box.unit("disabled.service", alpha_unit());
  box.unit("stopped.service", alpha_unit("[Install]\nWantedBy=multi-user.target\n"));
  box.unit("failed.service",
           alpha_unit("ExecStartPre=/bin/sh -c 'test ! -e /var/lib/broken'\nRestart=no\n"));
  box.mask("masked.service");
  box.unit("socket.socket", "[Socket]\nListenStream=/run/alpha.socket\n");
  box.unit("socket.service", alpha_unit());
  box.unit("served.socket", "[Socket]\nListenStream=/run/served.socket\n");
  box.unit("served.service", alpha_unit());
  box.unit("timer.timer", "[Timer]\nOnActiveSec=1h\n");
  box.unit("timer.service", alpha_unit());
  host.configure([](ServiceSettings& settings) {
    settings.units = {"alpha.service",  "disabled.service", "stopped.service",
                      "failed.service", "masked.service",   "missing.service",
                      "socket.service", "served.service",   "timer.service"};
  });
  ASSERT_TRUE(host.start());
  box.shell(
      "touch /var/lib/broken; systemctl start disabled.service served.socket socket.socket "
      "timer.timer served.service; systemctl enable -q stopped.service; "
      "! systemctl start failed.service; rm /var/lib/broken");
  ASSERT_EQ(box.state("failed.service"), "failed");
  ASSERT_EQ(box.state("served.service"), "active");

  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service", "disabled.service", "served.service"}));
  for (const char* unit : {"stopped.service", "failed.service", "masked.service", "missing.service",
                           "socket.service", "timer.service"}) {
    EXPECT_NE(box.state(unit), "active") << unit;
    EXPECT_FALSE(contains(box.journal(unit), "2.0.0 starts")) << unit;
  }
  EXPECT_EQ(box.property("disabled.service", "UnitFileState"), "static");
  EXPECT_EQ(box.property("stopped.service", "UnitFileState"), "enabled");
  EXPECT_EQ(box.property("alpha.service", "UnitFileState"), "enabled");
  EXPECT_EQ(box.property("masked.service", "LoadState"), "masked");
  EXPECT_EQ(box.property("missing.service", "LoadState"), "not-found");
  for (const char* unit : {"socket.socket", "served.socket", "timer.timer"}) {
    EXPECT_EQ(box.state(unit), "active") << unit;
  }
  // The first caller after the update gets the new version.
  EXPECT_TRUE(connect_to(box.inside("/run/alpha.socket")));
  EXPECT_TRUE(scenario::eventually([&] { return host.running("socket.service") == "2.0.0"; }));
}

TEST(RestartTest, WhatWasStoppedStaysStoppedInARollbackToo) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.daemon("alpha");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  host.box().shell("systemctl stop beta.service");
  host.doctor("grep -q 2.0.0 /opt/demo/bin/alpha && exit 1; exit 0");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_EQ(host.box().state("beta.service"), "inactive");
  EXPECT_FALSE(contains(host.box().journal("beta.service"), "2.0.0 starts"));
}

TEST(RestartTest, OneUnitIsUpBeforeTheNextIsRestarted) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  host.daemon("alpha", "", "--stop-ms 100");
  host.daemon("beta", "Type=notify", "--notify --start-ms 300");
  host.configure([](ServiceSettings& settings) {
    settings.units = {"beta.service", "alpha.service"};
  });
  ASSERT_TRUE(host.start());
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service", "beta.service"}));
  EXPECT_GE(stamp(box, "alpha.service", "ActiveExit"), stamp(box, "beta.service", "ActiveEnter"));
  EXPECT_GT(stamp(box, "alpha.service", "ActiveEnter"), stamp(box, "alpha.service", "ActiveExit"));
}

// F7: systemd refuses a start too many, but not the one that a rollback needs.
TEST(RestartTest, AStartLimitStopsNeitherAnUpdateNorARollback) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.box().unit("alpha.service", "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n" +
                                       alpha_unit("[Install]\nWantedBy=multi-user.target\n"));
  host.box().enable("alpha.service");
  host.configure([](ServiceSettings& settings) {
    settings.units = {"alpha.service"};
    settings.doctor = {"/opt/demo/bin/beta", "doctor"};
    settings.soak = "0s";
  });
  ASSERT_TRUE(host.start());
  host.install("2.0.0");
  const Ended sick = host.run({"apply", host.release("3.0.0", {{"beta", "sick"}})});
  EXPECT_EQ(sick.code, 3) << sick.out << sick.err;
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service"}));
  const Ended broken = host.run({"apply", host.release("3.1.0", {{"alpha", "fail"}})});
  EXPECT_EQ(broken.code, 3) << broken.out << broken.err;
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service"}));
  host.install("4.0.0");
  EXPECT_TRUE(host.at_rest("4.0.0", {"alpha.service"}));
}

TEST(RestartTest, AUnitThatHangsInItsStartFailsWithTheEndOfItsLog) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.daemon("alpha", "Type=notify\nTimeoutStartSec=infinity", "--notify");
  host.daemon("beta");
  host.configure([](ServiceSettings& settings) { settings.timeout = "2s"; });
  ASSERT_TRUE(host.start());
  const auto begin = std::chrono::steady_clock::now();
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "hang"}})});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.err, "alpha.service")) << ended.err;
  EXPECT_TRUE(contains(ended.err, "waiting for the frobnicator")) << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", {"alpha.service", "beta.service"}));
}

TEST(RestartTest, AUnitThatSystemdGivesUpOnFailsWithTheEndOfItsLog) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.daemon("alpha", "Type=notify", "--notify");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  const Ended ended = host.run({"apply", host.release("2.0.0", {{"alpha", "fail"}})});
  EXPECT_EQ(ended.code, 3) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.err, "alpha 2.0.0 starts, fail")) << ended.err;
  EXPECT_TRUE(host.at_rest("1.0.0", {"alpha.service", "beta.service"}));
}

// A unit file may be one of the files of a release.
TEST(RestartTest, SystemdReadsUnitFilesAnewWhereOneIsAmongTheFiles) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  const auto text = [](const std::string& description) {
    return "[Unit]\nDescription=" + description + "\n" + alpha_unit();
  };
  box.unit("alpha.service", text("first"));
  host.daemon("beta");
  host.configure([](ServiceSettings& settings) {
    settings.files.emplace_back("alpha.service", "/etc/systemd/system/alpha.service");
    settings.doctor = {"/opt/demo/bin/beta", "doctor"};
  });
  ASSERT_TRUE(host.start());
  box.shell("systemctl start alpha.service");
  ASSERT_EQ(box.property("alpha.service", "Description"), "first");

  const Ended good =
      host.run({"apply", host.release_with("2.0.0", {{"alpha.service", text("second")}})});
  EXPECT_EQ(good.code, 0) << good.out << good.err;
  EXPECT_EQ(box.property("alpha.service", "Description"), "second");
  EXPECT_EQ(box.property("alpha.service", "NeedDaemonReload"), "no");
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service", "beta.service"}));

  const Ended sick =
      host.run({"apply", host.release_with("3.0.0", {{"alpha.service", text("third")}},
                                           {{"beta", "sick"}})});
  EXPECT_EQ(sick.code, 3) << sick.out << sick.err;
  EXPECT_EQ(box.property("alpha.service", "Description"), "second");
  EXPECT_EQ(box.property("alpha.service", "NeedDaemonReload"), "no");
  EXPECT_TRUE(host.at_rest("2.0.0", {"alpha.service", "beta.service"}));
}

TEST(RestartTest, AnOldVersionThatDoesNotStartNeedsAPerson) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  host.daemon("alpha", "ExecStartPre=/bin/sh -c 'test ! -e /run/broken'");
  host.daemon("beta");
  host.doctor("grep -q 2.0.0 /opt/demo/bin/alpha || exit 0; touch /run/broken; exit 1");
  ASSERT_TRUE(host.start());
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 4) << ended.out << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_NE(host.run({"status"}).code, 0);
  EXPECT_NE(host.run({"recover"}).code, 0);
  host.box().shell("rm /run/broken");
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_TRUE(host.at_rest("1.0.0", {"alpha.service", "beta.service"}));
}

TEST(RestartTest, NoRestartAndAnOfflineTreeTouchNoUnit) {
  NEEDS_SYSTEMD();
  ServiceHost host;
  const Box& box = host.box();
  host.daemon("alpha");
  host.daemon("beta");
  ASSERT_TRUE(host.start());
  const auto untouched = [&] {
    std::string text;
    for (const char* unit : {"alpha.service", "beta.service"}) {
      text += box.property(unit, "InvocationID") + " " + box.property(unit, "MainPID") + " ";
    }
    return text;
  };
  const std::string before = untouched();

  // The same paths and units, in a tree that is not the running system.
  const std::string tree = "/var/tmp/tree";
  for (const char* name : {"alpha", "beta"}) {
    write_file(box.outside(tree + "/opt/demo/bin/" + name), host.program("1.0.0"), 0755);
  }
  write_file(box.outside(tree + "/etc/banger/update.toml"),
             "product = 'demo'\n[[file]]\nname = 'alpha'\ndestination = '/opt/demo/bin/alpha'\n"
             "[[file]]\nname = 'beta'\ndestination = '/opt/demo/bin/beta'\n"
             "[restart]\nunits = ['alpha.service', 'beta.service']\n"
             "[trust]\nrequire_signature = false\n");
  write_file(box.outside(tree + "/etc/passwd"), "root:x:0:0::/root:/bin/sh\n");
  write_file(box.outside(tree + "/etc/group"), "root:x:0:\n");
  const std::string release = host.release("2.0.0");
  const Ended offline = host.run({"--root", tree, "apply", release});
  EXPECT_EQ(offline.code, 0) << offline.out << offline.err;
  EXPECT_TRUE(scenario::read_file(box.outside(tree + "/opt/demo/bin/alpha")) ==
              host.program("2.0.0"));
  EXPECT_EQ(host.installed(), "1.0.0");
  EXPECT_EQ(untouched(), before);

  const Ended quiet = host.run({"apply", "--no-restart", release});
  EXPECT_EQ(quiet.code, 0) << quiet.out << quiet.err;
  EXPECT_EQ(host.installed(), "2.0.0");
  EXPECT_EQ(untouched(), before);
}

}  // namespace
}  // namespace update::systemd
