#include "cli/caller_path.hpp"

#include "engine/os/caller_linux.hpp"
#include "engine/transaction/small_file.hpp"

namespace update::cli {

Result<AbsolutePath> absolute_path(const std::string& path) {
  auto parsed = AbsolutePath::parse(path);
  if (parsed || path.empty() || path.find('\0') != std::string::npos) return parsed;
  // Relative, or with `.` or `..`, which after a link leads elsewhere than its text says: the
  // system is asked where the folder is.
  std::string_view text = path;
  while (text.size() > 1 && text.back() == '/') text.remove_suffix(1);
  const std::size_t slash = text.rfind('/');
  const std::string_view name = slash == std::string_view::npos ? text : text.substr(slash + 1);
  if (!is_plain_file_name(name)) {
    UPDATE_TRY_ASSIGN(const std::string real, os::real_path(path));
    return AbsolutePath::parse(real);
  }
  const std::string folder = slash == std::string_view::npos ? "." : path.substr(0, slash + 1);
  UPDATE_TRY_ASSIGN(const std::string real, os::real_path(folder));
  return AbsolutePath::parse((real == "/" ? "" : real) + "/" + std::string(name));
}

Result<std::string> read_caller_file(os::FileSystem& files, const std::string& path,
                                     std::size_t limit) {
  UPDATE_TRY_ASSIGN(const AbsolutePath absolute, absolute_path(path));
  UPDATE_TRY_ASSIGN(const auto folder, files.open_folder(absolute.parent().text()));
  UPDATE_TRY_ASSIGN(const auto file, folder->open_file(absolute.name()));
  return read_whole(*file, limit);
}

}  // namespace update::cli
