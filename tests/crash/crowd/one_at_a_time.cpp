#include "tests/crash/crowd/one_at_a_time.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace update::crash {
namespace fs = std::filesystem;

using scenario::Host;

namespace {

// proc(5), /proc/pid/stat: a process of the name, no zombie, and not past the beginning of its
// exit (PF_EXITING, 0x4), where it has let go of its lock already.
// A claim is one mkdir(2), which carries both process ids in its name: two hooks at once cannot
// both miss the other's.
constexpr const char* kBody = R"(
updater=$PPID
lives() {
  { read -r pid name state parent group session terminal front flags rest <"/proc/$1/stat"; } \
    2>/dev/null || return 1
  case " $2 " in *" $name "*) ;; *) return 1 ;; esac
  test "$state" != Z && test $((flags & 4)) = 0
}
holds() {
  read -r holder <"$state_folder/lock" || holder=nobody
  case $holder in "process $updater,"*) return ;; esac
  ! lives $updater '(banger-update)' || echo "$1: $updater lives, but: $holder" >>$hooks/overlaps
}
lives $updater '(banger-update)' || exit 0
mkdir -p $hooks/claims
mkdir $hooks/claims/$updater.$$
holds begin
for claim in $hooks/claims/*; do
  both=${claim##*/}
  test ${both%.*} != $updater || continue
  if lives ${both#*.} '(doctor) (restart)' && lives ${both%.*} '(banger-update)'; then
    echo "$updater and ${both%.*} at once" >>$hooks/overlaps
  else
    rmdir $claim 2>/dev/null
  fi
done
sleep 0.03
holds end
rmdir $hooks/claims/$updater.$$ 2>/dev/null
)";

}  // namespace

void look_for_two_at_once(const Host& host, const std::string& sick) {
  const std::string body = "state_folder='" + host.settings().state + "'\n" + kBody;
  host.restart(body + "exit 0\n");
  host.doctor(body + "test \"$installed\" != " + sick + "\n");
}

Findings two_at_once(const Host& host) {
  Findings findings;
  std::istringstream lines(scenario::read_file(host.path("hooks/overlaps")));
  for (std::string line; std::getline(lines, line);) findings.push_back(line);
  return findings;
}

Findings out_of_turn(const Host& host) {
  Findings findings;
  std::int64_t newest = 0;
  std::istringstream lines(host.run({"history", "export"}).out);
  for (std::string line; std::getline(lines, line);) {
    const Json event = scenario::parse(line);
    // A note about an older update (a late backup was put away, say) is no move of it.
    if (event["transaction"].is_null() || event["from"] == event["to"]) continue;
    const auto id = event["transaction"].get<std::int64_t>();
    if (id < newest) findings.push_back("after update " + std::to_string(newest) + ": " + line);
    newest = std::max(newest, id);
  }
  if (newest == 0) findings.emplace_back("the history is empty");
  return findings;
}

}  // namespace update::crash
