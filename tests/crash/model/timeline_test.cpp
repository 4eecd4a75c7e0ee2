#include "tests/crash/model/timeline.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace update::crash {
namespace {

std::string read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(Timeline, OfTheDocumentationIsWhatTheProgramDoes) {
  const std::string path = UPDATE_SOURCE_DIR "/docs/crash-safety.md";
  const std::string text = read(path);
  ASSERT_FALSE(text.empty()) << path;
  EXPECT_EQ(text, with_timeline(text)) << "refresh it with: " UPDATE_TIMELINE " " << path;
}

TEST(Timeline, NeedsItsMarkers) {
  EXPECT_THROW(with_timeline("# Crash safety\n"), std::invalid_argument);
}

}  // namespace
}  // namespace update::crash
