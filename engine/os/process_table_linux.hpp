#pragma once

#include "engine/os/host.hpp"
#include "engine/os/process_table.hpp"

namespace update::os {

/// By way of /proc. Whoever may not look at another user's process finds none.
class LinuxProcessTable final : public ProcessTable {
 public:
  explicit LinuxProcessTable(Host& host) : host_(host) {}

  std::optional<ProcessId> find(std::int64_t pid) override;
  std::vector<NamedProcess> named(const std::vector<std::string>& names) override;
  std::vector<NamedProcess> in_group(const std::string& control_group) override;
  std::optional<Executable> executable(std::int64_t pid) override;
  Result<std::unique_ptr<File>> open_executable(std::int64_t pid) override;
  Status end(const ProcessId& process, std::int64_t timeout_ms) override;
  std::string own_group() override;

 private:
  std::vector<NamedProcess> all();

  Host& host_;
};

}  // namespace update::os
