// What a user of the installed programs would notice of an update: threads that open, hash and
// execute each destination in a tight loop until SIGTERM, and count what should never be seen.

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "engine/base/sha256.hpp"

extern char** environ;

namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 18U;

struct Counts {
  std::atomic<long> rounds{0};
  std::atomic<long> missing{0};         // ENOENT, of open or of execve
  std::atomic<long> torn{0};            // bytes of no version
  std::atomic<long> not_executable{0};  // ETXTBSY, EACCES, ENOEXEC
  std::atomic<long> failed{0};          // anything else: another error, or it did not exit with 0

  long bad() const { return missing + torn + not_executable + failed; }
};

struct Job {
  std::vector<std::string> destinations;
  std::set<std::string, std::less<>> digests;
};

void count_error(Counts& counts, const char* call, const std::string& path, int error) {
  std::fprintf(stderr, "%s %s: %s\n", call, path.c_str(), std::strerror(error));
  if (error == ENOENT) {
    ++counts.missing;
  } else if (error == ETXTBSY || error == EACCES || error == ENOEXEC) {
    ++counts.not_executable;
  } else {
    ++counts.failed;
  }
}

void hash(const std::string& path, const Job& job, Counts& counts, std::vector<std::byte>& buffer) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return count_error(counts, "open", path, errno);
  update::Sha256 sha256;
  ssize_t got = 0;
  while ((got = read(file, buffer.data(), buffer.size())) > 0) {
    sha256.update(std::span(buffer).first(static_cast<std::size_t>(got)));
  }
  const int error = errno;
  close(file);
  if (got < 0) return count_error(counts, "read", path, error);
  const std::string digest = sha256.finish().hex();
  if (job.digests.find(digest) != job.digests.end()) return;
  std::fprintf(stderr, "%s holds the bytes of no version: %s\n", path.c_str(), digest.c_str());
  ++counts.torn;
}

void execute(const std::string& path, Counts& counts) {
  std::string name = path;
  char* arguments[] = {name.data(), nullptr};
  pid_t child = -1;
  const int error = posix_spawn(&child, path.c_str(), nullptr, nullptr, arguments, environ);
  if (error != 0) return count_error(counts, "execve", path, error);
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return count_error(counts, "waitpid", path, errno);
  }
  if (status == 0) return;
  std::fprintf(stderr, "%s ended with status %#x\n", path.c_str(), static_cast<unsigned>(status));
  ++counts.failed;
}

void read_until(const std::atomic<bool>& stop, const Job& job, Counts& counts) {
  std::vector<std::byte> buffer(kBuffer);
  while (!stop) {
    for (const std::string& path : job.destinations) {
      hash(path, job, counts, buffer);
      execute(path, counts);
    }
    ++counts.rounds;
  }
}

bool parse(int argc, char** argv, int& threads, Job& job) {
  if (argc < 2) return false;
  const std::string_view count = argv[1];
  const auto parsed = std::from_chars(count.data(), count.data() + count.size(), threads);
  if (parsed.ec != std::errc() || threads < 1) return false;
  int i = 2;
  for (; i < argc && std::string_view(argv[i]) != "--"; ++i) job.destinations.emplace_back(argv[i]);
  for (++i; i < argc; ++i) job.digests.emplace(argv[i]);
  return !job.destinations.empty() && !job.digests.empty();
}

}  // namespace

int main(int argc, char** argv) {
  int thread_count = 0;
  Job job;
  if (!parse(argc, argv, thread_count, job)) {
    std::fputs("usage: update_loop_reader THREADS DESTINATION... -- SHA256...\n", stderr);
    return 2;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  // Blocked before the threads begin, which inherit it, so that only the descriptor sees them.
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const int signals = signalfd(-1, &ends, SFD_CLOEXEC);
  if (signals < 0) {
    std::perror("signalfd");
    return 2;
  }
  Counts counts;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < thread_count; ++i) {
    threads.emplace_back([&] { read_until(stop, job, counts); });
  }
  std::puts("ready");
  std::fflush(stdout);
  pollfd waits{signals, POLLIN, 0};
  while (poll(&waits, 1, -1) < 0 && errno == EINTR) {
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  std::printf(
      "{\"rounds\": %ld, \"missing\": %ld, \"torn\": %ld, \"not_executable\": %ld, "
      "\"failed\": %ld}\n",
      counts.rounds.load(), counts.missing.load(), counts.torn.load(), counts.not_executable.load(),
      counts.failed.load());
  return counts.bad() == 0 ? 0 : 1;
}
