#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "engine/base/result.hpp"

namespace update::cli {

/// Where text goes. What cannot be written is dropped: that nobody reads any more changes nothing
/// about the host, and the exit code tells the state of the host.
class Console {
 public:
  virtual ~Console() = default;
  /// False where it could not be written.
  virtual bool out(std::string_view text) = 0;
  /// Something was dropped for another reason than that nobody reads any more (EPIPE).
  virtual bool lost_output() const = 0;
  virtual void err(std::string_view text) = 0;
  /// Standard input: how many bytes came, 0 at its end; nullopt: none for now, ask again.
  virtual Result<std::optional<std::size_t>> in(std::span<std::byte> into) = 0;
  virtual bool out_is_terminal() const = 0;
  virtual bool err_is_terminal() const = 0;
};

class StandardConsole final : public Console {
 public:
  bool out(std::string_view text) override;
  bool lost_output() const override { return lost_output_; }
  void err(std::string_view text) override;
  Result<std::optional<std::size_t>> in(std::span<std::byte> into) override;
  bool out_is_terminal() const override;
  bool err_is_terminal() const override;

 private:
  bool lost_output_ = false;
};

}  // namespace update::cli
