#include "cli/command.hpp"
#include "cli/image_options.hpp"
#include "cli/json_image.hpp"
#include "cli/output.hpp"
#include "engine/base/text.hpp"
#include "engine/image/read/read_image.hpp"

namespace update::cli {
namespace {

Result<int> run_image_check(Context& context) {
  const std::string& path = context.options.arguments().front();
  UPDATE_TRY_ASSIGN(const OpenedFile opened, open_image_argument(context));
  const auto checked = image::check_image(context.system().confinement, *opened.file);
  if (!checked) return fail(about_image(context, checked.error()));
  const std::vector<std::string>& findings = *checked;
  if (findings.empty()) {
    print_document(context, check_document(path, findings, nullptr));
    say(context, "OK: " + escape(path) + " is consistent\n");
    return 0;
  }
  const Error error = Error(ErrorCode::not_trusted, "the image " + escape(path) + " is damaged")
                          .hint("e2fsck -f repairs an image that nobody uses");
  print_document(context, check_document(path, findings, &error));
  std::string text;
  for (const std::string& finding : findings) text += escape(finding) + "\n";
  say(context, text);
  print_error(context, error);
  return exit_code(error.code());
}

}  // namespace

const Command kExt4Check = {"ext4 check", "IMAGE", {}, 1, 1, run_image_check, true};

}  // namespace update::cli
