#include "tests/crash/model/search.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "tests/crash/sampling.hpp"
#include "tests/scenario/host.hpp"

namespace update::crash {
namespace {

using scenario::Arguments;

const std::filesystem::path kModel = UPDATE_SOURCE_DIR "/tests/crash/model";
// pan ends with an error instead of swapping on a small machine.
constexpr const char* kMemoryLimitMb = "6000";
constexpr std::chrono::seconds kLimit{900};

/// A folder that goes with its owner.
class WorkFolder {
 public:
  WorkFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "update-model.XXXXXX";
    EXPECT_NE(mkdtemp(pattern.data()), nullptr);
    path_ = pattern;
  }
  ~WorkFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string run_in(const std::string& folder, Arguments command) {
  command.insert(command.begin(), {"env", "--chdir=" + folder});
  scenario::Process process(command);
  const scenario::Ended ended = process.wait(kLimit);
  EXPECT_EQ(ended.code, 0) << command.at(2) << ": " << ended.out << ended.err;
  return ended.out + ended.err;
}

std::string first_match(const std::string& text, const std::regex& pattern) {
  std::smatch found;
  return std::regex_search(text, found, pattern) ? found[1].str() : "";
}

Search read_output(std::string output) {
  Search search;
  const std::string states = first_match(output, std::regex(R"((\d+) states, stored)"));
  search.states = states.empty() ? 0 : std::stoull(states);
  search.violation = first_match(output, std::regex(R"(pan:\d+: (.*?)( \(at depth \d+\))?\n)"));
  // A search that hits a limit says so, and still reports no error.
  const std::string limits[] = {"max search depth too small", "Search not completed",
                                "MEMLIM bound", "hash-compact", "Bit statespace"};
  search.complete = !states.empty();
  for (const std::string& limit : limits) {
    search.complete = search.complete && !scenario::contains(output, limit);
  }
  const std::regex move(R"(move (\w+) -> (\w+)\n)");
  for (std::sregex_iterator at(output.begin(), output.end(), move), end; at != end; ++at) {
    search.moves.insert({(*at)[1].str(), (*at)[2].str()});
  }
  search.output = std::move(output);
  return search;
}

}  // namespace

Search search_model(const std::vector<std::string>& definitions, SearchFor what) {
  const WorkFolder work;
  Arguments generate = {"spin", "-a"};
  for (const std::string& definition : definitions) generate.push_back("-D" + definition);
  generate.push_back(kModel / "update.pml");
  run_in(work.path(), generate);
  // NOREDUCE: no state is left out on the ground of an argument about the order of steps.
  Arguments compile = {"cc", "-w", "-DNOREDUCE", std::string("-DMEMLIM=") + kMemoryLimitMb};
  // A short search is over before a better program would be compiled, and has room for its states.
  const Arguments effort = full_sweep() ? Arguments{"-O2", "-DCOLLAPSE"} : Arguments{"-O0"};
  compile.insert(compile.end(), effort.begin(), effort.end());
  compile.insert(compile.end(), {"-o", "pan", "pan.c"});
  compile.push_back(what == SearchFor::invariants ? "-DSAFETY" : "-DNP");
  run_in(work.path(), compile);
  Arguments search = {"./pan", "-m1000000", "-w22"};
  if (what == SearchFor::endless) search.push_back("-l");
  return read_output(run_in(work.path(), search));
}

std::string model_text(const std::string& name) {
  return scenario::read_file(kModel / name);
}

}  // namespace update::crash
