#include "tests/crash/crowd/watcher.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace update::crash {
namespace {

// So that the one who looks does not starve those that are looked at.
constexpr std::chrono::microseconds kPause{500};
constexpr std::size_t kEnough = 20;

/// One open(2), since the name may stand for another file a moment later.
bool read_now(const std::string& path, std::string& bytes) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  std::array<char, 4096> block{};
  bytes.clear();
  ssize_t count = 0;
  while ((count = read(fd, block.data(), block.size())) > 0) {
    bytes.append(block.data(), static_cast<std::size_t>(count));
  }
  close(fd);
  return count == 0;
}

}  // namespace

Watcher::Watcher(const scenario::Host& host, std::vector<std::string> versions)
    : host_(host),
      versions_(std::move(versions)),
      events_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
  const int watched =
      inotify_add_watch(events_, host_.path("bin").c_str(), IN_DELETE | IN_MOVED_FROM | IN_MODIFY);
  if (watched < 0) findings_.emplace_back("no inotify here");
  thread_ = std::thread([this] { watch(); });
}

Watcher::~Watcher() {
  static_cast<void>(stop());
  close(events_);
}

bool Watcher::is_destination(const std::string& name) const {
  const auto& files = host_.settings().files;
  return std::any_of(files.begin(), files.end(),
                     [&](const scenario::InstalledFile& file) { return file.name == name; });
}

void Watcher::find(std::string what) {
  if (findings_.size() < kEnough) findings_.push_back(std::move(what));
}

/// A look may come too late to see that a name was gone for a moment; the kernel tells of it.
void Watcher::read_events() {
  alignas(inotify_event) std::array<char, 64 * (sizeof(inotify_event) + NAME_MAX + 1)> buffer{};
  ssize_t count = 0;
  while ((count = read(events_, buffer.data(), buffer.size())) > 0) {
    for (std::size_t at = 0; at < static_cast<std::size_t>(count);) {
      const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
      at += sizeof(inotify_event) + event->len;
      if ((event->mask & IN_Q_OVERFLOW) != 0) find("the kernel dropped events");
      const std::string name = event->len == 0 ? "" : event->name;
      if (!is_destination(name)) continue;
      find(name + ((event->mask & IN_MODIFY) != 0 ? " was written in place" : " was taken away"));
    }
  }
}

Findings Watcher::stop() {
  stop_ = true;
  if (thread_.joinable()) thread_.join();
  return findings_;
}

void Watcher::watch() {
  std::string bytes;
  while (!stop_) {
    for (const scenario::InstalledFile& file : host_.settings().files) {
      const bool there = read_now(file.destination, bytes);
      const bool whole =
          there && std::any_of(versions_.begin(), versions_.end(), [&](const std::string& version) {
            return bytes == scenario::program(file.name, version);
          });
      if (!whole) find(file.destination + (there ? " is not whole: " + bytes : " is missing"));
    }
    read_events();
    ++looks_;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace update::crash
