#include "tests/crash/crowd/crowd.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <thread>

#include "tests/scenario/host.hpp"

namespace update::crash {

using scenario::Ended;
using std::chrono::milliseconds;

namespace {

constexpr milliseconds kLook{10};
constexpr unsigned kPauseMs = 1000;
// An update takes a second or two in such a crowd.
constexpr unsigned kKilledWithinMs = 2000;
constexpr unsigned kPercent = 100;
constexpr unsigned kKilledOfWriters = 35;
constexpr unsigned kKilledOfReaders = 10;
constexpr unsigned kKilledByTerm = 25;
// By a signal: as a shell tells it.
constexpr int kSignalled = 128;

}  // namespace

Crowd::Crowd(const scenario::Host& host, std::size_t size, std::uint64_t seed)
    : host_(host), generator_(seed), members_(size) {
  // The hooks of an updater that was killed become children of this process (prctl(2)), which can
  // then wait for them.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
}

unsigned Crowd::random(unsigned limit) {
  return static_cast<unsigned>(generator_() % limit);
}

const Errand& Crowd::choose() {
  unsigned all = 0;
  for (const Errand& errand : errands_) all += errand.weight;
  unsigned chosen = random(all);
  for (const Errand& errand : errands_) {
    if (chosen < errand.weight) return errand;
    chosen -= errand.weight;
  }
  return errands_.back();
}

void Crowd::start(Member& member) {
  member.errand = choose();
  const unsigned killed = member.errand.reads_only ? kKilledOfReaders : kKilledOfWriters;
  const bool dies = random(kPercent) < killed;
  member.signal = !dies ? 0 : random(kPercent) < kKilledByTerm ? SIGTERM : SIGKILL;
  member.sent.clear();
  member.process = std::make_unique<scenario::Process>(host_.command(member.errand.arguments));
  member.starts = Clock::now();
  member.killed_at = member.starts + milliseconds(random(kKilledWithinMs));
  ++started_;
}

void Crowd::judge(Member& member, const Ended& ended) {
  const int code = ended.signal != 0 ? kSignalled + ended.signal : ended.code;
  ++ends_[member.errand.name][code];
  const bool by_us = member.sent.contains(code - kSignalled);
  killed_ += by_us ? 1U : 0U;
  if (!by_us && !member.errand.codes.contains(code)) {
    findings_.push_back(member.errand.name + " ended with " + std::to_string(code) +
                        (member.sent.empty() ? "" : " after a signal") + ": " +
                        ended.out.substr(0, 300) + ended.err);
  }
  if (member.errand.reads_only && ended.signal == 0) {
    reader_times_.push_back(std::chrono::duration_cast<milliseconds>(Clock::now() - member.starts));
  }
}

void Crowd::send(Member& member, int signal) {
  member.process->send(signal);
  member.sent.insert(signal);
}

void Crowd::look_after(Member& member) {
  if (!member.process) {
    if (Clock::now() >= member.starts) start(member);
    return;
  }
  if (!member.process->running()) {
    judge(member, member.process->wait());
    member.process.reset();
    member.starts = Clock::now() + milliseconds(random(kPauseMs));
  } else if (member.signal != 0 && member.sent.empty() && Clock::now() >= member.killed_at) {
    send(member, member.signal);
  }
}

void Crowd::work(milliseconds duration) {
  const Clock::time_point end = Clock::now() + duration;
  while (Clock::now() < end) {
    for (Member& member : members_) look_after(member);
    std::this_thread::sleep_for(kLook);
  }
}

void Crowd::end_members() {
  for (Member& member : members_) {
    if (member.process) send(member, SIGKILL);
  }
  for (Member& member : members_) {
    if (member.process) judge(member, member.process->wait());
    member.process.reset();
    member.starts = Clock::now();
  }
}

void Crowd::stop() {
  end_members();
  while (waitpid(-1, nullptr, 0) > 0) {
  }
}

std::size_t Crowd::ended(const std::string& name, int code) const {
  const auto errand = ends_.find(name);
  if (errand == ends_.end()) return 0;
  const auto found = errand->second.find(code);
  return found == errand->second.end() ? 0 : found->second;
}

milliseconds Crowd::slowest_reader() const {
  const auto slowest = std::max_element(reader_times_.begin(), reader_times_.end());
  return slowest == reader_times_.end() ? milliseconds(0) : *slowest;
}

std::string Crowd::summary() const {
  std::string text;
  for (const auto& [name, codes] : ends_) {
    text += "  " + name + ":";
    for (const auto& [code, count] : codes) {
      text += " " + std::to_string(count) + "x" + std::to_string(code);
    }
    text += "\n";
  }
  std::vector<milliseconds> times = reader_times_;
  std::sort(times.begin(), times.end());
  if (times.empty()) return text;
  return text + "  readers: median " + std::to_string(times[times.size() / 2].count()) +
         " ms, slowest " + std::to_string(times.back().count()) + " ms of " +
         std::to_string(times.size()) + "\n";
}

}  // namespace update::crash
