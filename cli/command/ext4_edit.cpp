#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/image_options.hpp"
#include "cli/image_output.hpp"
#include "cli/standard_input.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

constexpr OptionSpec kMkdirOptions[] = {kModeOption, kOwnerOption, kGroupOption, kParentsOption};
constexpr OptionSpec kPutOptions[] = {kModeOption, kOwnerOption, kGroupOption, kParentsOption};

Result<int> run_mkdir(Context& context) {
  const auto& arguments = context.options.arguments();
  UPDATE_TRY_ASSIGN(const image::EntryOptions options, entry_options(context));
  UPDATE_TRY_ASSIGN(const image::IdentityRule times, identity_rule(context));
  UPDATE_TRY_ASSIGN(const image::Made made, image::make_folder(context.system(), arguments[0],
                                                               arguments[1], options, times));
  tell_image(context, "changed", arguments[0], made);
  return 0;
}

std::string last_name(std::string_view path) {
  while (path.ends_with('/')) path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos ? path : path.substr(slash + 1));
}

Result<image::NewFile> new_file(const Context& context, const std::string& image,
                                const std::string& source, std::int64_t now_s) {
  if (source == kStandardInput) {
    UPDATE_TRY_ASSIGN(image::HostTree spooled, spool_standard_input(context, image, now_s));
    return image::NewFile{std::move(spooled), ""};
  }
  const std::string name = last_name(source);
  UPDATE_TRY_ASSIGN(image::HostTree read,
                    image::read_one_file(context.system().files, source, name));
  return image::NewFile{std::move(read), name};
}

Result<int> run_put(Context& context) {
  const auto& arguments = context.options.arguments();
  UPDATE_TRY_ASSIGN(const image::EntryOptions options, entry_options(context));
  UPDATE_TRY_ASSIGN(const ProgressStyle style, progress_style(context));
  Progress progress(context.console(), context.log, context.system().clock, style);
  UPDATE_TRY_ASSIGN(const image::ImageOptions image_opts, image_options(context, progress));
  progress.begin("putting " + arguments[1]);
  const std::int64_t now_s = image::making_time(context.system(), image_opts.identity);
  UPDATE_TRY_ASSIGN(image::NewFile file, new_file(context, arguments[0], arguments[1], now_s));
  UPDATE_TRY_ASSIGN(const image::Made made,
                    image::put_file(context.system(), arguments[0], std::move(file), arguments[2],
                                    options, image_opts));
  progress.clear();
  tell_image(context, "changed", arguments[0], made);
  return 0;
}

}  // namespace

const Command kExt4Mkdir = {"ext4 mkdir", "IMAGE PATH", kMkdirOptions, 2, 2, run_mkdir};
const Command kExt4Put = {"ext4 put", "IMAGE SOURCE PATH", kPutOptions, 3, 3, run_put};

}  // namespace update::cli
