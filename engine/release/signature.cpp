#include "engine/release/signature.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include <openssl/evp.h>

#include "engine/base/sha256.hpp"
#include "engine/base/text.hpp"

namespace update {
namespace {

constexpr std::string_view kUntrustedPrefix = "untrusted comment: ";
constexpr std::string_view kTrustedPrefix = "trusted comment: ";
// minisign's own limits (COMMENTMAXBYTES, TRUSTEDCOMMENTMAXBYTES).
constexpr std::size_t kUntrustedLimit = 1024;
constexpr std::size_t kTrustedLimit = 8192;

constexpr std::size_t kAlgorithmBytes = 2;
constexpr std::size_t kIdBytes = 8;
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;  // of Ed25519
constexpr std::size_t kHashBytes = 64;       // of BLAKE2b-512

using Bytes = std::vector<unsigned char>;

tl::unexpected<Error> reject(std::string why) {
  return fail(ErrorCode::not_trusted, std::move(why));
}

// Exactly `size` bytes from their one spelling in base64. EVP_DecodeBlock alone passes over blanks
// at both ends and over the bits that padding leaves unused: two texts would be one signature.
// Encoding again shows them.
std::optional<Bytes> decode_base64(std::string_view text, std::size_t size) {
  if (text.size() != (size + 2) / 3 * 4) return std::nullopt;
  Bytes bytes(text.size() / 4 * 3);
  const auto* const input = reinterpret_cast<const unsigned char*>(text.data());
  if (EVP_DecodeBlock(bytes.data(), input, static_cast<int>(text.size())) < 0) return std::nullopt;
  bytes.resize(size);
  Bytes again(text.size() + 1);
  EVP_EncodeBlock(again.data(), bytes.data(), static_cast<int>(size));
  if (std::memcmp(again.data(), text.data(), text.size()) != 0) return std::nullopt;
  return bytes;
}

// The lines of `text`, of which each ends with a newline, the last with one or none.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.remove_prefix(std::min(text.size(), lines.back().size() + 1));
  }
  return lines;
}

template <std::size_t size>
std::array<std::byte, size> array_of(const unsigned char* bytes) {
  std::array<std::byte, size> array{};
  std::memcpy(array.data(), bytes, size);
  return array;
}

struct SignatureFile {
  std::array<std::byte, kIdBytes> key_id{};
  std::array<std::byte, kSignatureBytes> signature{};
  std::string_view trusted_comment;
  std::array<std::byte, kSignatureBytes> comment_signature{};
};

Result<SignatureFile> parse_signature_file(std::string_view text) {
  if (text.find('\r') != std::string_view::npos || text.find('\0') != std::string_view::npos) {
    return reject("the signature file holds a carriage return or a NUL byte");
  }
  const auto lines = lines_of(text);
  if (lines.size() != 4) {
    return reject("a signature file has four lines and nothing more; this one has " +
                  std::to_string(lines.size()));
  }
  if (!lines[0].starts_with(kUntrustedPrefix) || lines[0].size() > kUntrustedLimit) {
    return reject("the signature file does not begin with an untrusted comment");
  }
  const auto signature = decode_base64(lines[1], kAlgorithmBytes + kIdBytes + kSignatureBytes);
  if (!signature) return reject("the signature is not 74 bytes in base64");
  const std::string_view algorithm(reinterpret_cast<const char*>(signature->data()),
                                   kAlgorithmBytes);
  if (algorithm == "Ed") {
    return fail(Error(ErrorCode::not_trusted, "this is a signature of minisign's legacy format")
                    .hint("sign again without -l: minisign -Sm release.json"));
  }
  if (algorithm != "ED") return reject("the signature's algorithm is unknown");
  if (!lines[2].starts_with(kTrustedPrefix) || lines[2].size() > kTrustedLimit) {
    return reject("the signature file has no trusted comment");
  }
  const auto comment_signature = decode_base64(lines[3], kSignatureBytes);
  if (!comment_signature)
    return reject("the trusted comment's signature is not 64 bytes in base64");

  SignatureFile file;
  file.key_id = array_of<kIdBytes>(signature->data() + kAlgorithmBytes);
  file.signature = array_of<kSignatureBytes>(signature->data() + kAlgorithmBytes + kIdBytes);
  file.trusted_comment = lines[2].substr(kTrustedPrefix.size());
  file.comment_signature = array_of<kSignatureBytes>(comment_signature->data());
  return file;
}

struct Freed {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MD_CTX, Freed>;

const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// What minisign signs instead of the message itself; nullopt where libcrypto cannot.
std::optional<std::array<std::byte, kHashBytes>> hash_of(std::string_view message) {
  std::array<std::byte, kHashBytes> hash{};
  unsigned int length = 0;
  if (EVP_Digest(message.data(), message.size(), reinterpret_cast<unsigned char*>(hash.data()),
                 &length, EVP_blake2b512(), nullptr) != 1 ||
      length != kHashBytes) {
    return std::nullopt;
  }
  return hash;
}

bool ed25519_verifies(const PublicKey& key, std::span<const std::byte> message,
                      const std::array<std::byte, kSignatureBytes>& signature) {
  const std::unique_ptr<EVP_PKEY, Freed> evp_key(
      EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(key.key.data()), key.key.size()));
  const Context context(EVP_MD_CTX_new());
  if (!evp_key || !context) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, evp_key.get()) != 1) {
    return false;
  }
  return EVP_DigestVerify(context.get(), raw(signature.data()), signature.size(),
                          raw(message.data()), message.size()) == 1;
}

std::string text_of(const std::array<std::byte, kIdBytes>& id) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string text;
  for (auto byte = id.rbegin(); byte != id.rend(); ++byte) {
    text.push_back(kDigits[std::to_integer<std::size_t>(*byte >> 4)]);
    text.push_back(kDigits[std::to_integer<std::size_t>(*byte & std::byte{15})]);
  }
  return text;
}

}  // namespace

std::string PublicKey::id_text() const {
  return text_of(id);
}

Result<PublicKey> parse_public_key(std::string_view text, std::string origin) {
  const auto bad = [&](std::string why) {
    return fail(Error(ErrorCode::not_trusted, std::move(why)).with(escape(origin)));
  };
  if (text.find('\r') != std::string_view::npos) return bad("the key holds a carriage return");
  auto lines = lines_of(text);
  if (lines.size() == 2) {
    if (!lines[0].starts_with(kUntrustedPrefix) || lines[0].size() > kUntrustedLimit) {
      return bad("the first of two lines must be an untrusted comment");
    }
    lines.erase(lines.begin());
  }
  if (lines.size() != 1)
    return bad("a public key is one line, with or without a comment before it");
  const auto bytes = decode_base64(lines[0], kAlgorithmBytes + kIdBytes + kKeyBytes);
  if (!bytes) return bad("a public key is 42 bytes in base64");
  if ((*bytes)[0] != 'E' || (*bytes)[1] != 'd') return bad("the key's algorithm is unknown");
  PublicKey key;
  key.id = array_of<kIdBytes>(bytes->data() + kAlgorithmBytes);
  key.key = array_of<kKeyBytes>(bytes->data() + kAlgorithmBytes + kIdBytes);
  key.origin = std::move(origin);
  return key;
}

Result<Signature> verify_signature(std::string_view message, std::string_view signature_file,
                                   std::span<const PublicKey> keys) {
  if (keys.empty()) return reject("there is no key to verify the signature with");
  UPDATE_TRY_ASSIGN(const SignatureFile file, parse_signature_file(signature_file));
  prepare_crypto();
  const auto hash = hash_of(message);
  if (!hash) return reject("libcrypto cannot compute BLAKE2b");

  // The comment's signature covers the message's, so that neither can be combined with another.
  std::vector<std::byte> signed_comment(file.signature.begin(), file.signature.end());
  const auto comment = std::as_bytes(std::span(file.trusted_comment));
  signed_comment.insert(signed_comment.end(), comment.begin(), comment.end());

  const std::string id = text_of(file.key_id);
  std::string why = "no trusted key has the signature's key id " + id;
  for (const PublicKey& key : keys) {
    // An id is an index and no proof: two keys may share one, and each gets its try.
    if (key.id != file.key_id) continue;
    if (!ed25519_verifies(key, *hash, file.signature)) {
      why = "the signature of key " + id + " does not fit the bytes";
    } else if (!ed25519_verifies(key, signed_comment, file.comment_signature)) {
      why = "the signature of key " + id + " does not fit its trusted comment";
    } else {
      return Signature{id, std::string(file.trusted_comment)};
    }
  }
  return reject(std::move(why));
}

}  // namespace update
