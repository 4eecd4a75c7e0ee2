#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "cli/toml_text.hpp"
#include "engine/base/text.hpp"

namespace update::cli {
namespace {

Result<int> run_check(Context& context) {
  UPDATE_TRY_ASSIGN(const InstallationRoot root, installation_root(context));
  UPDATE_TRY_ASSIGN(const LoadedConfiguration loaded, load_configuration(context, root));
  print_document(context, checked_document(loaded.origin, loaded.present));
  say(context, loaded.present ? "OK: " + escape(loaded.origin) + "\n"
                              : "OK: there is no " + escape(loaded.origin) +
                                    ", so the defaults are in force\n");
  return 0;
}

Result<int> run_config_show(Context& context) {
  UPDATE_TRY_ASSIGN(const InstallationRoot root, installation_root(context));
  UPDATE_TRY_ASSIGN(const LoadedConfiguration loaded, load_configuration(context, root));
  print_document(context, configuration_document(loaded.config));
  say(context, to_toml(loaded.config, root.folder != "/"));
  return 0;
}

}  // namespace

const Command kConfigCheck = {"config check", "", {}, 0, 0, run_check, true};
const Command kConfigShow = {"config show", "", {}, 0, 0, run_config_show, true};

}  // namespace update::cli
