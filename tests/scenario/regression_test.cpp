// Bugs that were found in the program, each by the name of what went wrong.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>

#include "tests/scenario/host.hpp"
#include "tests/scenario/trace.hpp"

namespace update::scenario {
namespace {
namespace fs = std::filesystem;

TEST(Regression, ADestinationThatIsAnothersBackupThroughALinkIsRefused) {
  Host host;
  fs::create_directory_symlink(host.path("bin"), host.path("alias"));
  const std::string beta = host.settings().files[1].name;
  host.configure([&](Settings& s) {
    s.files[1].destination = host.path(
        "alias/" + fs::path(s.files[0].destination).filename().string() + s.backup_suffix);
  });
  const auto before = host.snapshot("bin");
  EXPECT_EQ(host.run({"apply", host.release("1.0.0")}).code, 2);
  EXPECT_EQ(host.snapshot("bin"), before) << beta;
}

TEST(Regression, OneReadErrorDoesNotSetASoundJournalAside) {
  NEEDS_TOOL("strace");
  // Each read of a rollback fails once; whatever it answers, the history must still be there.
  for (int nth = 20; nth <= 200; nth += 20) {
    Host host;
    host.install("1.0.0");
    host.install("2.0.0");
    Launch launch;
    launch.prefix =
        strace(host.path("trace.log"), "pread64", "pread64:error=EIO:when=" + std::to_string(nth));
    host.run({"rollback"}, launch);
    for (const auto& entry : fs::directory_iterator(host.path("state"))) {
      EXPECT_FALSE(contains(entry.path().filename().string(), "broken")) << "read " << nth;
    }
    host.run({"recover"});
    EXPECT_GE(host.json({"history"}).size(), 2U) << "read " << nth;
  }
}

TEST(Regression, RollbackReturnsToWhatTheUpdateReplacedNotToWhatWasOnceInstalled) {
  Host host;
  host.install("1.0.0");
  const std::string hotfix = "#!/bin/sh\necho somebody mended this by hand\n";
  write_file(host.bin("beta"), hotfix, 0755);
  host.install("2.0.0");
  EXPECT_EQ(host.run({"rollback"}).code, 0);
  EXPECT_EQ(read_file(host.bin("beta")), hotfix);
}

TEST(Regression, AFolderThatIsExchangedUnderAnUpdateNeedsAPerson) {
  for (const std::string verdict : {"0", "1"}) {
    Host host;
    host.install("1.0.0");
    host.doctor("if [ \"$installed\" = 2.0.0 ]; then mv '" + host.path("bin") + "' '" +
                host.path("bin2") + "'; cp -a '" + host.path("bin2") + "' '" + host.path("bin") +
                "'; exit " + verdict + "; fi");
    EXPECT_EQ(host.run({"apply", host.release("2.0.0")}).code, 4) << "the doctor says " << verdict;
  }
}

// The lack of descriptors says nothing of the folder.
TEST(Regression, AFolderThatCannotBeLookedAtIsNotOneThatWasExchanged) {
  Host host;
  host.install("1.0.0");
  host.doctor("test \"$installed\" = 2.0.0 && prlimit --nofile=12:4096 --pid $PPID\nexit 0\n");
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 10) << ended.out << ended.err;
  EXPECT_FALSE(contains(ended.err, "not the folder any more")) << ended.err;
  host.doctor("exit 0\n");
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_TRUE(host.leftovers().empty());
}

TEST(Regression, AClosedStandardInputIsNoEmptyFile) {
  Host host;
  const std::string image = host.path("image");
  ASSERT_EQ(host.run({"ext4", "mkfs", image, "--size", "8MiB"}).code, 0);
  Launch launch;
  launch.prefix = {"sh", "-c", "exec \"$@\" <&-", "sh"};
  EXPECT_EQ(host.run({"ext4", "put", image, "-", "/f"}, launch).code, 1);
  EXPECT_EQ(host.run({"ext4", "stat", image, "/f"}).code, 9);
}

TEST(Regression, WhereTheFirstUpdateWasUndoneNothingIsVerified) {
  Host host;
  host.doctor("test \"$installed\" != 1.0.0\n");
  ASSERT_EQ(host.run({"apply", host.release("1.0.0")}).code, 3);
  EXPECT_EQ(host.run({"verify"}).code, 9);
}

TEST(Regression, WhatCannotBePrintedIsNotExitZero) {
  Host host;
  host.install("1.0.0");
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  ASSERT_GE(full, 0);
  Launch launch;
  launch.stdout_fd = full;
  EXPECT_EQ(host.run({"status"}, launch).code, 1);
  for (const Arguments& dry_run : {Arguments{"apply", "--dry-run", host.release("2.0.0")},
                                   {"recover", "--dry-run"},
                                   {"rollback", "--dry-run"}}) {
    EXPECT_EQ(host.run(dry_run, launch).code, 1) << dry_run.front();
  }
  // An update is what it is, whoever can read of it.
  EXPECT_EQ(host.run({"apply", host.release("2.0.0")}, launch).code, 0);
  close(full);
}

TEST(Regression, ALimitOfFileSizeIsAnErrorAndNoDeath) {
  Host host;
  host.install("1.0.0");
  Launch launch;
  launch.prefix = {"/bin/sh", "-c", "ulimit -f 0; exec \"$@\"", "sh"};
  const Ended ended = host.run({"apply", host.release("2.0.0")}, launch);
  EXPECT_EQ(ended.signal, 0);
  EXPECT_NE(ended.code, 0);
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Regression, AFolderByTheNameOfTheOldVersionIsNamedBeforeAnythingBegins) {
  Host host;
  host.install("1.0.0");
  fs::remove(host.bin("beta.previous"));
  fs::create_directory(host.bin("beta.previous"));
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 1);
  EXPECT_TRUE(contains(ended.err, "beta.previous")) << ended.err;
  EXPECT_EQ(host.installed(), "1.0.0");
}

TEST(Regression, AStateFolderThatIsNotMountedIsNotNoUpdates) {
  Host host;
  host.install("1.0.0");
  fs::rename(host.path("state"), host.path("elsewhere"));
  fs::create_directory_symlink(host.path("not-mounted"), host.path("state"));
  for (const Arguments& command :
       {Arguments{"status"}, Arguments{"history"}, Arguments{"recover"}}) {
    EXPECT_EQ(host.run(command).code, 1) << command.front();
  }
}

TEST(Regression, AnUnfinishedUpdateOfAFileThatIsNotConfiguredAnyMoreIsStillTold) {
  NEEDS_TOOL("strace");
  Host host;
  crash_in_swap(host, 1);
  host.configure([](Settings& s) { s.files.pop_back(); });
  Json status = host.json({"status"}, 4);
  EXPECT_EQ(status["unfinished"]["phase"], "swap");
  EXPECT_EQ(host.run({"recover"}).code, 4);
}

TEST(Regression, ARecoveryThatCannotShowItsResultStillSaysThatTheHostIsWell) {
  NEEDS_TOOL("strace");
  const Scenario recovery = {[](Host& host) { crash_in_swap(host, 1); },
                             [](const Host&) {
                               return Arguments{"--output", "json", "recover"};
                             }};
  // At the end the state folder is looked at once more, to tell what became of the update.
  Fault last{"newfstatat", "EIO", ""};
  for (const Call& call : record_all(recovery).calls) {
    if (call.name == last.name && call.target() == "head") last.when = std::to_string(call.nth);
  }
  ASSERT_FALSE(last.when.empty());
  Host host;
  recovery.prepare(host);
  const Faulted faulted = run_with_faults(host, recovery, {last});
  EXPECT_EQ(faulted.ended.code, 0) << faulted.ended.out << faulted.ended.err;
  EXPECT_EQ(host.installed(), "2.0.0");
  Json told = faulted.ended.json();
  EXPECT_EQ(told["recovered"]["phase"], "committed") << told.dump();
  EXPECT_TRUE(contains(faulted.ended.err, "cannot be read again")) << faulted.ended.err;
}

TEST(Regression, AFirstInstallThatWasStoppedAtItsEndHasAHistoryThatVerifies) {
  NEEDS_TOOL("strace");
  const Scenario first = {[](Host& host) {
                            for (const InstalledFile& file : host.settings().files) {
                              fs::remove(file.destination);
                            }
                          },
                          [](const Host& host) {
                            return Arguments{"apply", host.release("2.0.0")};
                          }};
  std::vector<Call> written;
  for (const Call& call : record(first)) {
    if (call.name == "pwrite64") written.push_back(call);
  }
  Host host;
  crash(host, first, written.back());  // the head, after the outcome
  ASSERT_EQ(host.run({"recover"}).code, 0);
  const Ended verified = host.run({"history", "verify"});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
}

// What a reader beside a running update looks at may be renamed between its lookup and its open.
TEST(Regression, StatusLooksAtAFileThatIsRenamedMeanwhile) {
  NEEDS_TOOL("strace");
  const std::vector<Call> backups = making(record(second_update()), ".backup");
  ASSERT_GE(backups.size(), 2U);
  Host host;
  crash(host, second_update(), backups[1]);
  const Scenario status = {[](Host&) {}, [](const Host&) { return Arguments{"status"}; }};
  std::size_t vanished = 0;
  std::map<std::string, int> count;
  for (const Call& call : run_with_faults(host, status, {}, "openat").calls) {
    const int nth = ++count[call.name];
    const bool ours = contains(call.text, ".staged\"") || contains(call.text, "\"alpha\"");
    if (call.name != "openat" || !ours) continue;
    ++vanished;
    const Faulted faulted =
        run_with_faults(host, status, {{"openat", "ENOENT", std::to_string(nth)}});
    EXPECT_EQ(faulted.ended.code, 10) << call.text << "\n" << faulted.ended.err;
  }
  EXPECT_GT(vanished, 0U) << "no file was read";
}

/// As SQLite's first connection does when it opens the journal: the index of the WAL is emptied,
/// and made anew only after others can see that (unixLockSharedMemory in SQLite's os_unix.c).
class EmptiedIndex {
 public:
  explicit EmptiedIndex(const Host& host)
      : lock_(open(host.path("state/lock").c_str(), O_RDWR | O_CLOEXEC)),
        index_(open(host.path("state/journal.db-shm").c_str(), O_RDWR | O_CLOEXEC)),
        header_(kHeaderBytes, '\0') {
    constexpr off_t kSomebodyIsConnected = 128;
    struct flock connected = {};
    connected.l_type = F_RDLCK;
    connected.l_whence = SEEK_SET;
    connected.l_start = kSomebodyIsConnected;
    connected.l_len = 1;
    EXPECT_EQ(flock(lock_, LOCK_EX | LOCK_NB), 0);
    EXPECT_EQ(fcntl(index_, F_SETLK, &connected), 0);
    EXPECT_EQ(pread(index_, header_.data(), kHeaderBytes, 0), static_cast<ssize_t>(kHeaderBytes));
    write_header(std::string(kHeaderBytes, '\0'));
  }
  ~EmptiedIndex() {
    close(index_);
    close(lock_);
  }
  EmptiedIndex(const EmptiedIndex&) = delete;
  EmptiedIndex& operator=(const EmptiedIndex&) = delete;

  void make_anew() { write_header(header_); }

 private:
  static constexpr std::size_t kHeaderBytes = 136;

  void write_header(const std::string& bytes) const {
    EXPECT_EQ(pwrite(index_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }

  int lock_;
  int index_;
  std::string header_;
};

bool has_open(pid_t pid, const std::string& ending) {
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc/" + std::to_string(pid) + "/fd", gone)) {
    const std::string target = fs::read_symlink(entry.path(), gone).string();
    if (!gone && target.ends_with(ending)) return true;
  }
  return false;
}

TEST(Regression, AReaderWaitsForAnUpdaterThatJustOpensTheJournal) {
  Host host;
  crash_in_swap(host, 1);
  EmptiedIndex index(host);
  Process status(host.command({"status"}));
  ASSERT_TRUE(eventually([&] { return has_open(status.pid(), "-shm"); }));
  index.make_anew();
  const Ended ended = status.wait();
  EXPECT_EQ(ended.code, 10) << ended.err;
}

TEST(Regression, AReaderDoesNotWaitForEver) {
  Host host;
  crash_in_swap(host, 1);
  const EmptiedIndex index(host);
  const Ended ended = host.run({"status"});
  EXPECT_EQ(ended.code, 5) << ended.err;
  EXPECT_TRUE(contains(ended.err, "while an update runs")) << ended.err;
}

/// As an updater leaves it that is stopped right after it has begun the WAL, or a power cut that
/// keeps a part of it: nothing that is committed is in there, nor can an index be made of it.
TEST(Regression, AWalWithoutAFrameIsNotLookedAtForSeconds) {
  NEEDS_TOOL("sqlite3");
  Host host;
  host.install("1.0.0");
  const std::string journal = host.path("state/journal.db");
  const std::string wal = read_file(journal + "-wal");
  const std::string index = read_file(journal + "-shm");
  ASSERT_GT(wal.size(), 32U);
  ASSERT_EQ(run_process({"sqlite3", journal, "PRAGMA wal_checkpoint(TRUNCATE)"}).code, 0);
  for (const std::string& rest : {wal.substr(0, 32), std::string(500, 'x')}) {
    for (const char* command : {"history", "status", "recover"}) {
      write_file(journal + "-wal", rest, 0600);
      write_file(journal + "-shm", index, 0600);
      const auto start = std::chrono::steady_clock::now();
      const Ended ended = host.run({command});
      EXPECT_EQ(ended.code, 0) << command << ": " << ended.err;
      EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5)) << command;
    }
  }
  EXPECT_EQ(host.json({"history"}).size(), 1U);
}

TEST(Regression, ARefusedUpdateTellsWhatWasRecoveredFirst) {
  NEEDS_TOOL("strace");
  for (const bool json : {true, false}) {
    Host host;
    crash_in_swap(host, 1);
    const std::string older = host.release("0.1.0");
    if (json) {
      Json answer = host.json({"apply", older}, 6);
      EXPECT_EQ(answer["error"]["code"], 6) << answer.dump();
      EXPECT_TRUE(answer["transaction"].is_null()) << answer.dump();
      EXPECT_EQ(answer["recovered"]["outcome"], "rolled_back") << answer.dump();
    } else {
      const Ended ended = host.run({"apply", older});
      EXPECT_EQ(ended.code, 6) << ended.err;
      EXPECT_TRUE(contains(ended.out, "was recovered first: rolled_back")) << ended.out;
    }
  }
}

// Under a limit on tasks pthread_create(3) gives EAGAIN, and the program was aborted.
TEST(Regression, AnUpdateOfLargeFilesNeedsNoThreads) {
  NEEDS_TOOL("strace");
  Host host;
  const std::string large = program("alpha", "1.0.0") + std::string(std::size_t{8} << 20U, '#');
  const std::string release = host.release_with("1.0.0", [&](Json& manifest) {
    manifest["files"][0]["sha256"] = sha256_of(large);
    manifest["files"][0]["size"] = large.size();
  });
  write_file(release + "/alpha", large, 0755);
  Launch limited;
  limited.prefix = strace(host.path("trace.log"), "clone3", "clone3:error=EAGAIN");
  const Ended ended = host.run({"apply", "--no-restart", "--no-doctor", release}, limited);
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_TRUE(contains(read_file(host.path("trace.log")), "EAGAIN")) << "no thread was wanted";
  EXPECT_EQ(read_file(host.bin("alpha")), large);
}

// It was committed, with 0, in a journal that nobody would find.
TEST(Regression, AnUpdateWhoseStateFolderIsMovedAwayIsNotCommitted) {
  Host host;
  host.install("1.0.0");
  const std::string state = host.path("state");
  const std::string moved = host.path("moved");
  host.doctor("test \"$BANGER_UPDATE_PHASE\" != doctor || mv " + state + " " + moved);
  const Ended ended = host.run({"apply", host.release("2.0.0")});
  EXPECT_EQ(ended.code, 4) << ended.out << ended.err;
  EXPECT_TRUE(contains(ended.err, state)) << ended.err;
  host.doctor("exit 0");
  std::filesystem::rename(moved, state);
  // Every file is new, and the doctor had found them well.
  EXPECT_EQ(host.run({"recover"}).code, 0);
  EXPECT_EQ(host.json({"status"})["installed_version"], "2.0.0");
  EXPECT_EQ(host.installed(), "2.0.0");
}

}  // namespace
}  // namespace update::scenario
