#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "engine/os/filesystem_linux.hpp"
#include "tests/fake/fake_test.hpp"

// One script of operations, played on the fake and in a folder of the real file system: what each
// call says, and what is seen afterwards, must be the same.
namespace update {
namespace {

using Symlink = std::function<void(const std::string& name, const std::string& target)>;

bool can_set_attribute(os::FileSystem& files, const std::string& path, const std::string& name,
                       const std::string& value) {
  auto folder = files.open_folder(path).value();
  const bool set =
      folder->create_file("probe", 0600).value()->set_attribute(name, value).has_value();
  EXPECT_TRUE(folder->unlink("probe").value());
  return set;
}

/// CAP_NET_BIND_SERVICE (1 << 10), permitted and effective: struct vfs_cap_data, revision 2.
const std::string kCapability("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);

class Script {
 public:
  /// Capabilities: only root may set them, and not in every container.
  Script(os::FileSystem& files, const std::string& root, bool has_capabilities, Symlink symlink)
      : files_(files),
        root_(root),
        has_capabilities_(has_capabilities),
        symlink_(std::move(symlink)) {}

  std::vector<std::string> play();

 private:
  template <class T>
  void note(const std::string& what, const Result<T>& result) {
    std::string line = what + ": ";
    if (!result) {
      line += std::strerror(result.error().system_errno());
    } else if constexpr (std::is_same_v<T, bool>) {
      line += *result ? "true" : "false";
    } else {
      line += "done";
    }
    log_.push_back(std::move(line));
  }
  void note_info(const std::string& what, const os::FileInfo& info);
  void note_folder(const std::string& what);

  void create_and_write();
  void names();
  void folders();
  void links();
  void metadata();
  void capabilities();
  void lengths();
  void open_without_name();
  void paths();

  os::FileSystem& files_;
  std::string root_;
  bool has_capabilities_;
  Symlink symlink_;
  std::unique_ptr<os::Folder> top_;
  std::vector<std::string> log_;
};

void Script::note_info(const std::string& what, const os::FileInfo& info) {
  char mode[16];
  std::snprintf(mode, sizeof mode, "%04o", info.mode);
  const bool folder =
      info.type == os::FileType::folder;  // whose size and links are the file system's business
  log_.push_back(what + ": type " + std::to_string(static_cast<int>(info.type)) + " mode " + mode +
                 " owner " + std::to_string(info.uid) + ":" + std::to_string(info.gid) +
                 (folder ? ""
                         : " size " + std::to_string(info.identity.size) + " links " +
                               std::to_string(info.links)));
}

void Script::note_folder(const std::string& what) {
  const auto names = top_->list();
  note(what, names);
  if (!names) return;
  for (const std::string& name : *names) {
    const auto found = top_->lookup(name);
    if (found && *found) note_info("  " + name, **found);
    if (found && *found && (*found)->type == os::FileType::regular) {
      log_.push_back("  = " + read_text(*top_->open_file(name).value()));
    }
  }
}

std::vector<std::string> Script::play() {
  top_ = files_.open_folder(root_).value();
  create_and_write();
  names();
  folders();
  links();
  metadata();
  if (has_capabilities_) capabilities();
  lengths();
  open_without_name();
  paths();
  return log_;
}

void Script::create_and_write() {
  auto file = top_->create_file("a", 0666);
  note("create", file);
  note("create again", top_->create_file("a", 0600));
  note("write", write_text(**file, "hello"));
  note("write past the end", write_text(**file, "!", 7));
  note("write nothing", write_text(**file, "", 100));
  note("write at a negative offset", write_text(**file, "x", UINT64_MAX));
  note("sync", (*file)->sync());
  note("sync folder", top_->sync());
  std::byte byte{};
  const auto past_end = (*file)->read_at({&byte, 1}, 100);
  note("read past the end", past_end);
  log_.push_back("count " + std::to_string(past_end.value_or(99)));
  note("read at a negative offset", (*file)->read_at({&byte, 1}, UINT64_MAX));
  note("truncate shorter", (*file)->truncate(3));
  note("truncate longer", (*file)->truncate(6));
  note("reserve", (*file)->reserve(100));
  note("reserve nothing", (*file)->reserve(0));
  auto reader = top_->open_file("a");
  note("open to read", reader);
  note("write on it", write_text(**reader, "x"));
  note("truncate on it", (*reader)->truncate(0));
  note("reserve on it", (*reader)->reserve(10));
  note("sync on it", (*reader)->sync());
  note("open absent", top_->open_file("absent"));
  note("open absent for update", top_->open_file_for_update("absent"));
  auto updater = top_->open_file_for_update("a");
  note("open for update", updater);
  note("write in place", write_text(**updater, "J"));
  note_folder("after writing");
}

void Script::names() {
  note("rename absent", top_->rename("absent", "b"));
  note("rename", top_->rename("a", "b"));
  note("rename to itself", top_->rename("b", "b"));
  note("link", top_->link("b", *top_, "c"));
  note("link over", top_->link("b", *top_, "c"));
  note("link absent", top_->link("absent", *top_, "d"));
  note("link absent over", top_->link("absent", *top_, "c"));
  note("rename over the same inode", top_->rename("b", "c"));
  note_folder("two names of one inode");
  const auto b = top_->lookup("b").value().value();
  const auto c = top_->lookup("c").value().value();
  log_.push_back(b.identity.same_inode(c.identity) ? "same inode" : "two inodes");
  {
    auto d = top_->create_file("d", 0600).value();
    note("write d", write_text(*d, "d"));
  }
  note("rename over", top_->rename("d", "c"));
  note_folder("after rename over");
  note("unlink", top_->unlink("c"));
  note("unlink absent", top_->unlink("c"));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/a"),
        std::string("a\0b", 3), std::string(255, 'n'), std::string(256, 'n')}) {
    const std::string label = "name " + std::to_string(name.size()) + name.substr(0, 3);
    note(label + " lookup", top_->lookup(name));
    note(label + " open", top_->open_file(name));
    note(label + " open folder", top_->open_folder(name));
    note(label + " create", top_->create_file(name, 0600));
    note(label + " link", top_->link("b", *top_, name));
    note(label + " rename", top_->rename(name, "b2"));
    note(label + " rename to", top_->rename("b", name));
    note(label + " rename back", top_->rename(name, "b"));
    note(label + " unlink", top_->unlink(name));
    note(label + " remove folder", top_->remove_folder(name));
  }
  note_folder("after odd names");
}

void Script::folders() {
  auto sub = top_->create_folder("sub", 01777);
  note("create folder", sub);
  note_info("new folder", (*sub)->info().value());
  note_info("the same by name", top_->lookup("sub").value().value());
  note("create folder again", top_->create_folder("sub", 0700));
  note("create file over folder", top_->create_file("sub", 0700));
  note("open folder as file", top_->open_file("sub"));
  note("open folder as file for update", top_->open_file_for_update("sub"));
  note("open file as folder", top_->open_folder("b"));
  note("open absent as folder", top_->open_folder("absent"));
  note("unlink folder", top_->unlink("sub"));
  note("remove file as folder", top_->remove_folder("b"));
  note("link folder", top_->link("sub", *top_, "sub2"));
  note("rename file over folder", top_->rename("b", "sub"));
  note("rename folder over file", top_->rename("sub", "b"));
  note("link into folder", top_->link("b", **sub, "inner"));
  note("remove full folder", top_->remove_folder("sub"));
  note("create other folder", top_->create_folder("other", 0750));
  note("rename folder over full folder", top_->rename("other", "sub"));
  note("rename full folder over empty folder", top_->rename("sub", "other"));
  note("unlink in renamed folder", (*sub)->unlink("inner"));
  note("remove folder", top_->remove_folder("other"));
  note("remove absent folder", top_->remove_folder("other"));
  note("create in removed folder", (*sub)->create_file("f", 0600));
  note("create folder in removed folder", (*sub)->create_folder("f", 0700));
  note("link into removed folder", top_->link("b", **sub, "f"));
  note("look up in removed folder", (*sub)->lookup("f"));
  note("unlink in removed folder", (*sub)->unlink("f"));
  const auto left = (*sub)->list();
  note("list removed folder", left);
  note_folder("after folders");
}

void Script::links() {
  symlink_("to_file", "b");
  symlink_("to_nothing", "nowhere");
  symlink_("to_folder", ".");
  note("open link", top_->open_file("to_file"));
  note("open link for update", top_->open_file_for_update("to_file"));
  note("open dangling link", top_->open_file("to_nothing"));
  note("open link to folder as folder", top_->open_folder("to_folder"));
  note("open link to folder as file", top_->open_file("to_folder"));
  note("create over dangling link", top_->create_file("to_nothing", 0600));
  note("create folder over dangling link", top_->create_folder("to_nothing", 0700));
  note_info("link itself", top_->lookup("to_file").value().value());
  log_.push_back(top_->read_link("to_file").value());
  note("read file as link", top_->read_link("b"));
  note("read absent as link", top_->read_link("absent"));
  note("hard link of link", top_->link("to_file", *top_, "second"));
  log_.push_back(top_->read_link("second").value());
  note("rename file over link", top_->rename("b", "to_file"));
  note("rename link over file", top_->rename("to_nothing", "to_file"));
  note("unlink link", top_->unlink("to_folder"));
  note_folder("after links");
  note("create b", top_->create_file("b", 0640));
}

void Script::metadata() {
  auto file = top_->open_file("b").value();
  const auto owner = file->info().value();
  note("set-id mode", file->set_mode(06755));
  note_info("set-id", file->info().value());
  note("own owner", file->set_owner(owner.uid, owner.gid));
  note_info("owner drops set-id", file->info().value());
  note("mode", file->set_mode(02644));
  note("own owner", file->set_owner(owner.uid, owner.gid));
  note_info("set-group-id without group execute", file->info().value());
  for (const std::int64_t mtime_ns :
       {std::int64_t{1'500'000'000'123'456'789}, std::int64_t{-1'500'000'000}, std::int64_t{0}}) {
    note("times", file->set_times(mtime_ns));
    log_.push_back(std::to_string(file->info().value().identity.mtime_ns));
  }
  note("attribute", file->set_attribute("user.test", std::string("va\0lue", 6)));
  note("attribute again", file->set_attribute("user.test", "second"));
  note("attribute of no kind", file->set_attribute("nokind", "x"));
  note("attribute with NUL", file->set_attribute(std::string("user.a\0b", 8), "x"));
  const os::Attributes attributes = file->attributes().value();
  for (const auto& [name, value] : attributes) log_.push_back(name + "=" + value);
  note("remove attribute", file->remove_attribute("user.test"));
  note("remove absent attribute", file->remove_attribute("user.test"));
  log_.push_back(std::to_string(file->attributes().value().size()));
  const auto before = file->info().value();
  note("link", top_->link("b", *top_, "b3"));
  note("unlink", top_->unlink("b3"));
  log_.push_back(file->info().value().identity == before.identity ? "same" : "changed");
}

void Script::capabilities() {
  auto file = top_->create_file("capable", 0755).value();
  note("capability", file->set_attribute("security.capability", kCapability));
  note("write", write_text(*file, "x"));
  log_.push_back("after a write " + std::to_string(file->attributes().value().size()));
  note("capability again", file->set_attribute("security.capability", kCapability));
  note("mode", file->set_mode(0700));
  log_.push_back("after a mode " + std::to_string(file->attributes().value().size()));
  note("owner", file->set_owner(0, 0));
  log_.push_back("after an owner " + std::to_string(file->attributes().value().size()));
}

void Script::lengths() {
  auto source = top_->create_file("source", 0600).value();
  // The size first: xfs reserves blocks behind the end of a file that grows, and they count as
  // data.
  note("size", source->truncate(131072));
  note("write", write_text(*source, std::string(5000, 's')));
  note("write between holes", write_text(*source, std::string(5000, 't'), 65536));
  std::uint64_t offset = 0;
  while (const auto extent = source->next_data(offset).value()) {
    log_.push_back("data " + std::to_string(extent->begin) + " to " + std::to_string(extent->end));
    offset = extent->end;
  }
  auto target = top_->create_file("target", 0600).value();
  const auto copied = target->copy_from(*source, 4990, 4990, 100);
  note("copy", copied);
  const auto at_end = target->copy_from(*source, 131072, 131072, 100);
  note("copy at the end", at_end);
  if (copied && *copied) {
    log_.push_back(std::to_string(**copied) + " " + std::to_string(at_end.value().value()));
    log_.push_back(std::to_string(target->info().value().identity.size));
  }
  auto empty = top_->create_file("empty", 0600).value();
  log_.push_back(empty->next_data(0).value() ? "data" : "no data");
  note("lock", source->try_lock());
  auto second = top_->open_file("source").value();
  note("lock by another", second->try_lock());
  source.reset();
  note("lock after close", second->try_lock());
}

void Script::open_without_name() {
  auto file = top_->create_file("gone", 0600).value();
  note("write", write_text(*file, "still"));
  note("unlink open file", top_->unlink("gone"));
  note_info("without a name", file->info().value());
  note("write without a name", write_text(*file, " here", 5));
  log_.push_back(read_text(*file));
  note("sync without a name", file->sync());
  note_folder("at the end");
}

void Script::paths() {
  symlink_("way", root_);
  symlink_("loop", "loop");
  note("path through a link", files_.open_folder(root_ + "/way/way/."));
  note("path with dots",
       files_.open_folder(root_ + "/way/../" + root_.substr(root_.rfind('/') + 1) + "//"));
  note("path in a loop", files_.open_folder(root_ + "/loop"));
  note("path to a file", files_.open_folder(root_ + "/b"));
  note("path through a file", files_.open_folder(root_ + "/b/c"));
  note("path to nothing", files_.open_folder(root_ + "/absent/c"));
  // 40 links are followed, 41 are not (path_resolution(7)).
  symlink_("link1", root_);
  for (int link = 2; link <= 41; ++link) {
    symlink_("link" + std::to_string(link), "link" + std::to_string(link - 1));
  }
  note("path of 40 links", files_.open_folder(root_ + "/link40"));
  note("path of 41 links", files_.open_folder(root_ + "/link41"));
  log_.push_back(files_.open_folder(root_ + "/way").value()->path() == root_ + "/way" ? "as given"
                                                                                      : "changed");
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "fake_honesty_XXXXXX";
    path_ = std::filesystem::canonical(::mkdtemp(pattern.data()));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

TEST(FakeHonesty, the_fake_does_what_linux_does) {
  const TemporaryFolder folder;
  os::LinuxFileSystem real;
  const bool has_capabilities =
      can_set_attribute(real, folder.path(), "security.capability", kCapability);
  Script real_script(real, folder.path(), has_capabilities,
                     [&](const std::string& name, const std::string& target) {
                       std::filesystem::create_symlink(target, folder.path() + "/" + name);
                     });
  FakeFileSystem fake;
  fake.make_folder(folder.path(), 0700);
  fake.set_creator(::geteuid(), ::getegid());
  // tmpfs before Linux 6.6 has none.
  fake.device(folder.path()).attributes = can_set_attribute(real, folder.path(), "user.probe", "x");
  Script fake_script(fake, folder.path(), has_capabilities,
                     [&](const std::string& name, const std::string& target) {
                       fake.symlink(folder.path() + "/" + name, target);
                     });
  // Nothing may depend on the umask.
  const mode_t umask = ::umask(077);
  const std::vector<std::string> real_log = real_script.play();
  ::umask(umask);
  const std::vector<std::string> fake_log = fake_script.play();
  ASSERT_GT(real_log.size(), 200U);
  for (std::size_t line = 0; line < std::min(real_log.size(), fake_log.size()); ++line) {
    EXPECT_EQ(fake_log[line], real_log[line])
        << "line " << line << " after " << (line == 0 ? "" : real_log[line - 1]);
  }
  EXPECT_EQ(fake_log.size(), real_log.size());
}

}  // namespace
}  // namespace update
