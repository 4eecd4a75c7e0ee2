#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "cli/application.hpp"
#include "cli/console.hpp"
#include "tests/fake/fake_system.hpp"

namespace update::cli {

/// Keeps what is written.
class RecordingConsole final : public Console {
 public:
  bool out(std::string_view text) override {
    out_text.append(text);
    return true;
  }
  bool lost_output() const override { return lost; }
  Result<std::optional<std::size_t>> in(std::span<std::byte> into) override {
    const std::size_t count = std::min(into.size(), in_text.size());
    std::memcpy(into.data(), in_text.data(), count);
    in_text.erase(0, count);
    return std::optional(count);
  }
  void err(std::string_view text) override { err_text.append(text); }
  bool out_is_terminal() const override { return terminal; }
  bool err_is_terminal() const override { return terminal; }

  std::string in_text;
  std::string out_text;
  std::string err_text;
  bool terminal = false;
  bool lost = false;
};

/// The program on a machine in memory, with `/etc` and nothing in it.
struct Program {
  Program() { fake.files.make_folder("/etc"); }

  int run(std::vector<std::string> words) {
    console.out_text.clear();
    console.err_text.clear();
    Invocation invocation{
        "banger-update", std::move(words), fake.system, console, {}, {}, plain, apart};
    return cli::run(invocation);
  }

  FakeSystem fake;
  RecordingConsole console;
  bool plain = false;
  bool apart = false;
};

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace update::cli
