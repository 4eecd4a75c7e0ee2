#include "tests/crash/program/error_points.hpp"

#include <algorithm>
#include <map>

namespace update::crash {

using scenario::Call;
using scenario::contains;
using scenario::Fault;
using scenario::Recording;

namespace {

using Errors = std::vector<std::string>;

// What each call can end with. Left out, because what strace would make of it cannot happen:
// close(2) gives the descriptor up even when it fails, but an injected failure leaves it open;
// brk(2) has no errors in the kernel, and glibc takes -1 for an address; munmap, mprotect and
// madvise change nothing that lasts; F_GETFD and the like only fail for a bad descriptor.
const std::map<std::string, Errors>& errors_by_name() {
  static const Errors kNewName = {"ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOMEM", "EACCES"};
  static const Errors kWriting = {"ENOSPC", "EDQUOT", "EIO", "EROFS", "EINTR"};
  static const Errors kLooking = {"EIO", "ENOMEM", "EACCES"};
  static const Errors kDescriptor = {"EMFILE", "ENOMEM"};
  static const std::map<std::string, Errors> kErrors = {
      {"openat", {"EIO", "EMFILE", "ENOMEM", "EACCES", "EINTR"}},
      {"read", {"EIO", "EINTR"}},
      {"pread64", {"EIO", "EINTR"}},
      {"write", {"ENOSPC", "EIO", "EINTR"}},
      {"pwrite64", kWriting},
      {"fallocate", kWriting},
      {"ftruncate", {"EIO", "EROFS", "EINTR"}},
      {"copy_file_range", {"ENOSPC", "EDQUOT", "EIO", "ENOMEM", "EINTR"}},
      {"fsync", kWriting},
      {"fdatasync", kWriting},
      {"sync_file_range", {"EIO", "ENOSPC", "ENOMEM"}},
      {"renameat", kNewName},
      {"linkat", kNewName},
      {"mkdirat", kNewName},
      {"unlinkat", {"EIO", "EROFS", "ENOMEM", "EACCES"}},
      {"fchmod", {"EIO", "EROFS", "ENOMEM"}},
      {"fchown", {"EDQUOT", "EIO", "EROFS", "ENOMEM"}},
      {"fsetxattr", kNewName},
      {"fremovexattr", kNewName},
      {"utimensat", {"EACCES", "EROFS"}},
      {"newfstatat", kLooking},
      {"flistxattr", kLooking},
      {"fgetxattr", kLooking},
      {"readlinkat", kLooking},
      {"getcwd", {"ENOMEM", "EACCES"}},
      {"getdents64", {"EIO", "ENOMEM"}},
      {"fstatfs", {"EIO", "ENOMEM", "EINTR"}},
      {"fcntl", {"EACCES", "EINTR"}},
      {"flock", {"EINTR"}},
      {"ioctl", {"ENOSPC", "EDQUOT", "EIO", "EROFS", "ENOMEM"}},
      {"mmap", {"ENOMEM", "EACCES"}},
      {"pipe2", kDescriptor},
      {"signalfd4", kDescriptor},
      {"pidfd_open", kDescriptor},
      {"clone3", {"ENOMEM"}},
      {"poll", {"EINTR", "ENOMEM"}},
      {"waitid", {"EINTR"}},
      {"getrandom", {"EINTR"}},
  };
  return kErrors;
}

bool makes_a_name(const Call& call) {
  return contains(call.text, "O_CREAT");
}

bool is_left_out(const Call& call) {
  if (call.name == "fcntl") return !contains(call.text, "F_SETLK") || contains(call.text, "UNLCK");
  if (call.name == "ioctl") return !contains(call.text, "CLONE");
  return false;
}

// Whether every call of the name can go on ending so: strace does not look at arguments, and a
// fault that lasts would meet calls that cannot fail in that way.
bool can_last(const std::string& name, const std::string& error) {
  // ENOMEM of poll(2) that never ends is a hook that never ends, until its timeout.
  if (name == "poll" || name == "fcntl" || name == "ioctl" || name == "mmap") return false;
  if (name == "newfstatat") return error != "EACCES";
  return true;
}

bool can_end_with(const std::string& name, const std::string& error) {
  const auto found = errors_by_name().find(name);
  return found != errors_by_name().end() &&
         std::find(found->second.begin(), found->second.end(), error) != found->second.end();
}

// A signal that comes for ever would be waited out for ever; this many in a row are a storm.
constexpr int kInterruptions = 5;

std::string lasting_when(int first, const std::string& error) {
  if (error != "EINTR") return std::to_string(first) + "+";
  return std::to_string(first) + ".." + std::to_string(first + kInterruptions);
}

// The first number of each name that is not over when `index` is come to.
std::map<std::string, int> next_numbers(const Recording& recording, std::size_t index) {
  std::map<std::string, int> next;
  for (const auto& [name, errors] : errors_by_name()) next[name] = 1;
  for (const auto& [name, count] : recording.before_main) next[name] = count + 1;
  for (std::size_t before = 0; before < index; ++before) {
    next[recording.calls[before].name] = recording.calls[before].nth + 1;
  }
  return next;
}

}  // namespace

std::vector<std::string> errors_of(const Call& call) {
  const auto found = errors_by_name().find(call.name);
  if (found == errors_by_name().end() || is_left_out(call)) return {};
  Errors errors = found->second;
  // Without a file there is nothing that could be denied.
  if (call.name == "mmap" && contains(call.text, "MAP_ANONYMOUS")) return {"ENOMEM"};
  if (call.name == "openat" && makes_a_name(call)) {
    errors.insert(errors.end(), {"ENOSPC", "EDQUOT"});
  }
  if (call.name == "openat" && (makes_a_name(call) || contains(call.text, "O_RDWR"))) {
    errors.emplace_back("EROFS");
  }
  return errors;
}

std::vector<ErrorPoint> error_points(const std::vector<Call>& calls) {
  std::vector<ErrorPoint> points;
  for (std::size_t index = 0; index < calls.size(); ++index) {
    for (const std::string& error : errors_of(calls[index])) {
      points.push_back({index, error, Lasting::once});
      if (!can_end_with(calls[index].name, error) || !can_last(calls[index].name, error)) continue;
      points.push_back({index, error, Lasting::for_its_name});
      points.push_back({index, error, Lasting::for_all});
    }
  }
  return points;
}

std::vector<Fault> faults_of(const ErrorPoint& point, const Recording& recording) {
  const Call& call = recording.calls[point.call];
  if (point.lasting == Lasting::once) return {{call.name, point.error, std::to_string(call.nth)}};
  if (point.lasting == Lasting::for_its_name) {
    return {{call.name, point.error, lasting_when(call.nth, point.error)}};
  }
  std::vector<Fault> faults;
  for (const auto& [name, first] : next_numbers(recording, point.call)) {
    if (!can_end_with(name, point.error) || !can_last(name, point.error)) continue;
    faults.push_back({name, point.error, lasting_when(first, point.error)});
  }
  return faults;
}

std::string to_text(const ErrorPoint& point, const Recording& recording) {
  const Call& call = recording.calls[point.call];
  std::string text = call.name + " " + std::to_string(call.nth) + " ends with " + point.error;
  if (point.lasting == Lasting::for_its_name) text += ", and so do all later ones";
  if (point.lasting == Lasting::for_all) text += ", and so does all that can from then on";
  return text + ": (" + call.text;
}

}  // namespace update::crash
