// --root DIR: an image or a rescue system, whose paths are all meant inside DIR, links too.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/scenario/host.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

class Root : public testing::Test {
 protected:
  void SetUp() override {
    image = host.path("image");
    for (const char* name : {"alpha", "beta", "gamma"}) {
      write_file(image + "/usr/local/bin/" + name, program(name, "0.9.0"), 0755);
    }
    release = host.release("1.0.0");
    settings = host.settings();
    settings.state = "/var/lib/demo";
    settings.staging = "/var/cache/demo";
    settings.keys = {};
    settings.restart_command = {};
    settings.doctor_command = {};
    for (InstalledFile& file : settings.files) {
      file.destination = "/usr/local/bin/" + file.name;
    }
    fs::create_directories(image + "/var/lib");
    fs::create_directories(image + "/var/cache");
    configure();
  }

  void configure() const { write_file(image + "/etc/banger/update.toml", to_toml(settings)); }

  Ended run(const Arguments& arguments) const {
    Arguments words = {BANGER_UPDATE_PROGRAM, "--root", image};
    words.insert(words.end(), arguments.begin(), arguments.end());
    return run_process(words);
  }

  std::string alpha() const { return read_file(image + "/usr/local/bin/alpha"); }

  Host host;
  std::string image;
  std::string release;
  Settings settings;
};

TEST_F(Root, UpdatesTheImageUnderItsOwnConfiguration) {
  const Ended ended = run({"--output", "json", "apply", release});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(alpha(), program("alpha", "1.0.0"));
  EXPECT_TRUE(present(image + "/var/lib/demo/journal.db"));
  EXPECT_FALSE(present("/var/lib/demo"));
  Json answer = ended.json();
  EXPECT_EQ(answer["files"][0]["destination"], "/usr/local/bin/alpha");
  EXPECT_EQ(answer["files"][0]["backup"], "/usr/local/bin/alpha.previous");
  EXPECT_FALSE(contains(ended.out, image + "/usr")) << "the output holds paths without DIR";
  EXPECT_EQ(run({"verify"}).code, 0);
  EXPECT_EQ(run({"rollback"}).code, 0);
  EXPECT_EQ(alpha(), program("alpha", "0.9.0"));
}

TEST_F(Root, ErrorsNameNoPathOfTheHostInTheImage) {
  const auto expect_told = [&](const std::string& path) {
    const Ended ended = run({"--output", "json", "apply", release});
    EXPECT_NE(ended.code, 0);
    EXPECT_TRUE(contains(ended.out, path)) << ended.out;
    EXPECT_FALSE(contains(ended.out + ended.err, image + "/")) << ended.out << ended.err;
  };
  fs::rename(image + "/usr/local/bin/alpha", image + "/usr/alpha");
  fs::create_symlink("/usr/alpha", image + "/usr/local/bin/alpha");
  expect_told("/usr/local/bin/alpha is a symbolic link");
  fs::remove(image + "/usr/local/bin/alpha");

  ASSERT_EQ(chmod((image + "/usr/local").c_str(), 0777), 0);
  expect_told("inside the --root: chmod go-w /usr/local");
  ASSERT_EQ(chmod((image + "/usr/local").c_str(), 0755), 0);

  settings.files[0].more = "owner = 'nobody-of-the-image'";
  configure();
  expect_told("in /etc/passwd");
  settings.files[0].more = "";
  configure();

  ASSERT_EQ(run({"apply", release}).code, 0);
  // Found out by a look at its header, and by SQLite.
  const std::string journal = image + "/var/lib/demo/journal.db";
  const std::string sound = read_file(journal);
  for (const std::size_t kept : {std::size_t{0}, std::size_t{100}}) {
    write_file(journal, sound.substr(0, kept) + std::string(sound.size() - kept, 'x'), 0600);
    const Ended status = run({"--output", "json", "status"});
    EXPECT_EQ(status.code, 1) << status.out;
    EXPECT_TRUE(contains(status.out, "/var/lib/demo/journal.db: ")) << status.out;
    EXPECT_FALSE(contains(status.out + status.err, image + "/")) << status.out << status.err;
  }
}

TEST_F(Root, ErrorsOfTheHistoryNameNoPathOfTheHost) {
  NEEDS_ROOT();
  NEEDS_TOOL("chattr");
  const std::string alpha_path = image + "/usr/local/bin/alpha";
  if (run_process({"chattr", "+i", alpha_path}).code != 0) GTEST_SKIP() << "no such attribute here";
  const Ended applied = run({"apply", release});
  run_process({"chattr", "-i", alpha_path});
  EXPECT_NE(applied.code, 0);
  const std::string history = run({"history", "export"}).out;
  EXPECT_TRUE(contains(history, "/usr/local/bin")) << history;
  EXPECT_FALSE(contains(history + applied.err, image + "/")) << history << applied.err;
}

TEST_F(Root, LinksInsideTheImageAreResolvedInsideIt) {
  fs::create_directories(image + "/opt");
  fs::rename(image + "/usr/local", image + "/opt/local");
  fs::create_symlink("/opt/local", image + "/usr/local");
  ASSERT_EQ(run({"apply", release}).code, 0);
  EXPECT_EQ(read_file(image + "/opt/local/bin/alpha"), program("alpha", "1.0.0"));
}

TEST_F(Root, LinkOutOfTheImageDoesNotLeaveIt) {
  fs::create_directories(host.path("outside/local/bin"));
  write_file(host.path("outside/local/bin/alpha"), program("alpha", "0.9.0"), 0755);
  fs::remove_all(image + "/usr");
  fs::create_symlink("../../outside", image + "/usr");
  EXPECT_NE(run({"apply", release}).code, 0);
  EXPECT_EQ(read_file(host.path("outside/local/bin/alpha")), program("alpha", "0.9.0"));
}

TEST_F(Root, HooksOfTheFileRunOnTheHostAndAreToldTheRoot) {
  settings.doctor_command = {"/bin/sh", "-c",
                             "env >" + host.path("seen") + "; test -d \"$BANGER_UPDATE_ROOT\""};
  configure();
  ASSERT_EQ(run({"apply", release}).code, 0);
  EXPECT_TRUE(contains(read_file(host.path("seen")), "BANGER_UPDATE_ROOT=" + image));
}

TEST_F(Root, WithoutADoctorNoneOfTheDefaultIsRun) {
  std::string text = to_toml(settings);
  text.erase(text.find("[restart]"), text.find("[trust]") - text.find("[restart]"));
  write_file(image + "/etc/banger/update.toml", text);
  const Ended ended = run({"--output", "json", "apply", release});
  ASSERT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(ended.json()["outcome"], "committed");
  EXPECT_TRUE(contains(ended.out, "skipped")) << ended.out;
}

TEST_F(Root, OwnersAreNamesOfTheImage) {
  NEEDS_ROOT();
  write_file(image + "/etc/passwd", "root:x:0:0::/:/bin/sh\nsvc:x:4321:4322::/:/bin/sh\n");
  write_file(image + "/etc/group", "root:x:0:\nsvc:x:4322:\n");
  settings.files[0].more = "owner = 'svc'\ngroup = 'svc'";
  configure();
  const Ended ended = run({"apply", release});
  ASSERT_EQ(ended.code, 0) << ended.err;
  struct stat status {};
  ASSERT_EQ(stat((image + "/usr/local/bin/alpha").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, 4321U);
  EXPECT_EQ(status.st_gid, 4322U);
}

TEST_F(Root, OfAnEmptyImageHasNothingToRecover) {
  fs::remove_all(image + "/var/lib");
  EXPECT_EQ(run({"recover", "--boot"}).code, 0);
  EXPECT_FALSE(present(image + "/var/lib"));
}

}  // namespace
}  // namespace update::scenario
