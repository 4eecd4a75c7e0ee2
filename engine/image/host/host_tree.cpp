#include "engine/image/host/host_tree.hpp"

#include "engine/image/file/named_file.hpp"
#include "engine/image/host/host_contents.hpp"
#include "engine/image/host/host_reader.hpp"

#include <string_view>
#include <utility>

namespace update::image {
namespace {

Status select(Selection& selection, const std::string& line, std::size_t most_parts) {
  if (line.starts_with('/')) {
    return fail(Error(ErrorCode::usage, "'" + line + "' is absolute")
                    .hint("list what is in the folder by the path that begins in it"));
  }
  Selection* at = &selection;
  std::size_t parts = 0;
  std::string_view rest(line);
  while (!rest.empty()) {
    const std::string_view part = rest.substr(0, rest.find('/'));
    rest.remove_prefix(std::min(rest.size(), part.size() + 1));
    if (part == "..") return fail(ErrorCode::usage, "'" + line + "' leads out of the folder");
    if (part.empty() || part == ".") continue;
    if (++parts > most_parts) {
      return fail(ErrorCode::usage, "an entry of the list has more than " +
                                        std::to_string(most_parts) + " folders within folders");
    }
    at = &at->children[std::string(part)];
  }
  at->whole = true;
  return {};
}

Result<HostTree> read_selected(os::FileSystem& files, const std::string& path,
                               const Selection& selection, const TreeLimits& limits) {
  const auto read = [&]() -> Result<HostTree> {
    UPDATE_TRY_ASSIGN(auto top, files.open_folder(path));
    HostReader reader(limits);
    UPDATE_TRY(reader.read_folder(*top, selection));
    auto contents = std::make_unique<HostContents>(std::move(top), reader.take_seen());
    return HostTree{reader.take(), std::move(contents)};
  };
  auto tree = read();
  if (!tree) return fail(std::move(tree).error().with("reading " + path));
  return tree;
}

}  // namespace

Result<HostTree> read_folder(os::FileSystem& files, const std::string& path,
                             const TreeLimits& limits) {
  return read_selected(files, path, {.whole = true}, limits);
}

Result<HostTree> read_listed(os::FileSystem& files, const std::string& folder,
                             const std::vector<std::string>& list, const TreeLimits& limits) {
  Selection selection;
  for (const std::string& line : list) UPDATE_TRY(select(selection, line, limits.depth));
  return read_selected(files, folder, selection, limits);
}

Result<HostTree> read_one_file(os::FileSystem& files, const std::string& path,
                               const std::string& name) {
  UPDATE_TRY_ASSIGN(auto file, open_named_file(files, path));
  HostReader reader(TreeLimits{});
  UPDATE_TRY(reader.read_one_file(*file, name));
  auto contents = std::make_unique<OneFileContents>(std::move(file), reader.take_seen().back());
  return HostTree{reader.take(), std::move(contents)};
}

}  // namespace update::image
