#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"

namespace update {

/// A SHA-256. There is no empty value: "no digest expected" must not be mistaken for one.
class Sha256Digest {
 public:
  static constexpr std::size_t kBytes = 32;

  explicit Sha256Digest(const std::array<std::byte, kBytes>& bytes) : bytes_(bytes) {}
  /// Exactly 64 lower-case hexadecimal digits; anything else is not_trusted.
  static Result<Sha256Digest> from_hex(std::string_view hex);

  std::string hex() const;
  const std::array<std::byte, kBytes>& bytes() const { return bytes_; }
  auto operator<=>(const Sha256Digest&) const = default;

 private:
  std::array<std::byte, kBytes> bytes_;
};

/// Hashes a stream. finish() may be called once; update() not after it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  Sha256Digest finish();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

Sha256Digest sha256_of(std::string_view bytes);

/// Must come before any other use of libcrypto: it keeps it from reading a configuration file.
void prepare_crypto();

}  // namespace update
