// The same program for somebody who may not do what is asked of it.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {

constexpr uid_t kNobody = 65534;

Launch as_nobody() {
  return {{}, {"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"}};
}

bool nobody_can_run() {
  return run_process({BANGER_UPDATE_PROGRAM, "--version"}, as_nobody()).code == 0;
}

#define NEEDS_NOBODY()                                                    \
  NEEDS_ROOT();                                                           \
  NEEDS_TOOL("setpriv");                                                  \
  if (!nobody_can_run()) {                                                \
    GTEST_SKIP() << "the program lies where user nobody cannot reach it"; \
  }                                                                       \
  static_assert(true)

TEST(Permission, ToChangeADestinationIsMissing) {
  NEEDS_NOBODY();
  Host host;
  ASSERT_EQ(mkdir(host.path("nobodys").c_str(), 0700), 0);
  ASSERT_EQ(chown(host.path("nobodys").c_str(), kNobody, kNobody), 0);
  host.configure([&](Settings& s) {
    s.state = host.path("nobodys/state");
    s.staging = host.path("nobodys/staging");
  });
  const Ended ended = host.run({"apply", host.release("1.0.0")}, as_nobody());
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_EQ(host.installed(), "0.9.0");
  EXPECT_TRUE(host.leftovers().empty());
}

TEST(Permission, ToReadTheConfigurationIsMissing) {
  NEEDS_NOBODY();
  Host host;
  ASSERT_EQ(chmod(host.path("update.toml").c_str(), 0600), 0);
  EXPECT_EQ(host.run({"config", "check"}, as_nobody()).code, 2);
}

TEST(Permission, ToReadTheStateIsMissingAndThatIsNotToldAsNoUpdates) {
  NEEDS_NOBODY();
  Host host;
  host.install("1.0.0");
  for (const Arguments& command : {Arguments{"status"}, {"history"}, {"recover"}}) {
    const Ended ended = host.run(command, as_nobody());
    EXPECT_NE(ended.code, 0) << command[0] << ended.out << ended.err;
    EXPECT_FALSE(ended.err.empty()) << command[0];
  }
}

TEST(Permission, OfAnOrdinaryUserIsEnoughForWhatIsTheirs) {
  NEEDS_NOBODY();
  Host host;
  host.release("1.0.0");
  ASSERT_EQ(run_process({"chown", "-R", "65534:65534", host.path("")}).code, 0);
  const Ended ended = host.run({"apply", host.path("releases/1.0.0")}, as_nobody());
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
}

}  // namespace
}  // namespace update::scenario
