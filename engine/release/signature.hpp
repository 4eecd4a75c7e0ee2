#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "engine/base/result.hpp"

// minisign's format (https://jedisct1.github.io/minisign/), verified with libcrypto. Closed on
// every doubt: there is no way to learn "not signed" from here but an error.
namespace update {

struct PublicKey {
  std::array<std::byte, 8> id{};
  std::array<std::byte, 32> key{};
  std::string origin;  ///< the file it came from, for messages

  /// As minisign prints it: 16 upper-case hexadecimal digits, last byte first.
  std::string id_text() const;
};

/// The text of a minisign .pub file: a comment line and 42 bytes in base64, or the base64 line
/// alone. not_trusted.
Result<PublicKey> parse_public_key(std::string_view text, std::string origin);

struct Signature {
  std::string key_id;           ///< PublicKey::id_text() of the key that made it
  std::string trusted_comment;  ///< signed, but foreign: escape it where it is shown
};

/// Verifies that `signature_file` (four lines, nothing more) is a prehashed `ED` signature of
/// `message` by one of `keys`, and its trusted comment too. No key, an unknown key id, the legacy
/// algorithm `Ed`, a changed comment, a wrong length, a second signature: not_trusted, saying
/// which.
Result<Signature> verify_signature(std::string_view message, std::string_view signature_file,
                                   std::span<const PublicKey> keys);

}  // namespace update
