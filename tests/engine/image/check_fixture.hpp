#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "engine/image/read/read_image.hpp"
#include "tests/engine/image/ext4_image.hpp"
#include "tests/fake/fake_system.hpp"

#include <gtest/gtest.h>

// The check of an image against e2fsck, on images that the tools make and that are damaged then.
namespace update::image {

/// What the bytes of an image can be changed with.
inline constexpr std::string_view kPlain = "-O ^metadata_csum";

inline void fill(const ScratchFolder& folder) {
  namespace fs = std::filesystem;
  fs::create_directories(folder / "one/two/three");
  folder.put("one/file", std::string(50'000, 'f'));
  folder.put("one/other", std::string(5000, 'o'));
  folder.put("one/two/file", "text");
  fs::create_symlink("target", folder / "one/link");
  fs::create_symlink(std::string(300, 't'), folder / "one/long-link");
  fs::create_hard_link(folder / "one/file", folder / "one/second");
}

/// With files and folders in it.
inline Ext4Image filled_image(std::string_view options = {}) {
  ScratchFolder folder;
  fill(folder);
  return Ext4Image(std::string(options) + " -d " + folder.path());
}

inline std::vector<std::string> check(const Ext4Image& image) {
  FakeConfinement confinement;
  const auto file = image.open();
  auto lines = check_image(confinement, *file);
  return lines ? std::move(*lines) : std::vector<std::string>{"error: " + lines.error().message()};
}

inline std::string joined(const std::vector<std::string>& lines) {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

/// Both e2fsck and we have to see it; what we say has `told` in it.
inline void expect_damage(const Ext4Image& image, std::string_view told) {
  EXPECT_FALSE(image.is_consistent()) << "the damage is none";
  const std::string lines = joined(check(image));
  EXPECT_NE(lines.find(told), std::string::npos) << "said: " << lines;
}

class CheckImage : public testing::Test {
 protected:
  void SetUp() override {
    if (!Ext4Image::have_tools()) GTEST_SKIP() << "mke2fs, debugfs or e2fsck is missing";
  }
};

}  // namespace update::image
