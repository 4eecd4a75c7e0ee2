#include "cli/environment.hpp"

#include <array>
#include <cerrno>

#include "cli/caller_path.hpp"
#include "engine/base/text.hpp"
#include "engine/os/caller_linux.hpp"

namespace update::cli {
namespace {

constexpr std::size_t kCommandLineBytes = 4096;

// What cannot be read is as wrong as what cannot be understood (2), unless the way to it is not to
// be trusted (7).
Error unreadable(Error error) {
  if (error.code() == ErrorCode::not_trusted) return error;
  return std::move(error).as(ErrorCode::usage);
}

Result<std::string> read_configuration(const InstallationRoot& root, const AbsolutePath& path) {
  auto text = read_trusted_file(root, path, kConfigurationLimit);
  if (text) return text;
  return fail(unreadable(std::move(text).error()).with("the configuration"));
}

}  // namespace

Result<InstallationRoot> installation_root(const Context& context) {
  os::System& system = context.system();
  InstallationRoot root{system.files, "/", system.host.uid()};
  if (!context.global.root) return root;
  auto real = os::real_path(*context.global.root);
  if (!real) return fail(std::move(real).error().with("--root").as(ErrorCode::usage));
  if (auto folder = system.files.open_folder(*real); !folder) {
    return fail(std::move(folder).error().with("--root").as(ErrorCode::usage));
  }
  root.folder = *real;
  return root;
}

Result<LoadedConfiguration> load_configuration(const Context& context,
                                               const InstallationRoot& root) {
  const auto& named = context.global.configuration ? context.global.configuration
                                                   : context.invocation.configuration;
  std::string text;
  std::string origin(kDefaultConfigurationPath);
  bool present = true;
  std::optional<std::string> path_of_named;
  if (named) {
    const InstallationRoot host{root.files, "/", root.caller_uid};
    auto path = absolute_path(*named);
    if (!path) return fail(unreadable(std::move(path).error()).with("the configuration"));
    UPDATE_TRY_ASSIGN(text, read_configuration(host, *path));
    origin = *named;
    path_of_named = path->text();
  } else {
    UPDATE_TRY_ASSIGN(const AbsolutePath path, AbsolutePath::parse(kDefaultConfigurationPath));
    auto read = read_configuration(root, path);
    present = read.has_value();
    if (!read && read.error().system_errno() != ENOENT) return fail(std::move(read).error());
    if (read) text = std::move(*read);
  }
  UPDATE_TRY_ASSIGN(Configuration config, parse_configuration(text, escape(origin)));
  return LoadedConfiguration{std::move(config), origin, present, std::move(path_of_named)};
}

Result<ProgressStyle> progress_style(const Context& context) {
  constexpr std::array<std::string_view, 4> kWords = {"auto", "bar", "plain", "none"};
  UPDATE_TRY_ASSIGN(const auto word, context.options.word("progress", kWords));
  if (context.global.quiet) return ProgressStyle::none;
  if (word == "bar") return ProgressStyle::bar;
  if (word == "plain") return ProgressStyle::plain;
  if (word == "none" || !context.console().err_is_terminal()) return ProgressStyle::none;
  return context.invocation.plain_terminal ? ProgressStyle::plain : ProgressStyle::bar;
}

std::string command_line_of(const Invocation& invocation) {
  std::string line = invocation.program;
  for (const std::string& word : invocation.words) {
    if (line.size() > kCommandLineBytes) break;
    line.append(" ").append(word);
  }
  line = escape(line);
  if (line.size() <= kCommandLineBytes) return line;
  constexpr std::string_view kMore = "…";
  std::size_t end = kCommandLineBytes - kMore.size();
  while ((static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) --end;
  return line.substr(0, end).append(kMore);
}

Result<Environment> make_environment(const Context& context, Observer& observer) {
  UPDATE_TRY_ASSIGN(const InstallationRoot root, installation_root(context));
  UPDATE_TRY_ASSIGN(LoadedConfiguration loaded, load_configuration(context, root));
  context.log.info("configuration: " + (loaded.present ? escape(loaded.origin) : "defaults"));
  return Environment{context.system(),
                     root,
                     std::move(loaded.config),
                     command_line_of(context.invocation),
                     std::move(loaded.named_path),
                     observer};
}

}  // namespace update::cli
