// Just enough of a VFS for one process and WAL mode: https://www.sqlite.org/vfs.html. Locks always
// succeed, since the update lock makes one writer; the WAL index is plain memory, shared by the
// connections of this process.
#include "tests/fake/fake_vfs.hpp"

#include <sqlite3.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

namespace update {
namespace {

struct Index {
  std::vector<std::unique_ptr<char[]>> regions;
  int region_bytes = 0;
};

}  // namespace

struct FakeVfs::Registration {
  Registration(FakeVfs& owner_in, FakeFileSystem& files_in) : owner(owner_in), files(files_in) {}
  FakeVfs& owner;
  FakeFileSystem& files;
  sqlite3_vfs vfs{};
  std::map<std::uint64_t, Index> indexes;  ///< by the inode of the database

  /// Runs one call of ours; a power cut becomes an I/O error for SQLite and is remembered.
  template <class Call>
  int guarded(int failure, Call call) {
    try {
      return call();
    } catch (const PowerCut&) {
      owner.stopped_ = true;
      return failure;
    }
  }
};

namespace {

struct OpenFile {
  sqlite3_file base;
  FakeVfs::Registration* registration;
  std::unique_ptr<os::File>* file;
  std::unique_ptr<os::Folder>* folder;
  bool sync_folder;
};

OpenFile& open_file(sqlite3_file* file) {
  return *reinterpret_cast<OpenFile*>(file);
}

FakeVfs::Registration& registration_of(sqlite3_vfs* vfs) {
  return *static_cast<FakeVfs::Registration*>(vfs->pAppData);
}

int error_of(const Error& error, int otherwise) {
  return error.system_errno() == ENOSPC ? SQLITE_FULL : otherwise;
}

int close_file(sqlite3_file* file) {
  OpenFile& open = open_file(file);
  delete open.file;
  delete open.folder;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* into, int amount, sqlite3_int64 offset) {
  OpenFile& open = open_file(file);
  return open.registration->guarded(SQLITE_IOERR_READ, [&] {
    const auto wanted = static_cast<std::size_t>(amount);
    const auto count =
        (*open.file)
            ->read_at({static_cast<std::byte*>(into), wanted}, static_cast<std::uint64_t>(offset));
    if (!count) return SQLITE_IOERR_READ;
    if (*count == wanted) return SQLITE_OK;
    std::memset(static_cast<char*>(into) + *count, 0, wanted - *count);
    return SQLITE_IOERR_SHORT_READ;
  });
}

int write_file(sqlite3_file* file, const void* from, int amount, sqlite3_int64 offset) {
  OpenFile& open = open_file(file);
  return open.registration->guarded(SQLITE_IOERR_WRITE, [&] {
    const auto written =
        (*open.file)
            ->write_at({static_cast<const std::byte*>(from), static_cast<std::size_t>(amount)},
                       static_cast<std::uint64_t>(offset));
    return written ? SQLITE_OK : error_of(written.error(), SQLITE_IOERR_WRITE);
  });
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  OpenFile& open = open_file(file);
  return open.registration->guarded(SQLITE_IOERR_TRUNCATE, [&] {
    return (*open.file)->truncate(static_cast<std::uint64_t>(size)) ? SQLITE_OK
                                                                    : SQLITE_IOERR_TRUNCATE;
  });
}

/// As unixSync: the first sync of a file that was opened to be made syncs its folder too.
int sync_file(sqlite3_file* file, int /*flags*/) {
  OpenFile& open = open_file(file);
  return open.registration->guarded(SQLITE_IOERR_FSYNC, [&] {
    if (!(*open.file)->sync()) return SQLITE_IOERR_FSYNC;
    if (open.sync_folder) {
      if (!(*open.folder)->sync()) return SQLITE_IOERR_DIR_FSYNC;
      open.sync_folder = false;
    }
    return SQLITE_OK;
  });
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  OpenFile& open = open_file(file);
  return open.registration->guarded(SQLITE_IOERR_FSTAT, [&] {
    const auto info = (*open.file)->info();
    if (!info) return SQLITE_IOERR_FSTAT;
    *size = static_cast<sqlite3_int64>(info->identity.size);
    return SQLITE_OK;
  });
}

int lock_file(sqlite3_file* /*file*/, int /*level*/) {
  return SQLITE_OK;
}

int check_reserved(sqlite3_file* /*file*/, int* held) {
  *held = 0;
  return SQLITE_OK;
}

int file_control(sqlite3_file* /*file*/, int operation, void* /*argument*/) {
  return operation == SQLITE_FCNTL_PERSIST_WAL ? SQLITE_OK : SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file* /*file*/) {
  return 4096;
}

int characteristics(sqlite3_file* /*file*/) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int map_index(sqlite3_file* file, int region, int bytes, int extend, void volatile** memory) {
  OpenFile& open = open_file(file);
  const auto info = (*open.file)->info();
  if (!info) return SQLITE_IOERR_SHMMAP;
  Index& index = open.registration->indexes[info->identity.inode];
  const auto wanted = static_cast<std::size_t>(region);
  *memory = nullptr;
  if (index.regions.size() <= wanted && extend == 0) return SQLITE_OK;
  while (index.regions.size() <= wanted) {
    index.regions.push_back(std::make_unique<char[]>(static_cast<std::size_t>(bytes)));
  }
  *memory = index.regions[wanted].get();
  return SQLITE_OK;
}

int lock_index(sqlite3_file* /*file*/, int /*offset*/, int /*count*/, int /*flags*/) {
  return SQLITE_OK;
}

void index_barrier(sqlite3_file* /*file*/) {}

int unmap_index(sqlite3_file* /*file*/, int /*remove*/) {
  return SQLITE_OK;
}

const sqlite3_io_methods kMethods = {2,
                                     close_file,
                                     read_file,
                                     write_file,
                                     truncate_file,
                                     sync_file,
                                     file_size,
                                     lock_file,
                                     lock_file,
                                     check_reserved,
                                     file_control,
                                     sector_size,
                                     characteristics,
                                     map_index,
                                     lock_index,
                                     index_barrier,
                                     unmap_index,
                                     nullptr,
                                     nullptr};

int open_vfs(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto& registration = registration_of(vfs);
  std::memset(file, 0, sizeof(OpenFile));
  if (name == nullptr) return SQLITE_CANTOPEN;
  return registration.guarded(SQLITE_CANTOPEN, [&] {
    auto place = registration.files.place(name);
    if (!place) return SQLITE_CANTOPEN;
    const bool writable = (flags & SQLITE_OPEN_READWRITE) != 0;
    auto opened = writable ? place->folder->open_file_for_update(place->name)
                           : place->folder->open_file(place->name);
    if (!opened && opened.error().system_errno() == ENOENT && (flags & SQLITE_OPEN_CREATE) != 0) {
      opened = place->folder->create_file(place->name, 0600);
    }
    if (!opened) return SQLITE_CANTOPEN;
    OpenFile& open = open_file(file);
    open.registration = &registration;
    open.file = new std::unique_ptr<os::File>(std::move(*opened));
    open.folder = new std::unique_ptr<os::Folder>(std::move(place->folder));
    const bool journal = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    open.sync_folder = journal && (flags & SQLITE_OPEN_CREATE) != 0;
    open.base.pMethods = &kMethods;
    if (out_flags != nullptr) *out_flags = flags;
    return SQLITE_OK;
  });
}

int delete_vfs(sqlite3_vfs* vfs, const char* name, int sync_folder) {
  auto& registration = registration_of(vfs);
  return registration.guarded(SQLITE_IOERR_DELETE, [&] {
    auto place = registration.files.place(name);
    if (!place) return SQLITE_IOERR_DELETE;
    const auto removed = place->folder->unlink(place->name);
    if (!removed) return SQLITE_IOERR_DELETE;
    if (!*removed) return SQLITE_IOERR_DELETE_NOENT;
    if (sync_folder != 0 && !place->folder->sync()) return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
  });
}

int access_vfs(sqlite3_vfs* vfs, const char* name, int /*flags*/, int* there) {
  *there = registration_of(vfs).files.exists(name) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs* /*vfs*/, const char* name, int size, char* into) {
  sqlite3_snprintf(size, into, "%s", name);
  return SQLITE_OK;
}

int random_bytes(sqlite3_vfs* /*vfs*/, int count, char* into) {
  // The same each time: a sweep must be repeatable.
  std::memset(into, 7, static_cast<std::size_t>(count));
  return count;
}

int sleep_vfs(sqlite3_vfs* /*vfs*/, int microseconds) {
  return microseconds;
}

int time_vfs(sqlite3_vfs* /*vfs*/, double* julian_day) {
  *julian_day = 2460000.5;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs* /*vfs*/, int /*size*/, char* /*into*/) { return 0; }

}  // namespace

FakeVfs::FakeVfs(FakeFileSystem& files) {
  static std::atomic<int> count{0};
  name_ = "fake-" + std::to_string(++count);
  registration_ = std::make_unique<Registration>(*this, files);
  sqlite3_vfs& vfs = registration_->vfs;
  vfs.iVersion = 1;
  vfs.szOsFile = sizeof(OpenFile);
  vfs.mxPathname = 512;
  vfs.zName = name_.c_str();
  vfs.pAppData = registration_.get();
  vfs.xOpen = open_vfs;
  vfs.xDelete = delete_vfs;
  vfs.xAccess = access_vfs;
  vfs.xFullPathname = full_path;
  vfs.xRandomness = random_bytes;
  vfs.xSleep = sleep_vfs;
  vfs.xCurrentTime = time_vfs;
  vfs.xGetLastError = last_error;
  if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) throw std::bad_alloc();
}

void FakeVfs::reboot() {
  registration_->indexes.clear();
  stopped_ = false;
}

FakeVfs::~FakeVfs() {
  sqlite3_vfs_unregister(&registration_->vfs);
}

}  // namespace update
