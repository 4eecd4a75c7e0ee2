#include "engine/os/small_file_linux.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "engine/os/call_linux.hpp"
#include "engine/os/fd.hpp"

namespace update::os {

std::string read_small(const std::string& path) {
  const UniqueFd fd(retried([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!fd.valid()) return {};
  std::array<char, 4096> bytes;
  const ssize_t size = retried([&] { return ::read(fd.get(), bytes.data(), bytes.size()); });
  if (size <= 0) return {};
  std::string text(bytes.data(), static_cast<std::size_t>(size));
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace update::os
