#pragma once

#include "engine/os/host.hpp"

namespace update::os {

class LinuxHost final : public Host {
 public:
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

 private:
  std::string boot_id_;  ///< read once
};

}  // namespace update::os
