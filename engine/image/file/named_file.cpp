#include "engine/image/file/named_file.hpp"

#include <cerrno>
#include <utility>

namespace update {

Result<NamedPlace> open_named_place(os::FileSystem& files, const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  std::string parent = slash == std::string::npos ? "." : path.substr(0, slash);
  if (parent.empty()) parent.push_back('/');
  if (name.empty() || name == "." || name == ".." || path.find('\0') != std::string::npos) {
    return fail(ErrorCode::usage, "'" + path + "' is not the path of a file");
  }
  UPDATE_TRY_ASSIGN(auto folder, files.open_folder(parent));
  return NamedPlace{std::move(folder), name};
}

Result<std::unique_ptr<os::File>> open_named_file(os::FileSystem& files, const std::string& path) {
  constexpr int kLinksMax = 40;  // path_resolution(7)
  std::string at = path;
  for (int links = 0; links <= kLinksMax; ++links) {
    UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(files, at));
    UPDATE_TRY_ASSIGN(const auto found, place.folder->lookup(place.name));
    if (!found) return fail(Error::from_errno(ENOENT, "opening " + at));
    if (found->type != os::FileType::symbolic_link) return place.folder->open_file(place.name);
    UPDATE_TRY_ASSIGN(const std::string target, place.folder->read_link(place.name));
    at = target.starts_with('/') ? std::string() : place.folder->path();
    if (!at.empty()) at.push_back('/');
    at.append(target);
  }
  return fail(Error::from_errno(ELOOP, "opening " + path));
}

}  // namespace update
