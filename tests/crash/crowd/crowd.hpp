#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/crash/host_invariants.hpp"
#include "tests/scenario/process.hpp"

namespace update::crash {

/// What one of the crowd may run, and how that may end when nobody interferes (cli.md, "Exit
/// codes").
struct Errand {
  std::string name;
  scenario::Arguments arguments;
  std::set<int> codes;
  unsigned weight = 1;
  bool reads_only = false;
};

/// Many processes at once, each started again when it ends, and some of them killed on the way.
class Crowd {
 public:
  Crowd(const scenario::Host& host, std::size_t size, std::uint64_t seed);

  /// The errands that are chosen from; may change between two calls of work().
  void set_errands(std::vector<Errand> errands) { errands_ = std::move(errands); }

  /// Keeps the crowd busy for so long.
  void work(std::chrono::milliseconds duration);
  /// Kills and judges those that run, and no other child of this process.
  void end_members();
  /// SIGKILL for everybody at once. Hooks that outlive their updaters are waited for.
  void stop();

  /// Ends that the contract does not know.
  const Findings& findings() const { return findings_; }
  std::size_t started() const { return started_; }
  std::size_t killed() const { return killed_; }
  /// How often a run of `name` ended with `code`.
  std::size_t ended(const std::string& name, int code) const;
  /// One line for each errand, and the times of the readers.
  std::string summary() const;
  std::chrono::milliseconds slowest_reader() const;

 private:
  using Clock = std::chrono::steady_clock;

  struct Member {
    std::unique_ptr<scenario::Process> process;
    Errand errand;
    Clock::time_point starts;
    Clock::time_point killed_at;
    int signal = 0;           ///< that it gets at `killed_at`; 0: none
    std::set<int> sent = {};  ///< it may end by any of them: at the end of a round two are sent
  };

  void start(Member& member);
  void look_after(Member& member);
  static void send(Member& member, int signal);
  void judge(Member& member, const scenario::Ended& ended);
  unsigned random(unsigned limit);
  const Errand& choose();

  const scenario::Host& host_;
  std::mt19937_64 generator_;
  std::vector<Errand> errands_;
  std::vector<Member> members_;
  Findings findings_;
  std::size_t started_ = 0;
  std::size_t killed_ = 0;
  std::map<std::string, std::map<int, std::size_t>> ends_;
  std::vector<std::chrono::milliseconds> reader_times_;
};

}  // namespace update::crash
