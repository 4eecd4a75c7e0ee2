#pragma once

#include "engine/os/confinement.hpp"

namespace update::os {

class LinuxConfinement final : public Confinement {
 public:
  Result<std::string> run(const ConfinementLimits& limits,
                          const std::function<Result<std::string>()>& work) override;
};

}  // namespace update::os
