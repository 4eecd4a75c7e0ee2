#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace update::crash {

/// One line of `strace -f -y -xx`; every string in it is in hexadecimal, so that commas and quotes
/// mean what they look like.
struct SystemCall {
  int thread = 0;
  std::string name;
  std::vector<std::string> arguments;
  std::string result;

  bool failed() const { return result.empty() || result[0] == '-' || result[0] == '?'; }
  const std::string& argument(std::size_t index) const;
};

/// The calls in the order in which they ended. A call that another thread's line cuts in two is put
/// together again.
std::vector<SystemCall> read_strace_log(const std::string& path);

/// All quoted strings of an argument, one after the other.
std::string bytes_in(const std::string& argument);
/// The number at its beginning, after a bracket if there is one; octal where it begins with 0.
std::int64_t number_in(const std::string& argument);
/// The permission bits of a mode that strace prints in octal.
mode_t mode_in(const std::string& argument);

/// A descriptor as -y prints it: 7</path>, 7</path>(deleted), AT_FDCWD</path>.
struct Descriptor {
  int number = -1;
  std::string path;
  bool deleted = false;
};
Descriptor descriptor_in(const std::string& argument);

}  // namespace update::crash
