#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kWorkDiskOptions[] = {
    kSizeOption, kUuidOption, kHashSeedOption, kLabelOption, kGrowToOption, kKeepOwnerOption,
};

Result<int> run_work_disk(Context& context) {
  const std::string& seed = context.options.arguments()[0];
  const std::string& disk = context.options.arguments()[1];
  UPDATE_TRY_ASSIGN(const std::uint64_t bytes, needed_size(context));
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const image::ImageOptions options, image_options(context, progress));
  progress.begin("making " + disk);
  UPDATE_TRY_ASSIGN(const image::Made made,
                    image::make_work_disk(context.system(), seed, disk, bytes, options));
  progress.clear();
  tell_image(context, "made", disk, made);
  return 0;
}

}  // namespace

const Command kWorkDisk = {"work-disk",  "SEED DISK --size SIZE", kWorkDiskOptions, 2, 2,
                           run_work_disk};

}  // namespace update::cli
