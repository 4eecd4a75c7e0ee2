#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/image/file/named_file.hpp"
#include "engine/os/filesystem.hpp"

namespace update::image {

/// Of a mode: who may do what, without the set-id bits and the sticky one.
inline constexpr std::uint32_t kPermissionBits = 0777;

/// A file that takes another's place whole or not at all: it is made under a name of its own in the
/// same folder (layout.hpp), and renamed when it is complete. Destroyed before that, it is removed.
class OutputFile {
 public:
  /// Takes the target's permission bits, owner, ACL, SELinux label and user attributes, as far as
  /// the caller may give them, where it exists, else `mode`. A target that is no regular file is
  /// refused. Left temporaries of killed runs for this target are removed.
  static Result<OutputFile> create(os::FileSystem& files, const std::string& target,
                                   std::uint32_t mode, std::uint32_t random);
  OutputFile(OutputFile&&) noexcept = default;
  OutputFile& operator=(OutputFile&&) = delete;
  ~OutputFile();

  os::File& file() { return *file_; }
  /// The file is complete: synced, renamed, the folder synced. Durable on return.
  Status commit();
  /// The same where there is to be no target yet: one that was made meanwhile is left alone
  /// (EEXIST). After any failure the target is not there.
  Status commit_new();

 private:
  OutputFile(NamedPlace place, std::string temporary, std::unique_ptr<os::File> file)
      : place_(std::move(place)), temporary_(std::move(temporary)), file_(std::move(file)) {}

  Status give_new_name();

  NamedPlace place_;
  std::string temporary_;  ///< empty once it was renamed
  std::unique_ptr<os::File> file_;
};

}  // namespace update::image
