#include "tests/crash/model/timeline.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <stdexcept>
#include <vector>

#include "engine/base/json.hpp"
#include "engine/base/layout.hpp"
#include "tests/fixture/world.hpp"

namespace update::crash {
namespace {

constexpr std::string_view kBegin = "<!-- timeline: begin -->\n";
constexpr std::string_view kEnd = "<!-- timeline: end -->\n";
constexpr std::size_t kPolicies = 3;

/// A host before a command, and the command.
struct Run {
  std::string title;
  bool doctor_passes = true;
  std::function<void(World&)> prepare;
  std::function<void(World&)> command;
};

/// What the journal says of the newest transaction.
struct Told {
  TransactionRecord record;
  std::vector<Event> events;
};

/// A host after a stop: what its journal holds, and what each policy would do.
struct Outcome {
  Told told;
  FakeDisk disk;
  std::string boot_id;
  std::array<std::string, kPolicies> would;
};

/// The same stop, once of the process and once of the machine with all that was not synced lost.
struct Stop {
  Outcome kill;
  Outcome cut;
};

Journal open_journal(const World& world) {
  return Journal::open_for_reading(
             {std::string(World::kState) + "/" + std::string(kJournalName), world.vfs.name()},
             Journal::ReadMode::shared)
      .value();
}

Told tell(const World& world) {
  TransactionRecord newest = world.newest().value();
  return {newest, open_journal(world).events_of(newest.id).value()};
}

std::optional<RecoveryPolicy> policy_at(std::size_t index) {
  if (index == 0) return std::nullopt;  // the configured one: auto
  return index == 1 ? RecoveryPolicy::rollback : RecoveryPolicy::replay;
}

RecoverRequest request_of(std::size_t policy) {
  RecoverRequest request;
  request.policy = policy_at(policy);
  return request;
}

Outcome look(World& world) {
  Outcome outcome{tell(world), world.fake.files.disk(), world.fake.host.boot_id(), {}};
  Journal journal = open_journal(world);
  for (std::size_t index = 0; index < kPolicies; ++index) {
    outcome.would[index] = recover_would(world.env, journal, request_of(index)).value();
  }
  return outcome;
}

/// What recovery makes of it: what it does, and the phase in which it leaves the transaction.
std::string answer_of(const Outcome& outcome, std::size_t policy, bool doctor_passes) {
  const std::string& would = outcome.would[policy];
  if (is_final(outcome.told.record.phase)) return would;
  World world(outcome.disk);
  world.fake.host.set_boot_id(outcome.boot_id);
  world.doctor_passes(doctor_passes);
  const auto recovered = world.recover(request_of(policy));
  static_cast<void>(recovered);  // how it ended is what the journal says
  return would + " → " + std::string(name_of(tell(world).record.phase));
}

/// Runs the command until right after its n-th call; false: it ended before.
bool stop_after(World& world, const Run& run, std::uint64_t call) {
  world.doctor_passes(run.doctor_passes);
  world.fake.files.stop_at(call, When::after);
  try {
    run.command(world);
    return world.fake.files.stopped();
  } catch (const PowerCut&) {
    return true;
  }
}

std::vector<Stop> stops_of(const FakeDisk& disk, const Run& run) {
  std::vector<Stop> stops;
  for (std::uint64_t call = 1;; ++call) {
    World killed(disk);
    if (!stop_after(killed, run, call)) return stops;
    World cut(killed.fake.files.disk());
    killed.kill();
    cut.reboot(LossPattern::keep_nothing());
    cut.fake.host.set_boot_id("the boot after the cut");
    stops.push_back({look(killed), look(cut)});
  }
}

std::string note_of(const Event& event) {
  const auto detail = parse_json(event.detail, {});
  const bool has_note = detail && detail->contains("note") && detail->at("note").is_string();
  return has_note ? detail->at("note").get<std::string>() : "";
}

/// journal.md's name for a durable point, by what it makes durable.
std::string point_name(const Event& event) {
  if (!event.to || event.from == event.to) return "(" + note_of(event) + ")";
  switch (*event.to) {
    case Phase::swap: return "(a)";
    case Phase::restart:
    case Phase::doctor: return "(b)";
    case Phase::committed: return "(c)";
    case Phase::rollback: return "(c′)";
    case Phase::rolled_back: return "(d′)";
    default: return "(" + std::string(name_of(*event.to)) + ")";
  }
}

/// The event that a durable point is about: the last that is not a mere note, if there is any.
const Event& main_event(const std::vector<Event>& events, std::size_t begin) {
  for (std::size_t index = events.size(); index > begin; --index) {
    if (events[index - 1].from != events[index - 1].to) return events[index - 1];
  }
  return events.back();
}

/// Where a stop lies, as people read it: the last durable point, and what the journal says.
struct Place {
  std::string after;
  std::string says;
  bool operator==(const Place&) const = default;
};

enum class By : std::uint8_t { kill, cut };

/// One kind of stop in one place, and for each policy all that recovery was seen to make of it:
/// what it would do, and the words for it.
struct Row {
  Place place;
  By by = By::kill;
  std::array<std::map<std::string, std::string>, kPolicies> answers;
};

/// What one run shows: its stops, told as rows, and its events, with each durable point.
class Timeline {
 public:
  explicit Timeline(const Run& run) : title_(run.title), doctor_passes_(run.doctor_passes) {
    World world;
    world.doctor_passes(true);
    run.prepare(world);
    const FakeDisk disk = world.fake.files.disk();
    World whole(disk);
    before_ = tell(whole);
    whole.doctor_passes(run.doctor_passes);
    run.command(whole);
    after_ = tell(whole);
    follow(stops_of(disk, run));
  }

  std::string markdown() const {
    std::string text = "**" + title_ + "**\n\n```\n" + line() + "\n```\n\n";
    text +=
        "| stopped | by | the journal says | `recover` | `--policy rollback` | `--policy replay` "
        "|\n"
        "| --- | --- | --- | --- | --- | --- |\n";
    for (const Row& row : rows_) {
      const bool is_cut = row.by == By::cut;
      const Row* other = find(row.place, is_cut ? By::kill : By::cut);
      const bool is_same = other != nullptr && other->answers == row.answers;
      if (is_same && is_cut) continue;
      const std::string by = is_same ? "kill, cut" : is_cut ? "cut" : "kill";
      text += "| " + row.place.after + " | " + by + " | " + row.place.says + " |";
      for (const auto& answers : row.answers) text += " " + words_of(answers) + " |";
      text += "\n";
    }
    return text;
  }

 private:
  static std::string words_of(const std::map<std::string, std::string>& answers) {
    std::string text;
    for (const auto& [would, words] : answers) text += (text.empty() ? "" : ", or ") + words;
    return text;
  }

  const Row* find(const Place& place, By by) const {
    const auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& known) {
      return known.place == place && known.by == by;
    });
    return row == rows_.end() ? nullptr : &*row;
  }

  void add(const Place& place, By by, const Outcome& outcome) {
    auto row = std::find_if(rows_.begin(), rows_.end(), [&](const Row& known) {
      return known.place == place && known.by == by;
    });
    if (row == rows_.end()) row = rows_.insert(rows_.end(), {place, by, {}});
    for (std::size_t policy = 0; policy < kPolicies; ++policy) {
      auto& known = row->answers[policy];
      const std::string& would = outcome.would[policy];
      if (!known.contains(would)) known[would] = answer_of(outcome, policy, doctor_passes_);
    }
  }

  bool is_ours(const Told& told) const { return told.record.id == after_.record.id; }

  std::size_t events_of(const Told& told) const { return is_ours(told) ? told.events.size() : 0; }

  std::string says(const Told& told) const {
    if (!is_ours(told)) return "nothing yet";
    std::string text(name_of(told.record.phase));
    return note_of(told.events.back()) == "waits" ? text + ", waits for the services" : text;
  }

  void follow(const std::vector<Stop>& stops) {
    std::size_t durable = events_of(before_);
    std::string after = "at first";
    for (const Stop& stop : stops) {
      if (const std::size_t now = events_of(stop.cut.told); now > durable) {
        const Event& event = main_event(stop.cut.told.events, durable);
        after = point_name(event);
        points_.emplace_back(event.seq, after);
        after = "after " + after;
        durable = now;
      }
      add({after, says(stop.kill.told)}, By::kill, stop.kill);
      add({after, says(stop.cut.told)}, By::cut, stop.cut);
    }
  }

  /// "stage ── backup ──(a)── swap …": the events, each durable one behind its point.
  std::string line() const {
    std::string text = events_of(before_) > 0 ? std::string(name_of(before_.record.phase)) : "";
    for (std::size_t index = events_of(before_); index < after_.events.size(); ++index) {
      const Event& event = after_.events[index];
      const auto point = std::find_if(points_.begin(), points_.end(),
                                      [&](const auto& known) { return known.first == event.seq; });
      const bool moves = event.from != event.to;
      if (point != points_.end()) {
        const bool joins = text.ends_with("──");
        text += (joins ? "" : " ──") + point->second + "──";
      }
      if (moves) text += (text.empty() ? "" : point == points_.end() ? " ── " : " ");
      if (moves) text += name_of(*event.to);
    }
    return text;
  }

  std::string title_;
  bool doctor_passes_;
  Told before_;
  Told after_;
  std::vector<std::pair<std::int64_t, std::string>> points_;
  std::vector<Row> rows_;
};

void install_first(World& world) {
  (void)world.apply("1.0.0");
  world.make_release("1.1.0");
}

/// The power goes after the first rename of 1.1.0 over 1.0.0, which had reached the disk.
void cut_in_swap(World& world) {
  install_first(world);
  const FakeDisk disk = world.fake.files.disk();
  World whole(disk);
  (void)whole.apply("1.1.0");
  const auto& calls = whole.fake.files.calls();
  const auto first = std::find_if(calls.begin(), calls.end(), [](const FakeCall& call) {
    return call.verb == FakeCall::Verb::rename && call.path.ends_with(".staged");
  });
  const auto number = static_cast<std::uint64_t>(first - calls.begin()) + 1;
  world.fake.files.stop_at(world.fake.files.call_count() + number, When::after);
  try {
    (void)world.apply("1.1.0");
  } catch (const PowerCut&) {
  }
  world.reboot(LossPattern::keep_all());
}

std::vector<Run> runs() {
  const auto apply = [](World& world) { (void)world.apply("1.1.0"); };
  const auto both_moments = [](World& world) {
    world.fake.host.reboot();
    RecoverRequest at_boot;
    at_boot.boot = true;
    (void)world.recover(at_boot);
    (void)world.recover();
  };
  return {
      {"An update that the doctor finds well", true, install_first, apply},
      {"An update that the doctor refuses", false, install_first, apply},
      {"`rollback`: its new version is the older one", true,
       [](World& world) {
         install_first(world);
         (void)world.apply("1.1.0");
       },
       [](World& world) { (void)world.roll_back(); }},
      {"`recover --boot`, then `recover`, after a power cut in the swap", true, cut_in_swap,
       both_moments},
  };
}

}  // namespace

std::string timeline() {
  std::string text;
  for (const Run& run : runs()) text += (text.empty() ? "" : "\n") + Timeline(run).markdown();
  return text;
}

std::string with_timeline(const std::string& text) {
  const std::size_t begin = text.find(kBegin);
  const std::size_t end = text.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos || end < begin) {
    throw std::invalid_argument("the markers of the timeline are missing");
  }
  return text.substr(0, begin + kBegin.size()) + timeline() + text.substr(end);
}

}  // namespace update::crash
