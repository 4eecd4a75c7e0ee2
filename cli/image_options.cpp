#include "cli/image_options.hpp"

#include "engine/base/hex.hpp"
#include "engine/base/text.hpp"
#include "engine/image/file/named_file.hpp"

#include <algorithm>
#include <limits>

namespace update::cli {
namespace {

// The last second that ext4 can hold, in 2446.
constexpr std::int64_t kLastSecond = (std::int64_t{1} << 34) - (std::int64_t{1} << 31) - 1;
constexpr std::size_t kLabelBytes = 16;

Result<std::optional<std::uint64_t>> size_option(const Context& context, std::string_view name) {
  const auto given = context.options.value(name);
  if (!given) return std::nullopt;
  auto size = parse_size(*given);
  if (!size) return fail(std::move(size).error().with("--" + std::string(name)));
  if (*size == 0 || *size > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return fail(ErrorCode::usage, "--" + std::string(name) + ": no image can be that size");
  }
  return *size;
}

// "8a6f…-…": 32 digits, with or without the dashes of a UUID.
Result<std::optional<image::IdentityBytes>> identity_option(const Context& context,
                                                            std::string_view name) {
  const auto given = context.options.value(name);
  if (!given) return std::nullopt;
  std::string digits;
  for (const char c : *given) {
    if (c != '-') digits.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  const auto bytes = from_hex(digits);
  image::IdentityBytes identity{};
  if (!bytes || bytes->size() != identity.size()) {
    return fail(
        Error(ErrorCode::usage, "--" + std::string(name) + ": " + quote(*given) + " is not a UUID")
            .hint("uuidgen makes one"));
  }
  std::transform(bytes->begin(), bytes->end(), identity.begin(),
                 [](std::byte byte) { return std::to_integer<std::uint8_t>(byte); });
  return identity;
}

Result<std::optional<std::uint32_t>> mode_option(const Context& context) {
  const auto given = context.options.value(kModeOption.name);
  if (!given) return std::nullopt;
  const bool octal_digits = given->find_first_not_of("01234567") == std::string::npos;
  if (!octal_digits || given->size() < 3 || given->size() > 4) {
    return fail(Error(ErrorCode::usage, "--mode: " + quote(*given) + " is not a mode")
                    .hint("write three or four octal digits, 0755 for instance"));
  }
  std::uint32_t mode = 0;
  for (const char digit : *given) mode = mode * 8 + static_cast<std::uint32_t>(digit - '0');
  return mode;
}

// 2^32 - 1 means "none" to the kernel.
Result<std::uint32_t> id_option(const Context& context, std::string_view name) {
  constexpr std::int64_t kIdMost = std::int64_t{std::numeric_limits<std::uint32_t>::max()} - 1;
  UPDATE_TRY_ASSIGN(const auto id, context.options.integer(name, 0, kIdMost));
  return static_cast<std::uint32_t>(id.value_or(0));
}

}  // namespace

Result<std::uint64_t> needed_size(const Context& context) {
  UPDATE_TRY_ASSIGN(const auto size, size_option(context, kSizeOption.name));
  if (size) return *size;
  return fail(Error(ErrorCode::usage, "an image needs a size").hint("--size 8GiB"));
}

Result<image::IdentityRule> identity_rule(const Context& context) {
  image::IdentityRule rule;
  UPDATE_TRY_ASSIGN(rule.uuid, identity_option(context, kUuidOption.name));
  UPDATE_TRY_ASSIGN(rule.hash_seed, identity_option(context, kHashSeedOption.name));
  // https://reproducible-builds.org/specs/source-date-epoch/
  if (const auto& epoch = context.invocation.build_time) {
    UPDATE_TRY_ASSIGN(rule.epoch_s, parse_integer(*epoch, "SOURCE_DATE_EPOCH", 0, kLastSecond));
  }
  return rule;
}

Result<image::ImageOptions> image_options(const Context& context, Progress& progress) {
  image::ImageOptions options;
  UPDATE_TRY_ASSIGN(options.identity, identity_rule(context));
  UPDATE_TRY_ASSIGN(const auto grow_to, size_option(context, kGrowToOption.name));
  options.grow_to_bytes = grow_to.value_or(0);
  options.label = context.options.value(kLabelOption.name).value_or("");
  if (options.label.size() > kLabelBytes) {
    return fail(ErrorCode::usage, "--label: " + quote(options.label) + " is longer than " +
                                      std::to_string(kLabelBytes) + " bytes");
  }
  options.owners.keep = context.options.has(kKeepOwnerOption.name);
  options.copied = [&progress](std::uint64_t done, std::uint64_t total) {
    progress.progress(done, total);
  };
  return options;
}

Result<image::EntryOptions> entry_options(const Context& context) {
  image::EntryOptions options;
  UPDATE_TRY_ASSIGN(options.mode, mode_option(context));
  UPDATE_TRY_ASSIGN(options.uid, id_option(context, kOwnerOption.name));
  UPDATE_TRY_ASSIGN(options.gid, id_option(context, kGroupOption.name));
  options.parents = context.options.has(kParentsOption.name);
  return options;
}

Result<std::string> image_path(const Context& context, std::size_t argument) {
  const auto& arguments = context.options.arguments();
  if (argument >= arguments.size()) return "/";
  UPDATE_TRY_ASSIGN(const auto names, image::split_image_path(arguments[argument]));
  return image::join_image_path(names);
}

Result<OpenedFile> open_image_argument(const Context& context) {
  UPDATE_TRY_ASSIGN(auto file,
                    open_named_file(context.system().files, context.options.arguments().front()));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file->info());
  return OpenedFile{std::move(file), info};
}

Result<image::Tree> read_image_argument(const Context& context, const OpenedFile& opened,
                                        const std::string& path, image::Depth depth) {
  auto tree = image::read_image(context.system().confinement, *opened.file, path, depth);
  if (tree) return tree;
  return fail(about_image(context, std::move(tree).error()));
}

Error about_image(const Context& context, Error error) {
  return std::move(error).with("the image " + escape(context.options.arguments().front()));
}

}  // namespace update::cli
