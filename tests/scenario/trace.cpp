#include "tests/scenario/trace.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <regex>

namespace update::scenario {
namespace {

constexpr const char* kChanging =
    "openat,open,write,pwrite64,writev,pwritev,copy_file_range,sendfile,ftruncate,fallocate,"
    "fsync,fdatasync,syncfs,sync_file_range,msync,rename,renameat,renameat2,link,linkat,unlink,"
    "unlinkat,mkdir,mkdirat,rmdir,chmod,fchmod,fchmodat,chown,fchown,fchownat,fsetxattr,"
    "fremovexattr,utimensat,ioctl,flock,kill,clone,clone3,vfork,fork";

// A kill before a call that changes nothing leaves the same as one before the next that does.
bool changes_nothing(const std::string& name, const std::string& text) {
  if (name == "openat" || name == "open") {
    return !contains(text, "O_CREAT") && !contains(text, "O_TRUNC") && !contains(text, "O_TMPFILE");
  }
  if (name == "ioctl") {
    return !contains(text, "CLONE");
  }
  return name == "write" && (text.substr(0, 2) == "1," || text.substr(0, 2) == "2,");
}

std::vector<Call> parse_log(const std::string& log) {
  static const std::regex kLine(R"(^(\w+)\((.*)$)");
  std::vector<Call> calls;
  std::map<std::string, int> counts;
  std::ifstream file(log);
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (std::regex_match(line, match, kLine)) {
      const std::string name = match[1];
      const int nth = ++counts[name];
      if (!changes_nothing(name, match[2])) {
        calls.push_back({name, nth, match[2]});
      }
    }
  }
  return calls;
}

// LeakSanitizer cannot work beside a tracer.
Launch traced(Arguments prefix) {
  const char* set = std::getenv("ASAN_OPTIONS");
  return {{{"ASAN_OPTIONS", (set != nullptr ? std::string(set) + ":" : "") + "detect_leaks=0"}},
          std::move(prefix)};
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() &&
         text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::string optional_names(const std::string& calls) {
  return "trace=?" + std::regex_replace(calls, std::regex(","), ",?");
}

}  // namespace

std::string Call::target() const {
  const std::size_t end = text.rfind('"');
  if (end == std::string::npos || end == 0) {
    return "";
  }
  const std::size_t begin = text.rfind('"', end - 1);
  const std::string path = text.substr(begin + 1, end - begin - 1);
  return path.substr(path.rfind('/') + 1);
}

Arguments strace(const std::string& log, const std::string& calls, const std::string& injection) {
  // A leading ? lets strace pass over a call that this machine does not have.
  Arguments words = {"strace", "-qq", "-s", "200", "-o", log, "-e", optional_names(calls)};
  if (!injection.empty()) {
    words.insert(words.end(), {"-e", "inject=" + injection});
  }
  words.emplace_back("--");
  return words;
}

Scenario second_update() {
  return {[](Host& host) { host.install("1.0.0"); },
          [](const Host& host) {
            return Arguments{"apply", host.release("2.0.0")};
          }};
}

std::vector<Call> record(const Scenario& scenario) {
  Host twin;
  scenario.prepare(twin);
  const std::string log = twin.path("calls.log");
  const Ended ended = twin.run(scenario.command(twin), traced(strace(log, kChanging, "")));
  EXPECT_EQ(ended.signal, 0) << ended.err;
  std::vector<Call> calls = parse_log(log);
  EXPECT_FALSE(calls.empty()) << ended.err;
  return calls;
}

std::vector<Call> swaps(const std::vector<Call>& calls) {
  std::vector<Call> found;
  for (const Call& call : calls) {
    const std::string target = call.target();
    if (call.name.substr(0, 6) == "rename" &&
        (target == "alpha" || target == "beta" || target == "gamma")) {
      found.push_back(call);
    }
  }
  return found;
}

std::vector<Call> making(const std::vector<Call>& calls, const std::string& ending) {
  std::vector<Call> found;
  for (const Call& call : calls) {
    if (ends_with(call.target(), ending)) {
      found.push_back(call);
    }
  }
  return found;
}

Ended kill_at(const Host& host, const Scenario& scenario, const Call& call) {
  return host.run(scenario.command(host),
                  traced(strace("/dev/null", call.name,
                                call.name + ":signal=KILL:when=" + std::to_string(call.nth))));
}

void crash(Host& host, const Scenario& scenario, const Call& call) {
  scenario.prepare(host);
  const Ended ended = kill_at(host, scenario, call);
  ASSERT_EQ(ended.signal, SIGKILL) << call.name << " " << call.nth << " was not reached: code "
                                   << ended.code << ended.out << ended.err;
}

void crash_in_swap(Host& host, std::size_t swapped) {
  static const std::vector<Call> kSwaps = swaps(record(second_update()));
  ASSERT_EQ(kSwaps.size(), 3U) << "the swap is one rename for each file";
  ASSERT_LT(swapped, kSwaps.size());
  crash(host, second_update(), kSwaps[swapped]);
}

}  // namespace update::scenario
