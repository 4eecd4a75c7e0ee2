#include "cli/standard_input.hpp"

#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/image/file/named_file.hpp"
#include "engine/os/check_stop.hpp"

namespace update::cli {
namespace {

constexpr std::size_t kPieceBytes = 1U << 18;
constexpr std::uint32_t kSpoolMode = 0600;
constexpr std::uint16_t kInputFileMode = 0644;

class SpooledContents final : public image::Contents {
 public:
  explicit SpooledContents(std::unique_ptr<os::File> file) : file_(std::move(file)) {}
  Result<os::File*> open(const image::Tree& /*tree*/, image::EntryIndex /*entry*/) override {
    return file_.get();
  }
  Status close(const image::Tree& /*tree*/, image::EntryIndex /*entry*/) override { return {}; }

 private:
  std::unique_ptr<os::File> file_;
};

// The number of bytes.
Result<std::uint64_t> copy_input(const Context& context, os::File& spool, std::uint64_t most) {
  std::uint64_t size = 0;
  const auto append = [&](std::span<const std::byte> piece) -> Status {
    if (piece.size() > most - size) {
      return fail(ErrorCode::no_space, "standard input has more than the " + std::to_string(most) +
                                           " bytes of the image");
    }
    UPDATE_TRY(spool.write_at(piece, size));
    size += piece.size();
    return {};
  };
  UPDATE_TRY(read_input(context, append));
  return size;
}

image::Tree tree_of_input(std::uint64_t size, std::int64_t now_s) {
  image::Tree tree;
  tree.entries.resize(2);
  for (image::Entry& entry : tree.entries) {
    entry.modified = entry.accessed = entry.changed = image::Time{now_s, 0};
  }
  tree.entries.front().type = image::EntryType::folder;
  image::Entry& file = tree.entries.back();
  file.parent = 0;
  file.mode = kInputFileMode;
  file.size = size;
  if (size == 0) return tree;
  tree.extents.push_back({0, 0, size});
  file.extents = 1;
  return tree;
}

}  // namespace

Status read_input(const Context& context,
                  const std::function<Status(std::span<const std::byte>)>& take) {
  std::vector<std::byte> piece(kPieceBytes);
  while (true) {
    UPDATE_TRY(os::check_stop(context.system().stop));
    UPDATE_TRY_ASSIGN(const auto count, context.console().in(piece));
    if (!count) continue;
    if (*count == 0) return {};
    UPDATE_TRY(take(std::span(piece).first(*count)));
  }
}

Result<image::HostTree> spool_standard_input(const Context& context, const std::string& image,
                                             std::int64_t now_s) {
  os::System& system = context.system();
  UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(system.files, image));
  UPDATE_TRY_ASSIGN(const auto target, place.folder->open_file(place.name));
  UPDATE_TRY_ASSIGN(const os::FileInfo info, target->info());
  const std::string name = helper_temporary_name(place.name, system.host.random_u32());
  UPDATE_TRY_ASSIGN(auto spool, place.folder->create_file(name, kSpoolMode));
  // From here on nothing is left of it, however the process ends.
  UPDATE_TRY(place.folder->unlink(name));
  UPDATE_TRY_ASSIGN(const std::uint64_t size, copy_input(context, *spool, info.identity.size));
  return image::HostTree{tree_of_input(size, now_s),
                         std::make_unique<SpooledContents>(std::move(spool))};
}

}  // namespace update::cli
