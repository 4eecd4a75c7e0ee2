// The least that an update of these bytes can cost: one process that reads each source, writes it
// under another name in its destination's folder, syncs it and renames it. Nothing is checked, and
// no folder is synced: after a power cut anything may be left.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace {

constexpr std::size_t kBuffer = std::size_t{1} << 20U;

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

void write_all(int target, const char* bytes, std::size_t left, const std::string& name) {
  while (left > 0) {
    const ssize_t written = write(target, bytes, left);
    if (written <= 0) fail(name);
    bytes += written;
    left -= static_cast<std::size_t>(written);
  }
}

void replace(const char* source_name, const std::string& destination, char* buffer) {
  const int source = open(source_name, O_RDONLY | O_CLOEXEC);
  if (source < 0) fail(source_name);
  const std::string temporary = destination + ".floor";
  const int target = open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0755);
  if (target < 0) fail(temporary);
  for (;;) {
    const ssize_t got = read(source, buffer, kBuffer);
    if (got < 0) fail(source_name);
    if (got == 0) break;
    write_all(target, buffer, static_cast<std::size_t>(got), temporary);
  }
  if (fsync(target) != 0 || close(target) != 0) fail(temporary);
  if (rename(temporary.c_str(), destination.c_str()) != 0) fail(destination);
  close(source);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0) {
    std::fputs("usage: update_floor SOURCE DESTINATION [SOURCE DESTINATION]...\n", stderr);
    return 2;
  }
  const auto buffer = std::make_unique<std::array<char, kBuffer>>();
  for (int i = 1; i < argc; i += 2) {
    replace(argv[i], argv[i + 1], buffer->data());
  }
  return 0;
}
