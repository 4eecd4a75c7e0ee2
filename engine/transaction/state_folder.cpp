#include "engine/transaction/state_folder.hpp"

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

#include "engine/base/layout.hpp"
#include "engine/base/text.hpp"
#include "engine/step/step.hpp"
#include "engine/transaction/small_file.hpp"

namespace update {
namespace {

constexpr std::uint32_t kOrdinaryFolder = 0755;
constexpr std::int64_t kLockPollMs = 50;
// A reader on a full disk asks for the lock for an instant (lock_is_free): that alone is not
// "busy".
constexpr std::int64_t kLockGraceMs = 100;
constexpr std::size_t kHolderLimit = 512;

bool absent(const Error& error) {
  return error.system_errno() == ENOENT;
}

/// An empty folder may be one of ours whose maker was killed before it had synced the name:
/// mkdir(2) makes nothing durable, and what is put into the folder now would go with it in a power
/// cut.
Status sync_name_if_new(const Environment& env, os::Folder& folder, const AbsolutePath& path) {
  UPDATE_TRY_ASSIGN(const std::vector<std::string> names, folder.list());
  if (!names.empty() || path.text() == "/") return {};
  UPDATE_TRY_ASSIGN(const auto parent, open_trusted_folder(env.root, path.parent()));
  return parent->sync();
}

std::string holder_text(os::File& lock) {
  auto text = read_whole(lock, kHolderLimit);
  if (!text || text->empty()) return "another process";
  return escape(text->substr(0, text->find('\n')));
}

}  // namespace

Result<std::optional<std::unique_ptr<os::Folder>>> find_state_folder(const Environment& env) {
  auto opened = open_trusted_folder(env.root, env.config.state);
  if (opened) return std::optional(std::move(*opened));
  const bool none = absent(opened.error());
  Error error = std::move(opened).error().with("the state folder " + env.config.state.text());
  if (!none) return fail(std::move(error));
  // A link whose target is not there (not mounted yet?) does not mean that there are no updates
  // (F11).
  const auto place = open_trusted_parent(env.root, env.config.state);
  if (!place)
    return absent(place.error()) ? Result<std::optional<std::unique_ptr<os::Folder>>>(std::nullopt)
                                 : fail(place.error());
  UPDATE_TRY_ASSIGN(const auto link, place->folder->lookup(place->name));
  if (link) return fail(std::move(error));
  return std::nullopt;
}

Result<std::unique_ptr<os::Folder>> make_state_folder(const Environment& env) {
  UPDATE_TRY_ASSIGN(auto found, find_state_folder(env));
  if (found) {
    UPDATE_TRY(sync_name_if_new(env, **found, env.config.state));
    return std::move(*found);
  }
  std::vector<AbsolutePath> missing = {env.config.state};
  auto parent = open_trusted_folder(env.root, missing.back().parent());
  while (!parent && absent(parent.error())) {
    missing.push_back(missing.back().parent());
    parent = open_trusted_folder(env.root, missing.back().parent());
  }
  if (!parent) return fail(std::move(parent).error().with("making the state folder"));
  UPDATE_TRY(sync_name_if_new(env, **parent, missing.back().parent()));
  std::unique_ptr<os::Folder> folder = std::move(*parent);
  while (!missing.empty()) {
    const std::string name = missing.back().name();
    missing.pop_back();
    auto made = folder->create_folder(name, missing.empty() ? kPrivateFolder : kOrdinaryFolder);
    if (!made && made.error().system_errno() == EEXIST) made = folder->open_folder(name);
    if (!made) return fail(std::move(made).error().with("making the state folder"));
    UPDATE_TRY(folder->sync());
    folder = std::move(*made);
  }
  return folder;
}

Status make_state_files(os::Folder& state) {
  UPDATE_TRY(open_or_make(state, kIntentName).map([](const auto&) {}));
  return open_or_make(state, kHeadName).map([](const auto&) {});
}

Status make_reserve(os::Folder& state) {
  const std::string name(kReserveName);
  UPDATE_TRY_ASSIGN(const auto file, open_or_make(state, name));
  // Each time anew: whoever made it may have been stopped before it had its blocks.
  Status reserved = file->reserve(kReserveBytes);
  if (reserved) return reserved;
  UPDATE_TRY(state.unlink(name).map([](bool) {}));
  return fail(std::move(reserved).error().with("reserving space for a recovery"));
}

bool release_reserve(os::Folder& state) {
  const auto removed = state.unlink(std::string(kReserveName));
  return removed && *removed;
}

Result<std::unique_ptr<os::File>> acquire_lock(const Environment& env, os::Folder& state,
                                               std::int64_t wait_ms) {
  UPDATE_TRY_ASSIGN(auto lock, open_or_make(state, kLockName));
  const std::int64_t deadline_ms =
      env.system.clock.monotonic_ms() + std::max(wait_ms, kLockGraceMs);
  while (true) {
    UPDATE_TRY_ASSIGN(const bool locked, lock->try_lock());
    if (locked) return lock;
    if (env.system.clock.monotonic_ms() >= deadline_ms || !env.system.clock.wait_ms(kLockPollMs)) {
      return fail(Error(ErrorCode::busy, "another update is running: " + holder_text(*lock))
                      .hint("wait for it to end, or look at it with: banger-update status"));
    }
  }
}

void describe_holder(const Environment& env, os::File& lock, std::int64_t transaction) {
  const std::int64_t pid = env.system.host.pid();
  std::string text = "process " + std::to_string(pid);
  if (transaction > 0) text.append(", update ").append(std::to_string(transaction));
  text.append(", start ")
      .append(std::to_string(env.system.host.process_start(pid).value_or(0)))
      .append(", boot ")
      .append(env.system.host.boot_id())
      .append("\n");
  // Only a message depends on it: the lock itself is the kernel's.
  if (lock.write_at(std::as_bytes(std::span(text)), 0)) {
    const Status cut = lock.truncate(text.size());
    static_cast<void>(cut);
  }
}

bool lock_is_free(os::Folder& state) {
  auto file = state.open_file(std::string(kLockName));
  if (!file) return absent(file.error());
  const auto locked = (*file)->try_shared_lock();
  return locked && *locked;
}

}  // namespace update
