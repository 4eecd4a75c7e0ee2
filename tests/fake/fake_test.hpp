#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tests/fake/fake_filesystem.hpp"

namespace update {

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline Status write_text(os::File& file, std::string_view text, std::uint64_t offset = 0) {
  return file.write_at(bytes_of(text), offset);
}

inline std::string read_text(os::File& file) {
  std::string text(100, '\0');
  const auto count = file.read_at(std::as_writable_bytes(std::span(text)), 0);
  return count ? text.substr(0, *count) : "unreadable";
}

/// The errno of a Result, 0 for success.
template <class T>
int errno_of(const T& result) {
  return result ? 0 : result.error().system_errno();
}

/// A fake file system with the folder /d, open.
class FakeFileSystemTest : public testing::Test {
 protected:
  FakeFileSystemTest() {
    fs.make_folder("/d");
    d = fs.open_folder("/d").value();
  }

  /// A new file with these bytes, not synced.
  std::unique_ptr<os::File> create(const std::string& name, std::string_view text) {
    auto file = d->create_file(name, 0644).value();
    EXPECT_TRUE(write_text(*file, text));
    return file;
  }

  FakeFileSystem fs;
  std::unique_ptr<os::Folder> d;
};

}  // namespace update
