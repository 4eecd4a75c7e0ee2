#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

#include "engine/image/write/write_image.hpp"
#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"

#include <gtest/gtest.h>

// The judges of an image that we made: e2fsck, debugfs, and the kernel.
namespace update::image {

struct Outcome {
  int status = -1;
  std::string text;
};

/// A shell command with both its outputs.
inline Outcome run_tool(const std::string& command) {
  Outcome outcome;
  FILE* const pipe =
      popen(("export PATH=$PATH:/usr/sbin:/sbin; (" + command + ") 2>&1").c_str(), "r");
  if (pipe == nullptr) return outcome;
  std::array<char, 4096> buffer{};
  for (std::size_t count = 0; (count = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    outcome.text.append(buffer.data(), count);
  }
  const int status = pclose(pipe);
  outcome.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

inline bool has_tool(const std::string& name) {
  return run_tool("command -v " + name).status == 0;
}

#define UPDATE_NEED_TOOL(name) \
  if (!has_tool(name)) GTEST_SKIP() << "needs " << (name)

inline void expect_clean(const std::string& image) {
  const Outcome checked = run_tool("e2fsck -fn " + image);
  EXPECT_EQ(checked.status, 0) << checked.text;
}

inline Identity test_identity() {
  Identity identity;
  for (std::uint8_t at = 0; at < 16; ++at) {
    identity.uuid[at] = static_cast<std::uint8_t>(0xA0 + at);
    identity.hash_seed[at] = static_cast<std::uint8_t>(0x10 + at);
  }
  identity.now_s = 1'700'000'000;
  return identity;
}

/// A new file of `bytes` bytes, a hole.
inline std::unique_ptr<os::File> new_image(const ScratchFolder& scratch, const std::string& name,
                                           std::uint64_t bytes) {
  os::LinuxFileSystem files;
  auto folder = files.open_folder(scratch.path());
  if (!folder) return nullptr;
  auto file = (*folder)->create_file(name, 0644);
  if (!file || !(*file)->truncate(bytes)) return nullptr;
  return std::move(*file);
}

/// Mounts an image read-write for its life time; root only.
class LoopMount {
 public:
  LoopMount(const std::string& image, const std::string& folder) : folder_(folder) {
    mounted_ = run_tool("mkdir -p " + folder + " && mount -o loop " + image + " " + folder);
  }
  LoopMount(const LoopMount&) = delete;
  LoopMount& operator=(const LoopMount&) = delete;
  ~LoopMount() {
    if (mounted_.status == 0) run_tool("umount " + folder_);
  }
  bool mounted() const { return mounted_.status == 0; }
  const std::string& why() const { return mounted_.text; }

 private:
  std::string folder_;
  Outcome mounted_;
};

}  // namespace update::image
