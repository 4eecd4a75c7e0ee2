#include "engine/image/work_image.hpp"

#include "engine/base/sha256.hpp"
#include "engine/base/text.hpp"
#include "engine/image/file/copied_mode.hpp"
#include "engine/image/file/lock_image.hpp"
#include "engine/image/file/named_file.hpp"
#include "engine/image/file/output_file.hpp"
#include "engine/image/read/read_image.hpp"
#include "engine/image/watched_contents.hpp"

#include <algorithm>

namespace update::image {
namespace {

constexpr std::uint64_t kMiB = 1U << 20;
constexpr std::uint64_t kSeedStep = 64 * kMiB;
constexpr std::uint64_t kSeedLeast = 512 * kMiB;
constexpr std::uint64_t kSeedSpare = 256 * kMiB;
constexpr std::uint64_t kImageMax = std::uint64_t{1} << 63;
constexpr std::string_view kSeedFolder = "/root";
// Who may read an image may read what is made of it; nobody executes one.
constexpr std::uint32_t kReadWriteBits = 0666;

std::string_view trimmed_path(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// RFC 9562: what marks the bytes as random.
IdentityBytes as_random_uuid(IdentityBytes bytes) {
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0FU) | 0x40U);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3FU) | 0x80U);
  return bytes;
}

IdentityBytes random_identity(os::Host& host) {
  IdentityBytes bytes{};
  for (std::size_t at = 0; at < bytes.size(); at += sizeof(std::uint32_t)) {
    const std::uint32_t random = host.random_u32();
    for (std::size_t byte = 0; byte < sizeof random; ++byte) {
      bytes[at + byte] = static_cast<std::uint8_t>(random >> (8 * byte));
    }
  }
  return as_random_uuid(bytes);
}

// Of what ends up in the image, and not of where it came from.
Sha256Digest digest_of(const Tree& tree, std::int64_t epoch_s, std::uint64_t image_bytes) {
  Tree known = tree;
  for (Entry& entry : known.entries) entry.inode = 0;
  for (Extent& extent : known.extents) extent.source = 0;
  Sha256 hash;
  hash.update(std::to_string(epoch_s) + " " + std::to_string(image_bytes) + "\n");
  hash.update(encode_tree(known));
  return hash.finish();
}

IdentityBytes part_of(const Sha256Digest& digest, std::size_t begin) {
  IdentityBytes bytes{};
  std::transform(digest.bytes().begin() + static_cast<std::ptrdiff_t>(begin),
                 digest.bytes().begin() + static_cast<std::ptrdiff_t>(begin + bytes.size()),
                 bytes.begin(), [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return as_random_uuid(bytes);
}

struct Source {
  std::unique_ptr<os::File> file;
  os::FileInfo info;
  std::uint32_t mode = 0;
};

Result<Source> open_source(const os::System& system, const std::string& path) {
  UPDATE_TRY_ASSIGN(auto file, open_named_file(system.files, path));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  UPDATE_TRY_ASSIGN(const std::uint32_t mode, copied_mode(*file));
  return Source{std::move(file), info, mode & kReadWriteBits};
}

// An empty tree where the rootfs has no such folder.
Result<Tree> read_seed_folder(const os::System& system, os::File& rootfs) {
  auto tree = read_image(system.confinement, rootfs, kSeedFolder, Depth::contents);
  if (!tree && tree.error().code() == ErrorCode::not_found) return Tree{};
  if (tree && tree->entries.front().type != EntryType::folder) {
    return fail(ErrorCode::failed, std::string(kSeedFolder) + " in the image is not a folder");
  }
  return tree;
}

Result<Made> seed_from(const os::System& system, const std::string& rootfs, const std::string& out,
                       const ImageOptions& options) {
  UPDATE_TRY_ASSIGN(const Source source, open_source(system, rootfs));
  UPDATE_TRY_ASSIGN(const Tree tree, read_seed_folder(system, *source.file));
  UPDATE_TRY_ASSIGN(const std::uint64_t least, work_seed_size(tree.total_size()));
  const std::uint64_t bytes = size_for(needed_for(tree), least, kSeedStep);
  ImageContents contents(*source.file, source.info);
  return make_image(system, out, source.mode, bytes, tree, contents, options);
}

Result<Made> disk_from(const os::System& system, const std::string& seed, const std::string& disk,
                       std::uint64_t bytes, const ImageOptions& options) {
  UPDATE_TRY_ASSIGN(const Source source, open_source(system, seed));
  UPDATE_TRY_ASSIGN(const Tree tree,
                    read_image(system.confinement, *source.file, "/", Depth::tree));
  ImageContents contents(*source.file, source.info);
  return make_image(system, disk, source.mode, bytes, tree, contents, options);
}

}  // namespace

std::string work_seed_path(std::string_view rootfs) {
  constexpr std::string_view kEnding = ".ext4";
  const std::string_view path = trimmed_path(rootfs);
  if (path.empty()) return {};
  const std::string_view base = path.substr(0, path.size() - std::min(path.size(), kEnding.size()));
  if (!path.ends_with(kEnding)) return std::string(path) + ".work-seed";
  return std::string(base) + ".work-seed" + std::string(kEnding);
}

Result<std::uint64_t> work_seed_size(std::uint64_t used_bytes) {
  if (used_bytes > (kImageMax - kSeedSpare - kSeedStep) / 2) {
    return fail(ErrorCode::no_space,
                std::to_string(used_bytes) + " bytes are more than a work seed can hold");
  }
  const std::uint64_t wanted = std::max(2 * used_bytes + kSeedSpare, kSeedLeast);
  return (wanted + kSeedStep - 1) / kSeedStep * kSeedStep;
}

Made made_of(const Tree& tree, std::uint64_t image_bytes) {
  Made made;
  made.bytes = image_bytes;
  made.entries = tree.entries.empty() ? 0 : tree.entries.size() - 1;
  made.content_bytes = tree.total_size();
  std::copy(std::begin(tree.skipped), std::end(tree.skipped), std::begin(made.skipped.skipped));
  return made;
}

Made made_in_image(const Tree& tree, std::uint64_t image_bytes) {
  Made made = made_of(tree, image_bytes);
  made.skipped.skip(Skipped::attribute, unstorable_attributes(tree));
  return made;
}

std::int64_t making_time(const os::System& system, const IdentityRule& rule) {
  constexpr std::int64_t kSecondUs = 1'000'000;
  return rule.epoch_s ? *rule.epoch_s : system.clock.wall_us() / kSecondUs;
}

Identity make_identity(const os::System& system, const IdentityRule& rule, const Tree& tree,
                       std::uint64_t image_bytes) {
  Identity identity;
  identity.now_s = making_time(system, rule);
  if (rule.uuid) identity.uuid = *rule.uuid;
  if (rule.hash_seed) identity.hash_seed = *rule.hash_seed;
  if (rule.uuid && rule.hash_seed) return identity;
  if (rule.epoch_s) {
    const Sha256Digest digest = digest_of(tree, *rule.epoch_s, image_bytes);
    if (!rule.uuid) identity.uuid = part_of(digest, 0);
    if (!rule.hash_seed) identity.hash_seed = part_of(digest, identity.uuid.size());
  } else {
    if (!rule.uuid) identity.uuid = random_identity(system.host);
    if (!rule.hash_seed) identity.hash_seed = random_identity(system.host);
  }
  return identity;
}

Result<Made> make_image(const os::System& system, const std::string& target, std::uint32_t mode,
                        std::uint64_t bytes, const Tree& tree, Contents& contents,
                        const ImageOptions& options) {
  const Geometry geometry{bytes, options.grow_to_bytes, options.label};
  UPDATE_TRY(check_fits(needed_for(tree), geometry));
  UPDATE_TRY_ASSIGN(const auto held, lock_present(system.files, target));
  UPDATE_TRY_ASSIGN(OutputFile output,
                    OutputFile::create(system.files, target, mode, system.host.random_u32()));
  const Identity identity = make_identity(system, options.identity, tree, bytes);
  WatchedContents watched(contents, options.copied, tree.total_size());
  UPDATE_TRY(
      write_image(output.file(), geometry, identity, tree, watched, options.owners, system.stop));
  UPDATE_TRY(output.commit());
  return made_in_image(tree, bytes);
}

Result<Made> build_work_seed(const os::System& system, const std::string& rootfs,
                             const std::string& out, const ImageOptions& options) {
  auto made = seed_from(system, rootfs, out, options);
  if (made) return made;
  return fail(std::move(made).error().with("the work seed of " + escape(rootfs)));
}

Result<Made> make_work_disk(const os::System& system, const std::string& seed,
                            const std::string& disk, std::uint64_t bytes,
                            const ImageOptions& options) {
  auto made = disk_from(system, seed, disk, bytes, options);
  if (made) return made;
  return fail(std::move(made).error().with("a work disk from " + escape(seed)));
}

}  // namespace update::image
