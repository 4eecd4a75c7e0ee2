#include "engine/release/release.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "engine/base/text.hpp"
#include "engine/base/types.hpp"

namespace update {
namespace {

constexpr std::size_t kSignatureLimit = 16U << 10;

tl::unexpected<Error> refuse(std::string why) {
  return fail(ErrorCode::not_trusted, std::move(why));
}

bool is_description(std::string_view name) {
  return name == kManifestName || name == kSignatureName;
}

// All bytes of a small file, from one descriptor; nullopt: there is none. It stops at `limit`
// whatever size the file claims, so that an endless one costs no more.
Result<std::optional<std::string>> read_small(os::Folder& folder, std::string_view name,
                                              std::size_t limit) {
  const std::string file_name(name);
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(file_name));
  if (!found) return std::optional<std::string>();
  if (found->type != os::FileType::regular) return refuse(file_name + " is not a regular file");
  UPDATE_TRY_ASSIGN(const auto file, folder.open_file(file_name));
  std::string bytes(limit + 1, '\0');
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const auto rest = std::as_writable_bytes(std::span(bytes)).subspan(filled);
    UPDATE_TRY_ASSIGN(const std::size_t count, file->read_at(rest, filled));
    if (count == 0) break;
    filled += count;
  }
  if (filled > limit) {
    return refuse(file_name + " has more than " + std::to_string(limit) + " bytes");
  }
  bytes.resize(filled);
  return std::optional(std::move(bytes));
}

// None only where the policy asks for no signature and there is none, or no key to try one with.
Result<std::optional<Signature>> check_signature(os::Folder& folder, std::string_view manifest,
                                                 const TrustPolicy& trust) {
  if (trust.keys.empty() && !trust.require_signature) return std::optional<Signature>();
  UPDATE_TRY_ASSIGN(const auto file, read_small(folder, kSignatureName, kSignatureLimit));
  if (!file) {
    if (!trust.require_signature) return std::optional<Signature>();
    return fail(Error(ErrorCode::not_trusted, std::string(kSignatureName) + " is missing")
                    .hint("sign it: minisign -Sm release.json, or "
                          "banger-update release make --sign KEY"));
  }
  auto signature = verify_signature(manifest, *file, trust.keys);
  if (!signature) return fail(std::move(signature).error().with(std::string(kSignatureName)));
  return std::optional(std::move(*signature));
}

Status check_file(os::Folder& folder, const ManifestFile& file) {
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(file.name));
  if (!found) return refuse("the manifest names " + quote(file.name) + ", which is missing");
  if (found->type != os::FileType::regular) {
    return refuse(quote(file.name) + " is not a regular file");
  }
  if (found->identity.size != file.size) {
    return refuse(quote(file.name) + " has " + std::to_string(found->identity.size) +
                  " bytes, the manifest says " + std::to_string(file.size));
  }
  return {};
}

// Both ways: what is not in the manifest was signed by nobody, and must not lie where it could be
// taken for part of the release (CVE-2025-67903).
Status check_closed_world(os::Folder& folder, const Manifest& manifest) {
  UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder.list());
  for (const std::string& name : names) {
    const bool listed = std::any_of(manifest.files.begin(), manifest.files.end(),
                                    [&](const ManifestFile& file) { return file.name == name; });
    if (!listed && !is_description(name)) {
      return refuse(quote(name) + " is in the release, but not in its manifest");
    }
  }
  for (const ManifestFile& file : manifest.files) UPDATE_TRY(check_file(folder, file));
  return {};
}

// The identity leaves the ctime out, which alone betrays a writer that puts the mtime back.
bool same_bytes(const os::FileInfo& a, const os::FileInfo& b) {
  return a.identity == b.identity && a.ctime_ns == b.ctime_ns && a.mode == b.mode;
}

// What a manifest says of a regular file, from one descriptor. A file that grows is not followed
// further than it was long at first.
Result<ManifestFile> hash_file(os::Folder& folder, const std::string& name) {
  UPDATE_TRY_ASSIGN(const auto file, folder.open_file(name));
  UPDATE_TRY_ASSIGN(const os::FileInfo before, file->info());
  std::vector<std::byte> chunk(1U << 20);
  Sha256 hash;
  std::uint64_t size = 0;
  while (size <= before.identity.size) {
    UPDATE_TRY_ASSIGN(const std::size_t count, file->read_at(chunk, size));
    if (count == 0) break;
    hash.update(std::span(chunk).first(count));
    size += count;
  }
  UPDATE_TRY_ASSIGN(const os::FileInfo after, file->info());
  if (size != before.identity.size || !same_bytes(before, after)) {
    return refuse(quote(name) + " of the release changed while it was read");
  }
  constexpr std::uint32_t kPermissions = 0777;
  return ManifestFile{name, hash.finish(), size, before.mode & kPermissions};
}

Result<ManifestFile> describe_file(os::Folder& folder, const std::string& name) {
  if (!is_plain_file_name(name) || escape(name) != name) {
    return fail(ErrorCode::failed, quote(name) + " is not a plain file name");
  }
  UPDATE_TRY_ASSIGN(const auto found, folder.lookup(name));
  if (!found || found->type != os::FileType::regular) {
    return fail(ErrorCode::failed, quote(name) + " is not a regular file");
  }
  return hash_file(folder, name);
}

}  // namespace

Result<Release> open_release(std::unique_ptr<os::Folder> folder, const TrustPolicy& trust) {
  if (trust.require_signature && trust.keys.empty()) {
    return fail(Error(ErrorCode::not_trusted, "there is no key to verify a release with")
                    .hint("name a file or folder of public keys in the configuration: "
                          "[trust] keys"));
  }
  UPDATE_TRY_ASSIGN(const auto bytes, read_small(*folder, kManifestName, kManifestLimit));
  if (!bytes) {
    return fail(Error(ErrorCode::not_trusted, quote(folder->path()) + " is no release: " +
                                                  std::string(kManifestName) + " is missing")
                    .hint("write it: banger-update release make DIR"));
  }
  UPDATE_TRY_ASSIGN(auto signature, check_signature(*folder, *bytes, trust));
  auto manifest = parse_manifest(*bytes);
  if (!manifest) return fail(std::move(manifest).error().with(std::string(kManifestName)));
  UPDATE_TRY(check_closed_world(*folder, *manifest));
  return Release(std::move(folder), std::move(*manifest), std::move(signature));
}

Status check_bytes(Release& release) {
  for (const ManifestFile& file : release.manifest().files) {
    // Again, since it may have gone or got another length since the release was opened.
    UPDATE_TRY(check_file(release.folder(), file));
    UPDATE_TRY_ASSIGN(const ManifestFile found, hash_file(release.folder(), file.name));
    if (found.sha256 != file.sha256) {
      return refuse(quote(file.name) + " has SHA-256 " + found.sha256.hex() + ", not " +
                    file.sha256.hex() + " as promised");
    }
  }
  return {};
}

Result<Manifest> describe_release(os::Folder& folder, const ReleaseDescription& description) {
  UPDATE_TRY_ASSIGN(std::vector<std::string> names, folder.list());
  std::erase_if(names, is_description);
  if (names.empty()) {
    return fail(ErrorCode::failed, quote(folder.path()) + " holds no file to release");
  }
  std::sort(names.begin(), names.end());
  Manifest manifest{description.product,
                    description.version,
                    description.created_us,
                    description.expires_us,
                    description.minimum_version,
                    description.notes,
                    {}};
  for (const std::string& name : names) {
    UPDATE_TRY_ASSIGN(ManifestFile file, describe_file(folder, name));
    manifest.files.push_back(std::move(file));
  }
  // What nobody could install must not be written: notes too long, a product without a name.
  const auto read_back = parse_manifest(format_manifest(manifest));
  if (!read_back) return fail(Error(read_back.error()).as(ErrorCode::failed));
  if (read_back->product != manifest.product || read_back->notes != manifest.notes) {
    return fail(ErrorCode::failed, "the product and the notes must be UTF-8");
  }
  return manifest;
}

}  // namespace update
