#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "engine/base/phase.hpp"

namespace update {

/// Who watches an update: a terminal, a log, or nobody. Nothing that an update does depends on it.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void phase(Phase phase, std::string_view what) = 0;
  virtual void progress(std::uint64_t done_bytes, std::uint64_t total_bytes) = 0;
  /// Something that the operator should know and that changes no outcome.
  virtual void warning(const std::string& text) = 0;
};

}  // namespace update
