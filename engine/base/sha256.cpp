#include "engine/base/sha256.hpp"

#include <cstdlib>
#include <cstring>
#include <new>
#include <vector>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "engine/base/hex.hpp"

namespace update {

Result<Sha256Digest> Sha256Digest::from_hex(std::string_view hex) {
  auto bytes = update::from_hex(hex);
  if (!bytes || bytes->size() != kBytes) {
    return fail(ErrorCode::not_trusted, "a SHA-256 is 64 lower-case hexadecimal digits");
  }
  std::array<std::byte, kBytes> digest{};
  std::memcpy(digest.data(), bytes->data(), kBytes);
  return Sha256Digest(digest);
}

std::string Sha256Digest::hex() const {
  return to_hex(bytes_);
}

namespace {

/// libcrypto fails here only without memory or with a broken provider. Going on would mean trusting
/// bytes that nobody hashed, so the program ends as operator new ends it, and recovery treats it as
/// a crash.
[[noreturn]] void end_without_hash() {
  if (const std::new_handler end = std::get_new_handler()) end();
  std::abort();
}

}  // namespace

void prepare_crypto() {
  // openssl.cnf may load providers, from a file that nobody here has checked ($OPENSSL_CONF).
  static const int once = OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, nullptr);
  if (once != 1) end_without_hash();
}

struct Sha256::Context {
  EVP_MD_CTX* evp = EVP_MD_CTX_new();
  ~Context() { EVP_MD_CTX_free(evp); }
};

Sha256::Sha256() {
  prepare_crypto();
  context_ = std::make_unique<Context>();
  if (context_->evp == nullptr || EVP_DigestInit_ex(context_->evp, EVP_sha256(), nullptr) != 1) {
    end_without_hash();
  }
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::span<const std::byte> bytes) {
  if (EVP_DigestUpdate(context_->evp, bytes.data(), bytes.size()) != 1) end_without_hash();
}

Sha256Digest Sha256::finish() {
  std::array<std::byte, Sha256Digest::kBytes> digest{};
  unsigned int length = 0;
  if (EVP_DigestFinal_ex(context_->evp, reinterpret_cast<unsigned char*>(digest.data()), &length) !=
          1 ||
      length != digest.size()) {
    end_without_hash();
  }
  return Sha256Digest(digest);
}

Sha256Digest sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

}  // namespace update
