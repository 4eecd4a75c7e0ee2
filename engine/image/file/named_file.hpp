#pragma once

#include <memory>
#include <string>

#include "engine/base/result.hpp"
#include "engine/os/filesystem.hpp"

namespace update {

/// A folder and a name in it, as a person gave them: `x` is in the folder `.`.
struct NamedPlace {
  std::unique_ptr<os::Folder> folder;
  std::string name;
};

/// usage if `path` does not end in the name of a file.
Result<NamedPlace> open_named_place(os::FileSystem& files, const std::string& path);

/// The regular file that `path` stands for, links followed as open(2) does (at most 40, ELOOP
/// then).
Result<std::unique_ptr<os::File>> open_named_file(os::FileSystem& files, const std::string& path);

}  // namespace update
