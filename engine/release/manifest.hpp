#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/base/sha256.hpp"
#include "engine/release/version.hpp"

namespace update {

struct ManifestFile {
  std::string name;  ///< a plain file name
  Sha256Digest sha256;
  std::uint64_t size = 0;
  std::uint32_t mode = 0755;  ///< 0000 to 0777: a release never gives set-id bits
};

/// What release.json says (format 1). Closed-world: nothing in it is optional and nothing more is
/// allowed.
struct Manifest {
  std::string product;
  Version version;
  std::int64_t created_us = 0;
  std::optional<std::int64_t> expires_us;
  std::optional<Version> minimum_version;
  std::string notes;
  std::vector<ManifestFile> files;
};

inline constexpr std::string_view kManifestName = "release.json";
inline constexpr std::string_view kSignatureName = "release.json.minisig";
inline constexpr std::size_t kManifestLimit = 1U << 20;  ///< bytes
inline constexpr std::size_t kManifestFilesLimit = 256;

/// Reads release.json. Unknown, repeated or missing keys, a wrong type, a name that is not a plain
/// file name (or is one of the two names above, or holds C1 or bidirectional controls), two files
/// of one name, no file, a product of more than 64 bytes, notes of more than 64 KiB, a newer
/// format, more than kManifestLimit bytes: not_trusted, naming the key.
Result<Manifest> parse_manifest(std::string_view bytes);

/// The text of release.json, indented, with a newline at the end; parse_manifest reads it back.
std::string format_manifest(const Manifest& manifest);

}  // namespace update
