#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kWorkSeedOptions[] = {
    {"out", "FILE"}, kUuidOption, kHashSeedOption, kLabelOption, kGrowToOption, kKeepOwnerOption,
};

Result<int> run_work_seed(Context& context) {
  const std::string& rootfs = context.options.arguments().front();
  const std::string out = context.options.value("out").value_or(image::work_seed_path(rootfs));
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const image::ImageOptions options, image_options(context, progress));
  progress.begin("making " + out);
  UPDATE_TRY_ASSIGN(const image::Made made,
                    image::build_work_seed(context.system(), rootfs, out, options));
  progress.clear();
  tell_image(context, "made", out, made);
  return 0;
}

}  // namespace

const Command kWorkSeed = {"work-seed", "ROOTFS", kWorkSeedOptions, 1, 1, run_work_seed};

}  // namespace update::cli
