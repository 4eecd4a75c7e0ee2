#include "tests/scenario/trace.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

namespace update::scenario {
namespace {

const std::set<std::string>& changing_names() {
  static const std::set<std::string> kNames = {"openat",
                                               "open",
                                               "write",
                                               "pwrite64",
                                               "writev",
                                               "pwritev",
                                               "copy_file_range",
                                               "sendfile",
                                               "ftruncate",
                                               "fallocate",
                                               "fsync",
                                               "fdatasync",
                                               "syncfs",
                                               "sync_file_range",
                                               "msync",
                                               "rename",
                                               "renameat",
                                               "renameat2",
                                               "link",
                                               "linkat",
                                               "unlink",
                                               "unlinkat",
                                               "mkdir",
                                               "mkdirat",
                                               "rmdir",
                                               "chmod",
                                               "fchmod",
                                               "fchmodat",
                                               "chown",
                                               "fchown",
                                               "fchownat",
                                               "fsetxattr",
                                               "fremovexattr",
                                               "utimensat",
                                               "ioctl",
                                               "flock",
                                               "kill",
                                               "clone",
                                               "clone3",
                                               "vfork",
                                               "fork"};
  return kNames;
}

// A line of a log: "name(text", behind the number of the thread where children are followed.
struct Line {
  std::string thread;
  std::string name;
  std::string text;
};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// False for signals, exits, and the second half of a call that another thread interrupted.
bool parse_line(std::string_view line, bool with_threads, Line& parsed) {
  if (with_threads) {
    const std::size_t end = line.find(' ');
    parsed.thread = line.substr(0, end);
    line.remove_prefix(std::min(line.size(), line.find_first_not_of(' ', end)));
  }
  const std::size_t open = line.find('(');
  if (open == std::string_view::npos || open == 0) return false;
  for (const char c : line.substr(0, open)) {
    if (!is_word(c)) return false;
  }
  parsed.name = line.substr(0, open);
  parsed.text = line.substr(open + 1);
  return true;
}

Recording parse_log(const std::string& log) {
  Recording recording;
  std::map<std::string, int> counts;
  std::string main_thread;
  bool in_main = false;
  std::ifstream file(log);
  for (std::string text; std::getline(file, text);) {
    Line line;
    if (!parse_line(text, true, line)) continue;
    if (main_thread.empty()) main_thread = line.thread;
    Call call = {line.name, 0, line.text};
    if (line.thread != main_thread) {
      recording.changing_elsewhere += changes_something(call) ? 1U : 0U;
      continue;
    }
    call.nth = ++counts[line.name];
    // The first that main() does (os::prepare_process). What the loader and the C library do before
    // is not this program's to get right.
    in_main = in_main || line.name == "umask";
    if (in_main) {
      recording.calls.push_back(std::move(call));
    } else {
      ++recording.before_main[line.name];
    }
  }
  EXPECT_TRUE(in_main) << "main() was not come to";
  return recording;
}

std::vector<Call> parse_faulted(const std::string& log) {
  std::vector<Call> calls;
  std::map<std::string, int> counts;
  std::ifstream file(log);
  for (std::string text; std::getline(file, text);) {
    Line line;
    if (parse_line(text, false, line)) calls.push_back({line.name, ++counts[line.name], line.text});
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

// A leading ? lets strace pass over a call that this machine does not have.
std::string optional_names(const std::string& calls) {
  std::string names = "trace=";
  for (std::size_t at = 0; at < calls.size();) {
    const std::size_t end = std::min(calls.find(',', at), calls.size());
    names += (at == 0 ? "?" : ",?") + calls.substr(at, end - at);
    at = end + 1;
  }
  return names;
}

// The last "…" of the arguments, and what stands before it.
std::pair<std::string, std::string> last_quoted(const std::string& text) {
  const std::size_t end = text.rfind('"');
  if (end == std::string::npos || end == 0) return {};
  const std::size_t begin = text.rfind('"', end - 1);
  if (begin == std::string::npos) return {};
  return {text.substr(begin + 1, end - begin - 1), text.substr(0, begin)};
}

// The last <path> that strace -y prints behind a descriptor.
std::string last_described(const std::string& text) {
  const std::size_t begin = text.rfind("</");
  const std::size_t end = text.find('>', begin == std::string::npos ? 0 : begin);
  if (begin == std::string::npos || end == std::string::npos) return "";
  return text.substr(begin + 1, end - begin - 1);
}

// What such a call prints in quotes is bytes, not a name.
bool moves_bytes(const std::string& name) {
  return name == "read" || name == "pread64" || name == "write" || name == "pwrite64";
}

}  // namespace

std::string Call::target() const {
  const std::string path = last_quoted(text).first;
  return path.substr(path.rfind('/') + 1);
}

std::string Call::path() const {
  const std::string arguments = text.substr(0, text.rfind(" = "));
  const auto [file, before] = last_quoted(arguments);
  if (file.empty() || moves_bytes(name)) {
    return last_described(arguments.substr(0, arguments.find('"')));
  }
  if (file.front() == '/') return file;
  const std::string folder = last_described(before);
  return folder + (ends_with(folder, "/") ? "" : "/") + file;
}

bool Call::injected() const {
  return ends_with(text, "(INJECTED)");
}

Arguments strace(const std::string& log, const std::string& calls, const std::string& injection) {
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

bool changes_something(const Call& call) {
  if (!changing_names().contains(call.name)) return false;
  if (call.name == "openat" || call.name == "open") {
    return contains(call.text, "O_CREAT") || contains(call.text, "O_TRUNC") ||
           contains(call.text, "O_TMPFILE");
  }
  if (call.name == "ioctl") return contains(call.text, "CLONE");
  const bool to_a_person = call.text.substr(0, 2) == "1<" || call.text.substr(0, 2) == "2<";
  return call.name != "write" || !to_a_person;
}

Recording record_on(Host& host, const Scenario& scenario) {
  scenario.prepare(host);
  const std::string log = host.path("calls.log");
  const Arguments tracer = {"strace", "-f", "-y", "-qq", "-s", "200", "-o", log, "--"};
  Ended ended = host.run(scenario.command(host), traced(tracer));
  EXPECT_EQ(ended.signal, 0) << ended.err;
  Recording recording = parse_log(log);
  recording.ended = std::move(ended);
  return recording;
}

Recording record_all(const Scenario& scenario) {
  Host twin;
  return record_on(twin, scenario);
}

std::vector<Call> changing(const Recording& recording) {
  std::vector<Call> found;
  std::copy_if(recording.calls.begin(), recording.calls.end(), std::back_inserter(found),
               changes_something);
  EXPECT_FALSE(found.empty());
  return found;
}

std::vector<Call> record(const Scenario& scenario) {
  return changing(record_all(scenario));
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

Faulted run_with_faults(const Host& host, const Scenario& scenario,
                        const std::vector<Fault>& faults, const std::string& also,
                        const Arguments& starter) {
  std::string names = also;
  Arguments injections;
  for (const Fault& fault : faults) {
    names += (names.empty() ? "" : ",") + fault.name;
    injections.insert(injections.end(), {"-e", "inject=" + fault.name + ":error=" + fault.error +
                                                   ":when=" + fault.when});
  }
  const std::string log = host.path("faults.log");
  Arguments tracer = {"strace", "-y", "-qq", "-s", "200", "-o", log, "-e", optional_names(names)};
  tracer.insert(tracer.end(), injections.begin(), injections.end());
  tracer.emplace_back("--");
  tracer.insert(tracer.end(), starter.begin(), starter.end());
  Ended ended = host.run(scenario.command(host), traced(std::move(tracer)));
  return {std::move(ended), parse_faulted(log)};
}

}  // namespace update::scenario
