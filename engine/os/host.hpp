#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "engine/base/error.hpp"

namespace update::os {

/// What this process knows of itself and of the machine.
class Host {
 public:
  virtual ~Host() = default;
  /// Differs after every boot (/proc/sys/kernel/random/boot_id).
  virtual std::string boot_id() = 0;
  virtual std::uint32_t random_u32() = 0;
  virtual std::uint32_t uid() = 0;  ///< effective
  virtual std::uint32_t gid() = 0;  ///< effective
  virtual std::int64_t pid() = 0;
  /// When a process started, in clock ticks after boot: with its number it names that process and
  /// no later one; nullopt: gone.
  virtual std::optional<std::uint64_t> process_start(std::int64_t pid) = 0;
  /// The user that logged in, whatever sudo did since (/proc/self/loginuid).
  virtual std::optional<std::uint32_t> login_uid() = 0;
  /// SQLite maps the index of its WAL into memory, and where a full disk has no block for a page of
  /// it the kernel sends SIGBUS (mmap(2)): the process is stopped there, as by a kill. From now on
  /// it then tells this error and ends with its exit code.
  virtual void end_on_lost_page(const Error& error) = 0;
  /// The same where there is no memory for a few bytes (std::set_new_handler).
  virtual void end_on_lost_memory(const Error& error) = 0;
};

/// SIGINT and SIGTERM, held back until somebody asks.
class StopRequest {
 public:
  virtual ~StopRequest() = default;
  enum class Signal { none, interrupt, terminate };
  /// What has arrived since the start; stays so once it was seen.
  virtual Signal pending() = 0;
  /// From now on signals stop nothing: pending() is none, and no wait or child is cut short.
  virtual void hold() = 0;
  /// Lets them end the process as they end any other: for what only reads. One that is pending ends
  /// it now.
  virtual void let_go() = 0;
};

}  // namespace update::os
