#include "engine/image/host/host_contents.hpp"

#include <string>

namespace update::image {
namespace {

Error changed_meanwhile(const Tree& tree, EntryIndex entry) {
  return Error(ErrorCode::failed, tree.path(entry) + " was changed while it was read")
      .hint("run it again when nobody writes there");
}

/// The first name of the file, which holds what is known of it.
EntryIndex first_name(const Tree& tree, EntryIndex entry) {
  const EntryIndex first = tree.entries[entry].link_to;
  return first == kNoEntry ? entry : first;
}

enum class Moment : std::uint8_t { before, after };

Status check_same(const Tree& tree, EntryIndex index, os::File& file, const SeenFile& seen,
                  Moment moment) {
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file.info());
  const bool same = info.identity == seen.identity;
  // The bytes may be changed and the time set back: after the copy nothing else may have changed
  // either.
  if (same && (moment == Moment::before || info.changed == seen.changed)) return {};
  return fail(changed_meanwhile(tree, index));
}

}  // namespace

Result<os::File*> HostContents::open(const Tree& tree, EntryIndex entry) {
  const EntryIndex first = first_name(tree, entry);
  const auto reopen = [&]() -> Status {
    UPDATE_TRY_ASSIGN(os::Folder* const folder, chain_.at(tree, tree.entries[first].parent));
    UPDATE_TRY_ASSIGN(file_, folder->open_file(std::string(tree.name(first))));
    return {};
  };
  Status opened = reopen();
  if (!opened) return fail(std::move(opened).error().with("reading it again"));
  UPDATE_TRY(check_same(tree, entry, *file_, seen_[first], Moment::before));
  return file_.get();
}

Status HostContents::close(const Tree& tree, EntryIndex entry) {
  const std::unique_ptr<os::File> file = std::move(file_);
  return check_same(tree, entry, *file, seen_[first_name(tree, entry)], Moment::after);
}

Result<os::File*> OneFileContents::open(const Tree& tree, EntryIndex entry) {
  UPDATE_TRY(check_same(tree, entry, *file_, seen_, Moment::before));
  return file_.get();
}

Status OneFileContents::close(const Tree& tree, EntryIndex entry) {
  return check_same(tree, entry, *file_, seen_, Moment::after);
}

}  // namespace update::image
