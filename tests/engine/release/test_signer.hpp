#pragma once

#include <string>
#include <string_view>

#include "engine/release/signature.hpp"

namespace update {

/// Signs as minisign does, and as no minisign would, with a key that `seed` makes.
/// minisign_test.cpp has the real minisign check what it writes.
class TestSigner {
 public:
  struct Options {
    std::string algorithm = "ED";
    std::string untrusted_comment = "untrusted comment: made by a test";
    std::string trusted_comment = "made by a test";
  };

  explicit TestSigner(char seed, std::string_view id = "testkey1");

  std::string public_key_file() const;
  PublicKey public_key() const;
  std::string sign(std::string_view message, const Options& options) const;
  std::string sign(std::string_view message) const { return sign(message, Options{}); }

 private:
  std::string ed25519(std::string_view message) const;

  std::string seed_;
  std::string id_;
};

}  // namespace update
