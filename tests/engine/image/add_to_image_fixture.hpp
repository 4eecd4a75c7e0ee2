#pragma once

#include "engine/image/write/write_image.hpp"

#include "tests/engine/image/image_tools.hpp"
#include "tests/engine/image/tree_builder.hpp"

#include <functional>
#include <memory>
#include <string>
#include <string_view>

// Adding to an image that exists, without the confined child.
namespace update::image {

inline constexpr std::uint64_t kMiB = 1U << 20;

struct InProcess : os::Confinement {
  Result<std::string> run(const os::ConfinementLimits& /*limits*/,
                          const std::function<Result<std::string>()>& work) override {
    return work();
  }
};

struct Uninterrupted final : os::StopRequest {
  Signal pending() override { return Signal::none; }
  void hold() override {}
  void let_go() override {}
};

/// Each entry has bytes of its own, so that no more than they are copied.
struct Alone final : Contents {
  explicit Alone(os::File& file) : file_(file) {}
  Result<os::File*> open(const Tree& /*tree*/, EntryIndex /*entry*/) override { return &file_; }
  Status close(const Tree& /*tree*/, EntryIndex /*entry*/) override { return {}; }

 private:
  os::File& file_;
};

class AddToImage : public testing::Test {
 protected:
  std::unique_ptr<os::File> open(const std::string& name) {
    auto folder = files_.open_folder(scratch_.path());
    auto file = (*folder)->open_file_for_update(name);
    return file ? std::move(*file) : nullptr;
  }
  void make(TreeBuilder& builder, std::uint64_t bytes) {
    scratch_.put("source", builder.bytes());
    const auto source = open("source");
    ImageContents contents(*source);
    const auto target = new_image(scratch_, "image", 0);
    const Status written = write_image(*target, {.bytes = bytes, .grow_to_bytes = 0, .label = {}},
                                       test_identity(), builder.tree(), contents, {}, stop_);
    ASSERT_TRUE(written) << written.error().message();
  }
  Status add(TreeBuilder& builder, const std::string& path) {
    InProcess confinement;
    return add(builder, path, confinement);
  }
  Status add(TreeBuilder& builder, const std::string& path, os::Confinement& confinement) {
    scratch_.put("source", builder.bytes());
    const auto source = open("source");
    Alone contents(*source);
    const auto target = open("image");
    return add_to_image(confinement, *target, path, builder.tree(), contents, {}, stop_, now_s_);
  }
  /// As the tools make it, with what mkfs here does not make.
  void make_with_tools(const std::string& options) {
    const Outcome made =
        run_tool("mke2fs -q -F -t ext4 -b 4096 " + options + " " + (scratch_ / "image") + " 32M");
    ASSERT_EQ(made.status, 0) << made.text;
  }
  /// One command of debugfs, which says nothing where all is well.
  void change(const std::string& command) {
    run_tool("debugfs -w -R '" + command + "' " + (scratch_ / "image"));
  }
  std::string content(const std::string& path) const {
    std::string text = run_tool("debugfs -R 'cat " + path + "' " + (scratch_ / "image")).text;
    return text.substr(text.find('\n') + 1);  // after the line with the version
  }
  std::string fingerprint() const { return run_tool("sha256sum < " + (scratch_ / "image")).text; }
  /// Adds what cannot be added; the error has `told` in it.
  void expect_refused(TreeBuilder& builder, const std::string& path, ErrorCode code,
                      std::string_view told) {
    InProcess confinement;
    expect_refused(builder, path, code, told, confinement);
  }
  void expect_refused(TreeBuilder& builder, const std::string& path, ErrorCode code,
                      std::string_view told, os::Confinement& confinement) {
    const Status done = add(builder, path, confinement);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code(), code) << done.error().message();
    EXPECT_NE(done.error().message().find(told), std::string::npos) << done.error().message();
  }
  std::string stat(const std::string& path) const {
    return run_tool("debugfs -R 'stat " + path + "' " + (scratch_ / "image")).text;
  }

  ScratchFolder scratch_;
  os::LinuxFileSystem files_;
  Uninterrupted stop_;
  std::int64_t now_s_ = 1'700'000'000;
};

}  // namespace update::image
