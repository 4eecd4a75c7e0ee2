#pragma once

#include <optional>
#include <string>
#include <utility>

#include "engine/os/host.hpp"

namespace update::os {

class LinuxHost final : public Host {
 public:
  /// `login_uid` is what another process of ours, which knew it, said before it moved here.
  explicit LinuxHost(std::optional<std::string> login_uid = std::nullopt)
      : told_login_uid_(std::move(login_uid)) {}

  /// Where the kernel does not tell, a value that equals no other: what another boot left is then
  /// never taken for this one's.
  std::string boot_id() override;
  std::uint32_t random_u32() override;
  std::uint32_t uid() override;
  std::uint32_t gid() override;
  std::int64_t pid() override;
  /// A zombie is gone: it has ended, whatever its parent makes of that.
  std::optional<std::uint64_t> process_start(std::int64_t pid) override;
  std::optional<std::uint32_t> login_uid() override;
  void end_on_lost_page(const Error& error) override;
  void end_on_lost_memory(const Error& error) override;

 private:
  std::string boot_id_;  ///< read once
  std::optional<std::string> told_login_uid_;
};

}  // namespace update::os
