#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kMkfsOptions[] = {kSizeOption, kUuidOption, kHashSeedOption, kLabelOption,
                                       kGrowToOption};
// What will be in it is not known yet.
constexpr std::uint32_t kPrivateMode = 0600;

class NothingInside final : public image::Contents {
 public:
  Result<os::File*> open(const image::Tree& tree, image::EntryIndex entry) override {
    return fail(ErrorCode::failed, tree.path(entry) + " has no bytes");
  }
  Status close(const image::Tree& /*tree*/, image::EntryIndex /*entry*/) override { return {}; }
};

Result<int> run_mkfs(Context& context) {
  const std::string& path = context.options.arguments().front();
  UPDATE_TRY_ASSIGN(const std::uint64_t bytes, needed_size(context));
  Progress silent(context.console(), context.log, context.system().clock, ProgressStyle::none);
  UPDATE_TRY_ASSIGN(const image::ImageOptions options, image_options(context, silent));
  NothingInside nothing;
  auto made = image::make_image(context.system(), path, kPrivateMode, bytes, {}, nothing, options);
  if (!made) return fail(std::move(made).error().with("making " + escape(path)));
  tell_image(context, "made", path, *made);
  return 0;
}

}  // namespace

const Command kExt4Mkfs = {"ext4 mkfs", "IMAGE --size SIZE", kMkfsOptions, 1, 1, run_mkfs};

}  // namespace update::cli
