// Staging reads the release once: each file is copied in the kernel, hashed from the staged
// descriptor by a second thread while write-back is under way, given its final mode, owner and
// attributes, and synced. If the machine stops anywhere in here, some files with names of this
// transaction are left beside the destinations, which nobody has touched; recover removes them.
#include <algorithm>
#include <cerrno>
#include <memory>

#include "engine/os/check_stop.hpp"
#include "engine/step/metadata.hpp"
#include "engine/step/step.hpp"
#include "engine/transaction/hash_queue.hpp"

namespace update::step {
namespace {

constexpr std::size_t kCopyBytes = 4U << 20;
constexpr std::uint64_t kThreadWorthBytes = 4U << 20;

struct StagedFile {
  PlannedFile* planned = nullptr;
  std::unique_ptr<os::File> source;
  os::FileInfo source_before;
  std::unique_ptr<os::File> staged;
  HashQueue::Job* hash = nullptr;
  bool cloned = false;
};

struct OldFile {
  PlannedFile* planned = nullptr;
  std::unique_ptr<os::File> file;
  HashQueue::Job* hash = nullptr;
};

bool cannot_link(const Error& error) {
  const int number = error.system_errno();
  return number == EXDEV || number == EPERM || number == EMLINK || number == EOPNOTSUPP;
}

/// True if a second name was all that it took.
Result<bool> stage_by_link(Context& context, PlannedFile& file, const Source& source) {
  const std::string name = context.plan.staged_name_of(file);
  os::Folder& folder = context.folder_of(file);
  if (const Status linked = source.folder->link(source.name, folder, name); !linked) {
    if (cannot_link(linked.error())) return false;
    return fail(linked.error());
  }
  UPDATE_TRY_ASSIGN(const auto info, folder.lookup(name));
  // The bytes were checked under this name some time ago: it must still be that very file.
  if (!info || source.identity != info->identity) {
    return fail(ErrorCode::failed, source.folder->path() + "/" + source.name + " changed");
  }
  file.new_state->identity = info->identity;
  return true;
}

/// Opens the source and makes the staged file, with room for all of it: a full disk is met before
/// anything is copied.
Result<StagedFile> begin_copy(Context& context, PlannedFile& file, const Source& source) {
  StagedFile staged;
  staged.planned = &file;
  UPDATE_TRY_ASSIGN(staged.source, source.folder->open_file(source.name));
  UPDATE_TRY_ASSIGN(staged.source_before, staged.source->info());
  if (staged.source_before.identity.size != file.new_state->size) {
    return fail(ErrorCode::not_trusted, source.folder->path() + "/" + source.name + " is " +
                                            std::to_string(staged.source_before.identity.size) +
                                            " bytes long, not " +
                                            std::to_string(file.new_state->size));
  }
  // Nobody but the owner may open it before its bytes are checked; the final mode comes later.
  constexpr std::uint32_t kPrivate = 0600;
  UPDATE_TRY_ASSIGN(staged.staged, context.folder_of(file).create_file(
                                       context.plan.staged_name_of(file), kPrivate));
  UPDATE_TRY_ASSIGN(staged.cloned, staged.staged->clone_from(*staged.source));
  if (!staged.cloned) UPDATE_TRY(staged.staged->reserve(file.new_state->size));
  return staged;
}

Result<std::size_t> copy_some(StagedFile& file, std::uint64_t offset, std::size_t wanted) {
  UPDATE_TRY_ASSIGN(const auto copied,
                    file.staged->copy_from(*file.source, offset, offset, wanted));
  if (copied) return *copied;
  std::vector<std::byte> buffer(wanted);
  UPDATE_TRY_ASSIGN(const std::size_t count, file.source->read_at(buffer, offset));
  UPDATE_TRY(file.staged->write_at(std::span(buffer).first(count), offset));
  return count;
}

/// Exactly the promised number of bytes: a source that grows meanwhile costs nothing more.
Status copy_bytes(Context& context, StagedFile& file, HashQueue& hashes, std::uint64_t done_before,
                  std::uint64_t total) {
  const std::uint64_t size = file.planned->new_state->size;
  std::uint64_t offset = file.cloned ? size : 0;
  while (offset < size) {
    UPDATE_TRY(check_stop(context.env()));
    const auto wanted = std::min<std::uint64_t>(kCopyBytes, size - offset);
    UPDATE_TRY_ASSIGN(const std::size_t count, copy_some(file, offset, wanted));
    if (count == 0) {
      return fail(ErrorCode::not_trusted, "'" + file.planned->name + "' ended at " +
                                              std::to_string(offset) + " of " +
                                              std::to_string(size) + " bytes");
    }
    file.staged->start_writeback(offset, count);
    offset += count;
    hashes.advance(*file.hash, offset);
    context.env().observer.progress(done_before + offset, total);
  }
  hashes.complete(*file.hash);
  return {};
}

Status refuse_changed_source(const StagedFile& file) {
  UPDATE_TRY_ASSIGN(const os::FileInfo after, file.source->info());
  if (after.identity == file.source_before.identity &&
      after.ctime_ns == file.source_before.ctime_ns) {
    return {};
  }
  return fail(ErrorCode::not_trusted,
              "'" + file.planned->name + "' of the release changed while it was read");
}

/// Everything but the digest: what the file is, besides its bytes, is final and durable afterwards.
Status complete_copy(StagedFile& file) {
  UPDATE_TRY(refuse_changed_source(file));
  UPDATE_TRY(set_metadata(*file.staged, *file.planned->new_state));
  UPDATE_TRY(file.staged->sync());
  UPDATE_TRY_ASSIGN(const os::FileInfo info, file.staged->info());
  file.planned->new_state->identity = info.identity;
  return {};
}

Status check_digest(StagedFile& file, HashQueue& hashes) {
  UPDATE_TRY_ASSIGN(const Sha256Digest digest, hashes.digest(*file.hash));
  const Sha256Digest& expected = *file.planned->new_state->sha256;
  if (digest == expected) return {};
  return fail(ErrorCode::not_trusted, "'" + file.planned->name + "' has SHA-256 " + digest.hex() +
                                          ", not " + expected.hex() + " as promised");
}

std::string doing(const PlannedFile& file) {
  return "staging " + file.destination.text();
}

template <class T>
Result<T> named(Result<T> result, const PlannedFile& file) {
  if (result) return result;
  return fail(std::move(result).error().with(doing(file)));
}

Result<std::vector<StagedFile>> begin_all(Context& context,
                                          const std::vector<std::optional<Source>>& sources) {
  std::vector<StagedFile> files;
  for (std::size_t index = 0; index < context.plan.files.size(); ++index) {
    PlannedFile& file = context.plan.files[index];
    if (file.unchanged || !file.new_state) continue;
    const Source& source = *sources.at(index);
    if (source.may_link) {
      UPDATE_TRY_ASSIGN(const bool linked, named(stage_by_link(context, file, source), file));
      if (linked) continue;
    }
    UPDATE_TRY_ASSIGN(StagedFile begun, named(begin_copy(context, file, source), file));
    files.push_back(std::move(begun));
  }
  return files;
}

Result<std::vector<OldFile>> open_unknown_old(Context& context) {
  std::vector<OldFile> files;
  for (PlannedFile& file : context.plan.files) {
    if (!file.old_state || file.old_state->sha256) continue;
    UPDATE_TRY_ASSIGN(auto opened, context.folder_of(file).open_file(file.destination.name()));
    files.push_back({&file, std::move(opened), nullptr});
  }
  return files;
}

/// A file whose old bytes were unknown when the plan was made may prove to be the new one already.
Status leave_out_equal(Context& context, PlannedFile& file) {
  if (context.plan.reinstall || !file.new_state || file.unchanged) return {};
  if (file.old_state->sha256 != file.new_state->sha256 ||
      !file.old_state->same_metadata(*file.new_state)) {
    return {};
  }
  file.unchanged = true;
  file.new_state->identity = file.old_state->identity;
  UPDATE_TRY_ASSIGN(const bool removed,
                    context.folder_of(file).unlink(context.plan.staged_name_of(file)));
  static_cast<void>(removed);
  return {};
}

std::uint64_t total_bytes(const std::vector<StagedFile>& files, const std::vector<OldFile>& old) {
  std::uint64_t total = 0;
  for (const StagedFile& file : files) total += file.planned->new_state->size;
  for (const OldFile& file : old) total += file.planned->old_state->size;
  return total;
}

Status copy_all(Context& context, std::vector<StagedFile>& files, HashQueue& hashes) {
  const std::uint64_t total = total_bytes(files, {});
  std::uint64_t done = 0;
  for (StagedFile& file : files) file.hash = &hashes.add_growing(*file.staged);
  for (StagedFile& file : files) {
    UPDATE_TRY(named(copy_bytes(context, file, hashes, done, total), *file.planned));
    done += file.planned->new_state->size;
  }
  // The first file's bytes have been on their way to the disk since they were copied: its sync
  // waits the least.
  for (StagedFile& file : files) UPDATE_TRY(named(complete_copy(file), *file.planned));
  for (StagedFile& file : files) UPDATE_TRY(named(check_digest(file, hashes), *file.planned));
  return {};
}

}  // namespace

Status check_stop(const Environment& env) {
  return os::check_stop(env.system.stop);
}

Status stage(Context& context, const std::vector<std::optional<Source>>& sources) {
  UPDATE_TRY_ASSIGN(std::vector<StagedFile> files, begin_all(context, sources));
  UPDATE_TRY_ASSIGN(std::vector<OldFile> old_files, open_unknown_old(context));
  HashQueue hashes(total_bytes(files, old_files) >= kThreadWorthBytes ? HashQueue::Threads::some
                                                                      : HashQueue::Threads::none);
  // The old files first: they are all there, while the new ones still grow.
  for (OldFile& old : old_files) old.hash = &hashes.add_complete(*old.file);
  UPDATE_TRY(copy_all(context, files, hashes));
  for (OldFile& old : old_files) {
    UPDATE_TRY_ASSIGN(old.planned->old_state->sha256, hashes.digest(*old.hash));
  }
  for (const OldFile& old : old_files) UPDATE_TRY(leave_out_equal(context, *old.planned));
  return {};
}

Result<bool> is_staged(const Context& context) {
  for (const PlannedFile& file : context.plan.files) {
    if (file.unchanged || !file.new_state) continue;
    UPDATE_TRY_ASSIGN(
        const bool staged,
        holds_bytes(context.folder_of(file), context.plan.staged_name_of(file), *file.new_state));
    if (!staged) return false;
  }
  return true;
}

}  // namespace update::step
