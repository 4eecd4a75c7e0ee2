#include "tests/crash/power_cut/strace_log.hpp"

#include <cstdlib>
#include <fstream>
#include <map>

namespace update::crash {

namespace {

constexpr std::string_view kUnfinished = " <unfinished ...>";

int hex_digit(char digit) {
  return digit <= '9' ? digit - '0' : digit - 'a' + 10;
}

// "\x2f\x64" up to `end`.
std::string from_hex(const std::string& text, std::size_t begin, std::size_t end) {
  std::string bytes;
  for (std::size_t at = begin; at + 4 <= end; at += 4) {
    bytes += static_cast<char>(hex_digit(text[at + 2]) * 16 + hex_digit(text[at + 3]));
  }
  return bytes;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  int depth = 0;
  std::size_t begin = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char each = text[at];
    if (each == '[' || each == '{' || each == '(') ++depth;
    if (each == ']' || each == '}' || each == ')') --depth;
    if (each == ',' && depth == 0) {
      parts.push_back(text.substr(begin, at - begin));
      begin = at + 2;
    }
  }
  if (begin < text.size()) parts.push_back(text.substr(begin));
  return parts;
}

// name(arguments) = result
std::optional<SystemCall> parse_call(int thread, const std::string& text) {
  const std::size_t open = text.find('(');
  const std::size_t equals = text.rfind(" = ");
  if (open == std::string::npos || equals == std::string::npos) return std::nullopt;
  const std::size_t close = text.rfind(')', equals);
  if (close == std::string::npos || close < open) return std::nullopt;
  return SystemCall{thread, text.substr(0, open), split(text.substr(open + 1, close - open - 1)),
                    text.substr(equals + 3)};
}

}  // namespace

const std::string& SystemCall::argument(std::size_t index) const {
  static const std::string none;
  return index < arguments.size() ? arguments[index] : none;
}

std::vector<SystemCall> read_strace_log(const std::string& path) {
  std::vector<SystemCall> calls;
  std::map<int, std::string> begun;
  std::ifstream log(path);
  for (std::string line; std::getline(log, line);) {
    const std::size_t space = line.find(' ');
    const std::size_t start = line.find_first_not_of(' ', space);
    if (start == std::string::npos) continue;
    const int thread = std::atoi(line.c_str());
    std::string text = line.substr(start);
    if (text.size() > kUnfinished.size() &&
        text.substr(text.size() - kUnfinished.size()) == kUnfinished) {
      begun[thread] = text.substr(0, text.size() - kUnfinished.size());
      continue;
    }
    if (text.rfind("<... ", 0) == 0) {
      const std::string rest = text.substr(text.find('>') + 1);
      text = begun[thread] + rest;
    }
    if (auto call = parse_call(thread, text)) calls.push_back(std::move(*call));
  }
  return calls;
}

std::string bytes_in(const std::string& argument) {
  std::string bytes;
  for (std::size_t open = argument.find('"'); open != std::string::npos;) {
    const std::size_t close = argument.find('"', open + 1);
    bytes += from_hex(argument, open + 1, close);
    open = argument.find('"', close + 1);
  }
  return bytes;
}

std::int64_t number_in(const std::string& argument) {
  return std::strtoll(argument.c_str() + (argument.rfind('[', 0) == 0 ? 1 : 0), nullptr, 0);
}

mode_t mode_in(const std::string& argument) {
  constexpr mode_t kPermissions = 07777;
  return static_cast<mode_t>(number_in(argument)) & kPermissions;
}

Descriptor descriptor_in(const std::string& argument) {
  Descriptor descriptor;
  const std::size_t open = argument.find('<');
  const std::size_t close = argument.rfind('>');
  if (argument.rfind("AT_FDCWD", 0) != 0) descriptor.number = std::atoi(argument.c_str());
  if (open == std::string::npos || close == std::string::npos) return descriptor;
  descriptor.path = from_hex(argument, open + 1, close);
  descriptor.deleted = argument.find("(deleted)", close) != std::string::npos;
  return descriptor;
}

}  // namespace update::crash
