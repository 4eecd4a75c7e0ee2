#include "engine/os/confine_linux.hpp"

#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <memory>

#include "engine/os/call_linux.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define UPDATE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UPDATE_SANITIZED 1
#endif
#endif

namespace update::os {

namespace {

#ifdef UPDATE_SANITIZED
// AddressSanitizer has terabytes of shadow memory, and calls of its own, to tell what it found too.
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif

#if defined(__x86_64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "no filter of system calls for this architecture"
#endif

// The low half of an argument: the kernel takes descriptors, flags and protections as 32 bits, or
// knows nothing above them. Both architectures are little-endian.
constexpr std::uint32_t argument(std::uint32_t index) {
  return static_cast<std::uint32_t>(offsetof(seccomp_data, args)) + index * 8U;
}

/// A program for the kernel (seccomp(2)): calls that are allowed as they are, or by an argument.
class Filter {
 public:
  Filter() {
    load(offsetof(seccomp_data, arch));
    jump(BPF_JEQ, kArchitecture, 1, 0);
    end(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(seccomp_data, nr));
  }

  // Numbers of the x32 calls, which share the architecture, equal none of those allowed here.
  void allow(long call) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 1);
    end(SECCOMP_RET_ALLOW);
  }

  void allow_if_equal(long call, std::uint32_t index, std::uint32_t value) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(call), 0, 4);
    load(argument(index));
    jump(BPF_JEQ, value, 0, 1);
    end(SECCOMP_RET_ALLOW);
    end(SECCOMP_RET_KILL_PROCESS);
  }

  /// Memory without a file behind it, in which nothing can be executed.
  void allow_plain_mmap() {
    jump(BPF_JEQ, __NR_mmap, 0, 6);
    load(argument(3));
    jump(BPF_JSET, MAP_ANONYMOUS, 0, 3);
    load(argument(2));
    jump(BPF_JSET, PROT_EXEC, 1, 0);
    end(SECCOMP_RET_ALLOW);
    end(SECCOMP_RET_KILL_PROCESS);
  }

  void allow_plain_mprotect() {
    jump(BPF_JEQ, __NR_mprotect, 0, 4);
    load(argument(2));
    jump(BPF_JSET, PROT_EXEC, 1, 0);
    end(SECCOMP_RET_ALLOW);
    end(SECCOMP_RET_KILL_PROCESS);
  }

  Status install() {
    end(SECCOMP_RET_KILL_PROCESS);
    const sock_fprog program{.len = static_cast<unsigned short>(code_.size()),
                             .filter = code_.data()};
    if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return {};
    return last_error({"filtering the system calls of a child"});
  }

 private:
  void load(std::size_t offset) {
    code_.push_back({BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<std::uint32_t>(offset)});
  }
  void jump(std::uint16_t how, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false) {
    const auto code = static_cast<std::uint16_t>(BPF_JMP | BPF_K | how);
    code_.push_back({code, if_true, if_false, value});
  }
  void end(std::uint32_t action) { code_.push_back({BPF_RET | BPF_K, 0, 0, action}); }

  std::vector<sock_filter> code_;
};

Status filter_calls(const Cell& cell) {
  Filter filter;
  for (const long call :
       {__NR_pread64, __NR_read, __NR_lseek, __NR_fstat, __NR_newfstatat, __NR_brk, __NR_munmap,
        __NR_mremap, __NR_madvise, __NR_exit, __NR_exit_group, __NR_rt_sigreturn, __NR_futex,
        __NR_getrandom, __NR_clock_gettime, __NR_gettimeofday}) {
    filter.allow(call);
  }
#ifdef __NR_time
  filter.allow(__NR_time);
#endif
  // No other descriptor: a file that is open for writing has a position that write(2) would use.
  filter.allow_if_equal(__NR_write, 0, static_cast<std::uint32_t>(cell.answer));
  if (cell.writes) filter.allow(__NR_pwrite64);
  filter.allow_plain_mmap();
  filter.allow_plain_mprotect();
  if constexpr (kSanitized) {
    for (const long call : {__NR_sigaltstack, __NR_getpid, __NR_gettid, __NR_sched_yield,
                            __NR_rt_sigprocmask, __NR_rt_sigaction, __NR_prctl}) {
      filter.allow(call);
    }
  }
  return filter.install();
}

/// Everything but what is kept.
Status close_descriptors(const Cell& cell) {
  std::vector<int> kept(cell.files);
  kept.push_back(cell.answer);
  if (kSanitized) kept.push_back(STDERR_FILENO);
  std::sort(kept.begin(), kept.end());
  unsigned first = 0;
  const auto close_up_to = [&](unsigned last) {
    return first > last || ::close_range(first, last, 0) == 0;
  };
  for (const int each : kept) {
    const auto number = static_cast<unsigned>(each);
    if (number > 0 && !close_up_to(number - 1)) return last_error({"closing files of a child"});
    first = std::max(first, number + 1);
  }
  if (!close_up_to(UINT_MAX)) return last_error({"closing files of a child"});
  return {};
}

/// Nobody's user and group. EINVAL and EPERM: a "root" of a user namespace that has no other user,
/// or may not change; the filter, which allows no call that asks for a user, confines it as well.
Status drop_root() {
  constexpr uid_t kNobody = 65534;
  if (::geteuid() != 0) return {};
  const bool dropped = ::setgroups(0, nullptr) == 0 &&
                       ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                       ::setresuid(kNobody, kNobody, kNobody) == 0;
  if (dropped || errno == EINVAL || errno == EPERM) return {};
  return last_error({"changing the user of a child"});
}

Status limit(__rlimit_resource_t resource, std::uint64_t soft, std::uint64_t hard) {
  rlimit limits{};
  if (::getrlimit(resource, &limits) == 0) {
    limits.rlim_max = std::min<rlim_t>(limits.rlim_max, hard);
    limits.rlim_cur = std::min<rlim_t>(limits.rlim_max, soft);
    if (::setrlimit(resource, &limits) == 0) return {};
  }
  return last_error({"limiting a child"});
}

Status limit_resources(const Cell& cell) {
  if (!kSanitized) {
    UPDATE_TRY(limit(RLIMIT_AS, cell.address_space_bytes, cell.address_space_bytes));
  }
  // SIGXCPU, which tells why, at the soft limit; SIGKILL at the hard one.
  const auto seconds = static_cast<std::uint64_t>(cell.cpu_seconds);
  UPDATE_TRY(limit(RLIMIT_CPU, seconds, seconds + 1));
  UPDATE_TRY(limit(RLIMIT_CORE, 0, 0));
  return limit(RLIMIT_NOFILE, 0, 0);
}

struct CloseStatistics {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

}  // namespace

Result<std::uint64_t> address_space_bytes() {
  const std::unique_ptr<std::FILE, CloseStatistics> file(std::fopen("/proc/self/statm", "re"));
  std::uint64_t pages = 0;
  if (!file || std::fscanf(file.get(), "%lu", &pages) != 1) {
    return last_error({"reading /proc/self/statm"});
  }
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

Status confine(const Cell& cell) {
  UPDATE_TRY(close_descriptors(cell));
  UPDATE_TRY(drop_root());
  // After the change of user, which takes this back (prctl(2)).
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::prctl(PR_SET_DUMPABLE, 0) != 0 ||
      ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
    return last_error({"confining a child"});
  }
  if (::getppid() != cell.parent) return fail(ErrorCode::failed, "the parent has ended");
  // Whatever these mean in the parent, here they end the child.
  for (const int signal : {SIGBUS, SIGSEGV, SIGXCPU, SIGSYS}) std::signal(signal, SIG_DFL);
  UPDATE_TRY(limit_resources(cell));
  return filter_calls(cell);
}

}  // namespace update::os
