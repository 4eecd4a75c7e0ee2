#include <cerrno>
#include <span>

#include "cli/command.hpp"
#include "cli/environment.hpp"
#include "cli/json_documents.hpp"
#include "cli/output.hpp"
#include "cli/toml_text.hpp"
#include "cli/unit_files.hpp"
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

/// Made anew whole: systemd clears the folder of a generator before each run
/// (systemd.generator(7)).
Status write_unit_file(os::Folder& units, const UnitFile& file) {
  auto folder = units.create_folder(file.folder, 0755);
  if (!folder && folder.error().system_errno() == EEXIST) folder = units.open_folder(file.folder);
  if (!folder) return fail(std::move(folder).error());
  UPDATE_TRY((*folder)->unlink(file.name).map([](bool) {}));
  UPDATE_TRY_ASSIGN(const auto written, (*folder)->create_file(file.name, 0644));
  return written->write_at(std::as_bytes(std::span(file.text)), 0);
}

Result<int> run_config_units(Context& context) {
  UPDATE_TRY_ASSIGN(const InstallationRoot root, installation_root(context));
  UPDATE_TRY_ASSIGN(const LoadedConfiguration loaded, load_configuration(context, root));
  UPDATE_TRY_ASSIGN(const std::vector<UnitFile> files, unit_files_of(loaded.config));
  print_document(context, unit_files_document(files));
  const auto target = context.options.value("to");
  if (target) {
    UPDATE_TRY_ASSIGN(const auto folder, context.system().files.open_folder(*target));
    for (const UnitFile& file : files) UPDATE_TRY(write_unit_file(*folder, file));
    return 0;
  }
  std::string text;
  for (const UnitFile& file : files) {
    text.append(text.empty() ? "" : "\n").append("# ").append(file.folder).append("/");
    text.append(file.name).append("\n").append(file.text);
  }
  say(context, text);
  return 0;
}

constexpr OptionSpec kUnitsOptions[] = {{"to", "FOLDER"}};

}  // namespace

const Command kConfigUnits = {"config units", "", kUnitsOptions, 0, 0, run_config_units, true};
const Command kConfigCheck = {"config check", "", {}, 0, 0, run_check, true};
const Command kConfigShow = {"config show", "", {}, 0, 0, run_config_show, true};

}  // namespace update::cli
