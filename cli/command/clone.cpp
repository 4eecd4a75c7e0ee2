#include "cli/command.hpp"
#include "cli/json_image.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"
#include "engine/image/file/clone_file.hpp"
#include "engine/image/file/named_file.hpp"

namespace update::cli {
namespace {

Result<int> run_clone(Context& context) {
  os::FileSystem& files = context.system().files;
  const std::string& source = context.options.arguments()[0];
  const std::string& target = context.options.arguments()[1];
  UPDATE_TRY(clone_file(context.system(), source, target));
  UPDATE_TRY_ASSIGN(const auto made, open_named_file(files, target));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, made->info());
  print_document(context, cloned_document(source, target, info.identity.size));
  say(context, "cloned " + escape(source) + " to " + escape(target) + ": " +
                   format_size(info.identity.size) + "\n");
  return 0;
}

}  // namespace

const Command kClone = {"clone", "SRC DST", {}, 2, 2, run_clone};

}  // namespace update::cli
