#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"
#include "engine/release/manifest.hpp"
#include "engine/release/signature.hpp"

namespace update {

struct TrustPolicy {
  bool require_signature = true;
  std::vector<PublicKey> keys;
};

/// A release whose manifest may be believed. Only open_release makes one, and only one can be
/// staged, so that no path leads from bytes of a stranger to a destination without the check. Its
/// files are not read yet: their bytes are checked while they are written.
class Release {
 public:
  const Manifest& manifest() const { return manifest_; }
  /// None where the configuration asks for no signature.
  const std::optional<Signature>& signature() const { return signature_; }
  os::Folder& folder() { return *folder_; }

 private:
  friend Result<Release> open_release(std::unique_ptr<os::Folder> folder, const TrustPolicy& trust);
  Release(std::unique_ptr<os::Folder> folder, Manifest manifest, std::optional<Signature> signature)
      : folder_(std::move(folder)),
        manifest_(std::move(manifest)),
        signature_(std::move(signature)) {}

  std::unique_ptr<os::Folder> folder_;
  Manifest manifest_;
  std::optional<Signature> signature_;
};

/// Reads release.json once, verifies its signature over exactly those bytes, only then parses them,
/// and compares the folder with the manifest both ways: a file missing, one too many (nothing but
/// the manifest's files, release.json and its signature), not a regular file, or of another size is
/// not_trusted. Reads no file's bytes.
Result<Release> open_release(std::unique_ptr<os::Folder> folder, const TrustPolicy& trust);

/// Reads every file to its end, for whoever only looks: other bytes than the manifest promises, or
/// a file that changes while it is read, is not_trusted, as it is for staging. A release that is
/// installed is not read here first: what counts are the bytes that are written.
Status check_bytes(Release& release);

/// What `release make` needs to know beside the files themselves.
struct ReleaseDescription {
  std::string product;
  Version version;
  std::int64_t created_us = 0;
  std::optional<std::int64_t> expires_us;
  std::optional<Version> minimum_version;
  std::string notes;
};

/// Hashes every file of `folder` (but release.json and its signature) into a manifest, sorted by
/// name; modes are the files' own without set-id bits. Anything but regular files with plain names
/// is an error; so is an empty folder.
Result<Manifest> describe_release(os::Folder& folder, const ReleaseDescription& description);

}  // namespace update
