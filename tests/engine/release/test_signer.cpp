#include "tests/engine/release/test_signer.hpp"

#include <openssl/evp.h>

#include <memory>
#include <stdexcept>

namespace update {
namespace {

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* raw(std::string& text) {
  return reinterpret_cast<unsigned char*>(text.data());
}

void need(bool done) {
  if (!done) throw std::runtime_error("libcrypto failed in a test's signer");
}

std::string base64(std::string_view bytes) {
  std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
  EVP_EncodeBlock(raw(text), raw(bytes), static_cast<int>(bytes.size()));
  text.pop_back();
  return text;
}

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Key key_of(std::string_view seed) {
  Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, raw(seed), seed.size()),
          EVP_PKEY_free);
  need(key != nullptr);
  return key;
}

}  // namespace

TestSigner::TestSigner(char seed, std::string_view id) : seed_(32, seed), id_(id) {}

std::string TestSigner::public_key_file() const {
  std::string bytes(32, '\0');
  std::size_t length = bytes.size();
  need(EVP_PKEY_get_raw_public_key(key_of(seed_).get(), raw(bytes), &length) == 1);
  return "untrusted comment: a test's key\n" + base64("Ed" + id_ + bytes) + "\n";
}

PublicKey TestSigner::public_key() const {
  return parse_public_key(public_key_file(), "test.pub").value();
}

std::string TestSigner::ed25519(std::string_view message) const {
  const Key key = key_of(seed_);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  need(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1);
  std::string signature(64, '\0');
  std::size_t length = signature.size();
  need(EVP_DigestSign(context.get(), raw(signature), &length, raw(message), message.size()) == 1);
  return signature;
}

std::string TestSigner::sign(std::string_view message, const Options& options) const {
  std::string hash(64, '\0');
  need(EVP_Digest(message.data(), message.size(), raw(hash), nullptr, EVP_blake2b512(), nullptr) ==
       1);
  const std::string signature = ed25519(hash);
  return options.untrusted_comment + "\n" + base64(options.algorithm + id_ + signature) +
         "\ntrusted comment: " + options.trusted_comment + "\n" +
         base64(ed25519(signature + options.trusted_comment)) + "\n";
}

}  // namespace update
