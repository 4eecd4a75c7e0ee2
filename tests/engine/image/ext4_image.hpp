#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "engine/image/file/named_file.hpp"
#include "engine/os/filesystem_linux.hpp"
#include "tests/engine/installation/scratch_folder.hpp"

namespace update {

/// An image made by the tools of e2fsprogs, which are the ones to agree with.
class Ext4Image {
 public:
  /// Without them there is nothing to test: GTEST_SKIP then.
  static bool have_tools() {
    static const bool have =
        run("command -v mke2fs && command -v debugfs && command -v e2fsck") == 0;
    return have;
  }
  static int run(const std::string& command) {
    return std::system(
        ("export PATH=\"$PATH:/usr/sbin:/sbin\"; (" + command + ") >/dev/null 2>&1 </dev/null")
            .c_str());
  }

  /// `options` for mke2fs, "-d FOLDER" for instance; `size` as it takes it.
  explicit Ext4Image(const std::string& options = {}, const std::string& size = "32M") {
    made_ = run("mke2fs -q -F -t ext4 -b 4096 " + options + " " + path() + " " + size) == 0;
  }

  bool made() const { return made_; }
  std::string path() const { return scratch_ / "image.ext4"; }
  const ScratchFolder& scratch() const { return scratch_; }
  /// Commands of debugfs, one a line.
  bool debugfs(std::string_view commands, const std::string& options = "-w") const {
    scratch_.put("commands", commands);
    return run("debugfs " + options + " -f " + (scratch_ / "commands") + " " + path()) == 0;
  }
  /// What one command of debugfs says.
  std::string ask(const std::string& command) const {
    run("debugfs -R '" + command + "' " + path() + " | cat > " + (scratch_ / "answer"));
    return scratch_.read("answer");
  }
  /// Where an inode lies in the file.
  std::uint64_t inode_at(const std::string& name) const {
    const std::string answer = ask("imap " + name);
    const auto block = answer.find("located at block ");
    const auto offset = answer.find("offset 0x");
    if (block == std::string::npos || offset == std::string::npos) return 0;
    return std::stoull(answer.substr(block + 17)) * 4096 +
           std::stoull(answer.substr(offset + 9), nullptr, 16);
  }
  /// Where a block of a file lies in the file that the image is.
  std::uint64_t block_at(const std::string& name, int block) const {
    const std::string answer = ask("bmap " + name + " " + std::to_string(block));
    return answer.empty() ? 0 : std::stoull(answer) * 4096;
  }
  /// Does `e2fsck -fn` call it consistent?
  bool is_consistent() const { return run("e2fsck -fn " + path()) == 0; }

  std::unique_ptr<os::File> open() const {
    os::LinuxFileSystem files;
    auto opened = open_named_file(files, path());
    return opened ? std::move(*opened) : nullptr;
  }

  std::string bytes(std::uint64_t offset, std::size_t length) const {
    std::string read(length, '\0');
    std::ifstream stream(path(), std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(offset));
    stream.read(read.data(), static_cast<std::streamsize>(length));
    return read;
  }
  void patch(std::uint64_t offset, std::string_view bytes) const {
    std::fstream stream(path(), std::ios::binary | std::ios::in | std::ios::out);
    stream.seekp(static_cast<std::streamoff>(offset));
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  template <class Number>
  void patch_number(std::uint64_t offset, Number value) const {
    patch(offset, {reinterpret_cast<const char*>(&value), sizeof(value)});
  }
  template <class Number>
  Number number(std::uint64_t offset) const {
    Number value{};
    std::memcpy(&value, bytes(offset, sizeof(value)).data(), sizeof(value));
    return value;
  }

 private:
  ScratchFolder scratch_;
  bool made_ = false;
};

}  // namespace update
