#include "engine/image/read/read_image.hpp"
#include "tests/fake/fake_system.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

// Whatever bytes are taken for an image and read, listed and checked, in this process. Besides that
// nothing breaks: what the reader lets through is a tree as promised (read_image checks it, and an
// error of that kind would be one of the reader).

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace update;
  constexpr std::size_t kMostBytes = 4U << 20;
  constexpr std::size_t kFeaturesAt = 1024 + 0x64;
  constexpr unsigned char kChecksums[2] = {0x10, 0x04};  // gdt_csum, metadata_csum
  if (size > kMostBytes) return 0;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  // Checksums keep nobody out who makes an image, but would keep out the fuzzer.
  for (std::size_t at = 0; at < 2 && kFeaturesAt + at < bytes.size(); ++at) {
    bytes[kFeaturesAt + at] = static_cast<char>(bytes[kFeaturesAt + at] & ~kChecksums[at]);
  }
  FakeFileSystem files;
  files.put_file("/image", bytes);
  const auto folder = files.open_folder("/");
  const auto file = (*folder)->open_file("image");
  FakeConfinement confinement;
  const auto tree = image::read_image(confinement, **file, "/", image::Depth::tree);
  if (!tree && tree.error().message().starts_with("the entry ") &&
      tree.error().message().find("is there twice") == std::string::npos) {
    std::abort();
  }
  static_cast<void>(image::read_image(confinement, **file, "/a/b", image::Depth::children));
  static_cast<void>(image::read_image_info(confinement, **file));
  static_cast<void>(image::check_image(confinement, **file));
  return 0;
}
