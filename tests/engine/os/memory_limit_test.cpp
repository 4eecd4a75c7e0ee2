#include <gtest/gtest.h>

#include "engine/os/confinement_linux.hpp"
#include "tests/engine/os/error_of.hpp"

namespace update::os {
namespace {

// AddressSanitizer needs an address space without a limit.
TEST(ConfinedMemory, MoreThanIsGivenIsAnError) {
  LinuxConfinement confinement;
  ConfinementLimits limits;
  limits.memory_bytes = 16U << 20;
  const auto taking = [](std::size_t bytes) {
    return [bytes]() -> Result<std::string> {
      const std::string taken(bytes, 'x');
      return taken.substr(0, 1);
    };
  };
  EXPECT_EQ(confinement.run(limits, taking(8U << 20)).value(), "x");
  const Error error = error_of(confinement.run(limits, taking(64U << 20)));
  EXPECT_EQ(error.code(), ErrorCode::failed);
  EXPECT_EQ(error.message(), "more memory is needed than is given");
}

}  // namespace
}  // namespace update::os
