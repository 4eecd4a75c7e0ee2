#include "engine/image/host/host_tree.hpp"

#include "engine/image/file/copy_range.hpp"
#include "engine/image/file/named_file.hpp"
#include "engine/image/host/folder_chain.hpp"
#include "engine/image/host/host_attributes.hpp"
#include "engine/image/host/host_time.hpp"
#include "engine/os/check_stop.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace update::image {
namespace {

constexpr std::uint32_t kPrivateFile = 0600;
constexpr std::uint32_t kPrivateFolder = 0700;
constexpr std::uint32_t kSetIdBits = 06000;

bool is_refusal(int number) {
  // ENOSPC, E2BIG, ERANGE: more than this file system keeps for one file.
  constexpr std::array kRefusals{EPERM, EACCES, EOPNOTSUPP, EINVAL, ENOSPC, E2BIG, ERANGE};
  return std::find(kRefusals.begin(), kRefusals.end(), number) != kRefusals.end();
}

bool names_acl(std::string_view attribute) {
  return attribute.starts_with("system.posix_acl_");
}

class Extraction {
 public:
  Extraction(os::Folder& top, Tree& tree, Contents& contents, const ExtractOptions& options,
             os::StopRequest& stop)
      : tree_(tree),
        contents_(contents),
        options_(options),
        stop_(stop),
        top_(top),
        chain_(top),
        first_names_(top),
        copier_(&stop) {}

  Status run() {
    // Nobody else looks in, or finds a program with set-id bits, before all is as it will be.
    UPDATE_TRY(top_.set_mode(kPrivateFolder));
    UPDATE_TRY(for_each([&](const Entry& entry) { return entry.link_to == kNoEntry; },
                        [&](EntryIndex index) { return make(index); }));
    // After all files: nothing was ever written by a way that a link could have turned.
    UPDATE_TRY(for_each(
        [&](const Entry& entry) {
          return entry.link_to == kNoEntry && entry.type == EntryType::symbolic_link;
        },
        [&](EntryIndex index) { return make_symbolic_link(index); }));
    UPDATE_TRY(for_each([&](const Entry& entry) { return entry.link_to != kNoEntry; },
                        [&](EntryIndex index) { return make_hard_link(index); }));
    for (auto index = static_cast<EntryIndex>(tree_.entries.size()); index-- > 0;) {
      if (tree_.entries[index].type != EntryType::folder) continue;
      UPDATE_TRY_ASSIGN(os::Folder* const folder, chain_.at(tree_, index));
      UPDATE_TRY(finish(*folder, index));
    }
    return top_.sync_all();
  }

 private:
  template <class Wanted, class Make>
  Status for_each(const Wanted& wanted, const Make& make_one) {
    for (EntryIndex index = 1; index < tree_.entries.size(); ++index) {
      if (!wanted(tree_.entries[index])) continue;
      UPDATE_TRY(os::check_stop(stop_));
      UPDATE_TRY(make_one(index));
    }
    return {};
  }

  Status make(EntryIndex index) {
    const Entry& entry = tree_.entries[index];
    if (entry.type == EntryType::symbolic_link) return {};
    UPDATE_TRY_ASSIGN(os::Folder* const folder, chain_.at(tree_, entry.parent));
    const std::string name(tree_.name(index));
    if (entry.type == EntryType::folder) {
      UPDATE_TRY(folder->create_folder(name, kPrivateFolder));
      return {};
    }
    UPDATE_TRY_ASSIGN(const auto file, folder->create_file(name, kPrivateFile));
    UPDATE_TRY(fill(index, *file));
    return finish(*file, index);
  }

  Status fill(EntryIndex index, os::File& file) {
    const Entry& entry = tree_.entries[index];
    const std::string_view content = tree_.at(entry.content);
    if (!content.empty()) UPDATE_TRY(file.write_at(std::as_bytes(std::span(content)), 0));
    if (entry.extents > 0) {
      UPDATE_TRY_ASSIGN(os::File* const source, contents_.open(tree_, index));
      for (std::size_t at = 0; at < entry.extents; ++at) {
        const Extent& extent = tree_.extents[entry.first_extent + at];
        UPDATE_TRY(copier_.copy(*source, extent.source, file, extent.offset, extent.length));
      }
      UPDATE_TRY(contents_.close(tree_, index));
      contents_.copied(tree_.entries[index].size);
    }
    return file.truncate(entry.size);
  }

  Status make_symbolic_link(EntryIndex index) {
    const Entry& entry = tree_.entries[index];
    UPDATE_TRY_ASSIGN(os::Folder* const folder, chain_.at(tree_, entry.parent));
    const std::string name(tree_.name(index));
    UPDATE_TRY(folder->create_link(name, std::string(tree_.at(entry.content))));
    UPDATE_TRY(set_owner([&] { return folder->set_owner_of(name, entry.uid, entry.gid); }));
    UPDATE_TRY(set_attributes(
        entry, true, [](std::string_view) { return true; },
        [&](const std::string& attribute, const std::string& value) {
          return folder->set_attribute_of(name, attribute, value);
        }));
    return folder->set_times_of(name, file_time_of(entry.modified), file_time_of(entry.accessed));
  }

  Status make_hard_link(EntryIndex index) {
    const Entry& entry = tree_.entries[index];
    const Entry& first = tree_.entries[entry.link_to];
    UPDATE_TRY_ASSIGN(os::Folder* const there, first_names_.at(tree_, first.parent));
    UPDATE_TRY_ASSIGN(os::Folder* const here, chain_.at(tree_, entry.parent));
    return there->link(std::string(tree_.at(first.name)), *here, std::string(tree_.name(index)));
  }

  /// Everything but the bytes. The order matters: a change of owner takes set-id bits and
  /// capabilities away, user attributes need a mode that one may write with, an access list changes
  /// the mode, and the times come last.
  template <class Node>
  Status finish(Node& node, EntryIndex index) {
    const Entry& entry = tree_.entries[index];
    const auto set = [&](const std::string& name, const std::string& value) {
      return node.set_attribute(name, value);
    };
    UPDATE_TRY_ASSIGN(const bool owned,
                      set_owner([&] { return node.set_owner(entry.uid, entry.gid); }));
    UPDATE_TRY(set_attributes(
        entry, owned, [](std::string_view name) { return !names_acl(name); }, set));
    UPDATE_TRY(node.set_mode(mode_of(entry, owned)));
    UPDATE_TRY(set_attributes(entry, owned, names_acl, set));
    return node.set_both_times(file_time_of(entry.modified), file_time_of(entry.accessed));
  }

  /// false: it should have another owner than it has.
  template <class Set>
  Result<bool> set_owner(const Set& set) {
    if (!options_.keep_owner) return true;
    const Status status = set();
    if (status) return true;
    if (!is_refusal(status.error().system_errno())) return fail(status.error());
    tree_.skip(Skipped::owner);
    return false;
  }

  /// Never for another owner than the one whom they were meant for.
  std::uint32_t mode_of(const Entry& entry, bool owned) {
    if ((entry.mode & kSetIdBits) == 0 || (options_.keep_set_id && owned)) return entry.mode;
    tree_.skip(Skipped::set_id_bits);
    return entry.mode & ~kSetIdBits;
  }

  template <class Wanted, class Set>
  Status set_attributes(const Entry& entry, bool owned, const Wanted& wanted, const Set& set) {
    for (std::size_t at = 0; at < entry.attributes; ++at) {
      const Attribute& attribute = tree_.attributes[entry.first_attribute + at];
      const std::string name(tree_.at(attribute.name));
      if (!wanted(name)) continue;
      // A capability is a set-id bit by another name.
      const bool grants = name == "security.capability" && !(options_.keep_set_id && owned);
      Status status = grants || belongs_to_host(name)
                          ? fail(Error::from_errno(EPERM, name))
                          : set(name, std::string(tree_.at(attribute.value)));
      if (status) continue;
      if (!is_refusal(status.error().system_errno())) return status;
      tree_.skip(grants ? Skipped::set_id_bits : Skipped::attribute);
    }
    return {};
  }

  Tree& tree_;
  Contents& contents_;
  const ExtractOptions& options_;
  os::StopRequest& stop_;
  os::Folder& top_;
  FolderChain chain_;
  FolderChain first_names_;  ///< beside chain_: a link has two places
  RangeCopier copier_;
};

/// New, or there and empty.
Result<std::unique_ptr<os::Folder>> open_target(os::FileSystem& files, std::string path) {
  auto present = files.open_folder(path);
  if (present) {
    UPDATE_TRY_ASSIGN(const std::vector<std::string> names, (*present)->list());
    if (names.empty()) return present;
    return fail(Error(ErrorCode::failed, "it is not empty, and nothing was written")
                    .hint("name a folder that is new or empty"));
  }
  if (present.error().system_errno() != ENOENT) return present;
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  UPDATE_TRY_ASSIGN(const NamedPlace place, open_named_place(files, path));
  return place.folder->create_folder(place.name, kPrivateFolder);
}

}  // namespace

Status extract_tree(os::FileSystem& files, Tree& tree, Contents& contents,
                    const std::string& folder, const ExtractOptions& options,
                    os::StopRequest& stop) {
  const auto extract = [&]() -> Status {
    if (tree.entries.empty() || tree.entries.front().type != EntryType::folder) {
      return fail(ErrorCode::usage, "what is to be extracted is not a folder");
    }
    UPDATE_TRY_ASSIGN(const auto top, open_target(files, folder));
    Status extracted = Extraction(*top, tree, contents, options, stop).run();
    if (extracted) return extracted;
    return fail(std::move(extracted)
                    .error()
                    .hint("what was extracted until then is left in " + folder + ": remove it")
                    .with("not all was extracted"));
  };
  Status extracted = extract();
  if (extracted) return extracted;
  return fail(std::move(extracted).error().with("extracting to " + folder));
}

}  // namespace update::image
