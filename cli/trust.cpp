#include "cli/trust.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr std::size_t kKeyFileBytes = 4096;
constexpr std::size_t kKeysMost = 1000;

Status add_key(const Environment& env, const AbsolutePath& path, TrustPolicy& trust) {
  auto text = read_trusted_file(env.root, path, kKeyFileBytes);
  // A key that is there and can't be read is no reason to go on with fewer.
  if (!text) return fail(std::move(text).error().with("public key").as(ErrorCode::not_trusted));
  UPDATE_TRY_ASSIGN(PublicKey key, parse_public_key(*text, path.text()));
  trust.keys.push_back(std::move(key));
  return {};
}

Status add_keys_of_folder(const Environment& env, os::Folder& folder, const AbsolutePath& path,
                          TrustPolicy& trust) {
  UPDATE_TRY_ASSIGN(std::vector<std::string> names, folder.list());
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(".pub"); });
  std::sort(names.begin(), names.end());
  if (names.size() > kKeysMost) {
    return fail(ErrorCode::not_trusted,
                escape(path.text()) + " holds more than " + std::to_string(kKeysMost) + " keys");
  }
  for (const std::string& name : names) UPDATE_TRY(add_key(env, path / name, trust));
  return {};
}

Status add_keys(const Environment& env, const AbsolutePath& path, TrustPolicy& trust) {
  auto folder = open_trusted_folder(env.root, path);
  if (folder) return add_keys_of_folder(env, **folder, path, trust);
  if (folder.error().system_errno() == ENOENT) return {};
  if (folder.error().system_errno() == ENOTDIR) return add_key(env, path, trust);
  return fail(std::move(folder).error().with("public keys").as(ErrorCode::not_trusted));
}

bool is_archive_name(std::string_view release) {
  constexpr std::array<std::string_view, 5> kEndings = {".tar", ".tar.gz", ".tgz", ".tar.zst",
                                                        ".tar.xz"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](std::string_view ending) { return release.ends_with(ending); });
}

}  // namespace

Result<TrustPolicy> load_trust(const Environment& env) {
  TrustPolicy trust{env.config.trust.require_signature, {}};
  if (!trust.require_signature) return trust;
  std::string places;
  for (const AbsolutePath& path : env.config.trust.keys) {
    places.append(places.empty() ? "" : ", ").append(escape(path.text()));
    UPDATE_TRY(add_keys(env, path, trust));
  }
  if (!trust.keys.empty()) return trust;
  return fail(Error(ErrorCode::not_trusted, places.empty()
                                                ? "no place for public keys is configured"
                                                : "no public key was found in " + places)
                  .hint("put the publisher's .pub file there, or name its place in [trust] keys"));
}

Result<std::unique_ptr<os::Folder>> open_release_folder(const Environment& env,
                                                        const std::string& release) {
  const bool address = release.starts_with("http://") || release.starts_with("https://");
  if (release == "-" || address || is_archive_name(release)) {
    const std::string_view what = address ? "an address" : "an archive";
    return fail(Error(ErrorCode::usage, quote(release) + " is " + std::string(what) +
                                            "; this version takes a release as a folder")
                    .hint(std::string(address ? "download it, then: " : "") +
                          "mkdir release && tar -xf ARCHIVE -C release"));
  }
  if (release.empty()) return fail(ErrorCode::usage, "the name of the release is empty");
  auto folder = env.system.files.open_folder(release);
  if (!folder) return fail(std::move(folder).error().with("release"));
  return folder;
}

Result<Release> open_trusted_release(const Environment& env, const std::string& release) {
  UPDATE_TRY_ASSIGN(auto folder, open_release_folder(env, release));
  UPDATE_TRY_ASSIGN(const TrustPolicy trust, load_trust(env));
  return open_release(std::move(folder), trust);
}

}  // namespace update::cli
