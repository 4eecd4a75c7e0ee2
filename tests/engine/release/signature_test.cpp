#include "engine/release/signature.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tests/engine/release/signature_fixture.hpp"
#include "tests/engine/release/test_signer.hpp"

namespace update {
namespace {

using namespace std::string_literals;
using fixture::kMessage;
using fixture::kSignature;

std::vector<PublicKey> fixture_keys() {
  return {parse_public_key(fixture::kPublicKey, "banger.pub").value()};
}

void expect_refused(std::string_view signature_file, std::string_view because,
                    std::string_view message = kMessage) {
  const auto signature = verify_signature(message, signature_file, fixture_keys());
  ASSERT_FALSE(signature) << signature_file;
  EXPECT_EQ(signature.error().code(), ErrorCode::not_trusted);
  EXPECT_NE(signature.error().message().find(because), std::string::npos)
      << signature.error().message();
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    lines.emplace_back(text.substr(0, text.find('\n') + 1));
    text.remove_prefix(lines.back().size());
  }
  return lines;
}

TEST(PublicKey, IsReadWithItsCommentAndAlone) {
  const auto lines = lines_of(fixture::kPublicKey);
  for (const std::string& text :
       {std::string(fixture::kPublicKey), lines[1], lines[1].substr(0, lines[1].size() - 1)}) {
    const auto key = parse_public_key(text, "/etc/banger/update-keys/a.pub");
    ASSERT_TRUE(key) << text;
    EXPECT_EQ(key->id_text(), fixture::kKeyId);
    EXPECT_EQ(key->origin, "/etc/banger/update-keys/a.pub");
    EXPECT_EQ(key->key, fixture_keys()[0].key);
  }
}

TEST(PublicKey, RefusesEverythingElse) {
  const auto lines = lines_of(fixture::kPublicKey);
  const std::string key = lines[1].substr(0, lines[1].size() - 1);
  std::string other_algorithm = key;
  other_algorithm[1] = 'U';  // "RU": ED, which is an algorithm of signatures
  std::vector<std::string> bad = {"",
                                  "\n",
                                  lines[0],
                                  lines[0] + "\n" + lines[1],
                                  lines[1] + "\n",
                                  lines[1] + lines[1],
                                  lines[1] + lines[0],
                                  "a comment\n" + lines[1],
                                  " " + key,
                                  key + " ",
                                  key + "\r\n",
                                  key.substr(1),
                                  key.substr(0, 55),
                                  key + "AAAA",
                                  key.substr(0, 52),
                                  key.substr(0, 55) + "=",
                                  other_algorithm,
                                  std::string(56, 'A'),
                                  std::string(56, '!'),
                                  "untrusted comment: " + std::string(1006, 'c') + "\n" + lines[1],
                                  std::string(fixture::kSignature)};
  for (const std::string& text : bad) {
    const auto parsed = parse_public_key(text, "a.pub");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code(), ErrorCode::not_trusted);
    EXPECT_TRUE(parsed.error().message().starts_with("a.pub: ")) << parsed.error().message();
  }
}

TEST(Signature, AcceptsWhatMinisignMade) {
  const auto signature = verify_signature(kMessage, kSignature, fixture_keys());
  ASSERT_TRUE(signature) << signature.error().message();
  EXPECT_EQ(signature->key_id, fixture::kKeyId);
  EXPECT_EQ(signature->trusted_comment, "banger 1.4.0");
}

TEST(Signature, AcceptsALastLineWithoutNewline) {
  EXPECT_TRUE(
      verify_signature(kMessage, kSignature.substr(0, kSignature.size() - 1), fixture_keys()));
}

TEST(Signature, FindsTheKeyAmongSeveral) {
  auto keys = fixture_keys();
  keys.insert(keys.begin(), parse_public_key(fixture::kOtherPublicKey, "other.pub").value());
  EXPECT_EQ(verify_signature(kMessage, kSignature, keys).value().key_id, fixture::kKeyId);
  EXPECT_EQ(verify_signature(kMessage, fixture::kOtherKeysSignature, keys).value().key_id,
            "FB79F1DB3F3785BE");
}

// The id is random and chosen by whoever makes a key: sharing it must neither help nor lock out.
TEST(Signature, TriesEveryKeyOfOneId) {
  const TestSigner ours('a', "same id!");
  const TestSigner theirs('b', "same id!");
  const std::string signature = ours.sign(kMessage);
  EXPECT_TRUE(
      verify_signature(kMessage, signature, std::array{theirs.public_key(), ours.public_key()}));
  EXPECT_TRUE(
      verify_signature(kMessage, signature, std::array{ours.public_key(), theirs.public_key()}));
  EXPECT_FALSE(verify_signature(kMessage, signature, std::array{theirs.public_key()}));
}

// Half a signature by one key and half by another is none.
TEST(Signature, RefusesACommentSignedByAnotherKeyOfTheSameId) {
  const TestSigner ours('a', "same id!");
  const TestSigner theirs('b', "same id!");
  auto lines = lines_of(ours.sign(kMessage));
  lines[3] = lines_of(theirs.sign(kMessage))[3];
  const std::array keys{ours.public_key(), theirs.public_key()};
  EXPECT_FALSE(verify_signature(kMessage, lines[0] + lines[1] + lines[2] + lines[3], keys));
}

TEST(Signature, RefusesWhenNoKeyConfigured) {
  const auto signature = verify_signature(kMessage, kSignature, {});
  ASSERT_FALSE(signature);
  EXPECT_EQ(signature.error().code(), ErrorCode::not_trusted);
}

TEST(Signature, RefusesAnUnknownKeyAndNamesIt) {
  expect_refused(fixture::kOtherKeysSignature, "FB79F1DB3F3785BE");
}

TEST(Signature, RefusesAKeyIdThatIsNotTheSigners) {
  const TestSigner stranger('s', std::string("\xba\x74\xfc\x25\x03\x96\x64\xf6"));
  expect_refused(stranger.sign(kMessage), "does not fit the bytes");
}

TEST(Signature, RefusesLegacyMinisign) {
  expect_refused(fixture::kLegacySignature, "legacy");
}

TEST(Signature, RefusesALegacySignatureThatClaimsToBeNew) {
  auto lines = lines_of(fixture::kLegacySignature);
  lines[1][1] = 'U';
  ASSERT_TRUE(lines[1].starts_with("RUS"));
  expect_refused(lines[0] + lines[1] + lines[2] + lines[3], "does not fit the bytes");
}

TEST(Signature, RefusesUnknownAlgorithms) {
  const TestSigner signer('a');
  for (const std::string& algorithm : {"eD"s, "E2"s, "\0\0"s, "dE"s}) {
    TestSigner::Options options;
    options.algorithm = algorithm;
    const auto signature =
        verify_signature(kMessage, signer.sign(kMessage, options), std::array{signer.public_key()});
    ASSERT_FALSE(signature);
    EXPECT_NE(signature.error().message().find("algorithm"), std::string::npos);
  }
}

TEST(Signature, RefusesAnotherMessage) {
  expect_refused(kSignature, "does not fit the bytes", "");
  expect_refused(kSignature, "does not fit the bytes", std::string(kMessage) + "\n");
  expect_refused(kSignature, "does not fit the bytes", kMessage.substr(1));
}

TEST(Signature, RefusesZeroSignatures) {
  const auto lines = lines_of(kSignature);
  for (const std::string& text : {""s, "\n"s, "\n\n\n\n"s, lines[0], lines[0] + lines[2],
                                  lines[0] + "\n" + lines[2] + "\n"}) {
    expect_refused(text, "");
  }
}

TEST(Signature, RefusesShortSignature) {
  const auto lines = lines_of(kSignature);
  const std::string sixty_three_bytes = lines[1].substr(0, 97) + "A==";
  expect_refused(lines[0] + sixty_three_bytes + "\n" + lines[2] + lines[3], "74 bytes");
  expect_refused(lines[0] + lines[1].substr(0, 96) + "\n" + lines[2] + lines[3], "74 bytes");
  expect_refused(lines[0] + lines[1] + lines[2] + lines[3].substr(0, 84) + "\n", "64 bytes");
  for (std::size_t length = 0; length + 1 < kSignature.size(); ++length) {
    expect_refused(kSignature.substr(0, length), "");
  }
}

TEST(Signature, RefusesTrailingBytes) {
  const std::string text(kSignature);
  for (const std::string& tail :
       {"\n"s, " "s, "x"s, "\0"s, "\nx"s, "="s, "untrusted comment: \n"s}) {
    expect_refused(text + tail, "");
  }
  const auto lines = lines_of(kSignature);
  for (std::size_t line = 0; line < 4; ++line) {
    for (const std::string_view blank : {" ", "\r", "\t"}) {
      auto changed = lines;
      if (line == 0 && blank != "\r") continue;  // part of the untrusted comment
      changed[line].insert(changed[line].size() - 1, blank);
      expect_refused(changed[0] + changed[1] + changed[2] + changed[3], "");
    }
  }
}

TEST(Signature, RefusesTwoSignatures) {
  expect_refused(std::string(kSignature) + std::string(kSignature), "four lines");
  expect_refused(std::string(kSignature) + std::string(fixture::kOtherKeysSignature), "four lines");
  expect_refused(std::string(fixture::kOtherKeysSignature) + std::string(kSignature), "four lines");
}

TEST(Signature, RefusesChangedTrustedComment) {
  const auto lines = lines_of(kSignature);
  for (const std::string& comment : {"trusted comment: banger 1.4.1\n"s, "trusted comment: \n"s,
                                     "trusted comment: banger 1.4.0 \n"s}) {
    expect_refused(lines[0] + lines[1] + comment + lines[3], "trusted comment");
  }
  const auto other = lines_of(fixture::kOtherComment);
  ASSERT_TRUE(verify_signature(kMessage, fixture::kOtherComment, fixture_keys()));
  expect_refused(lines[0] + lines[1] + other[2] + lines[3], "trusted comment");
  expect_refused(lines[0] + lines[1] + lines[2] + other[3], "trusted comment");
}

TEST(Signature, UntrustedCommentIsNotSigned) {
  const auto lines = lines_of(kSignature);
  EXPECT_TRUE(verify_signature(
      kMessage, "untrusted comment: else\n" + lines[1] + lines[2] + lines[3], fixture_keys()));
  expect_refused("comment: else\n" + lines[1] + lines[2] + lines[3], "untrusted comment");
}

TEST(Signature, RefusesEveryChangeOfOneByteOfTheMessage) {
  const std::string message(kMessage);
  for (std::size_t at = 0; at < message.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = message;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      expect_refused(kSignature, "does not fit the bytes", changed);
    }
  }
}

// Everything behind the untrusted comment: also the base64 spellings that mean the same bytes.
TEST(Signature, RefusesEveryChangeOfOneByteOfItself) {
  const std::string text(kSignature);
  const auto keys = fixture_keys();
  for (std::size_t at = text.find('\n'); at + 1 < text.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = text;
      changed[at] = static_cast<char>(changed[at] ^ (1 << bit));
      ASSERT_FALSE(verify_signature(kMessage, changed, keys)) << at << " " << bit;
    }
  }
  for (std::size_t back = 2; back < 8; ++back) {
    for (int value = 0; value < 256; ++value) {
      std::string changed = text;
      if (static_cast<char>(value) == changed[text.size() - back]) continue;
      changed[text.size() - back] = static_cast<char>(value);
      ASSERT_FALSE(verify_signature(kMessage, changed, keys)) << back << " " << value;
    }
  }
}

TEST(Signature, RefusesAnotherSpellingOfTheSameBytes) {
  const auto lines = lines_of(kSignature);
  ASSERT_TRUE(lines[1].ends_with("Kgw=\n"));
  ASSERT_TRUE(lines[3].ends_with("ZBg==\n"));
  const std::string tail = lines[2] + lines[3];
  expect_refused(lines[0] + lines[1].substr(0, 98) + "x=\n" + tail, "74 bytes");
  expect_refused(lines[0] + lines[1] + lines[2] + lines[3].substr(0, 85) + "h==\n", "64 bytes");
}

TEST(Signature, RefusesABorrowedIdentityOfZeros) {
  const auto lines = lines_of(kSignature);
  const std::string zeros = lines[1].substr(0, 12) + "9" + std::string(86, 'A') + "=\n";
  expect_refused(lines[0] + zeros + lines[2] + lines[3], "");
}

TEST(Signature, HoldsTheCommentLimits) {
  const TestSigner signer('a');
  const std::array keys{signer.public_key()};
  TestSigner::Options options;
  options.trusted_comment = std::string(8192 - "trusted comment: "s.size(), 't');
  options.untrusted_comment = "untrusted comment: " + std::string(1024 - 19, 'u');
  EXPECT_TRUE(verify_signature(kMessage, signer.sign(kMessage, options), keys));
  options.trusted_comment += 't';
  EXPECT_FALSE(verify_signature(kMessage, signer.sign(kMessage, options), keys));
  options.trusted_comment = "";
  EXPECT_EQ(
      verify_signature(kMessage, signer.sign(kMessage, options), keys).value().trusted_comment, "");
  options.untrusted_comment += 'u';
  EXPECT_FALSE(verify_signature(kMessage, signer.sign(kMessage, options), keys));
}

TEST(Signature, RefusesControlThatSplitsLines) {
  const TestSigner signer('a');
  const std::array keys{signer.public_key()};
  TestSigner::Options options;
  for (const std::string& comment : {"a\rb"s, "a\0b"s, "a\nb"s}) {
    options.trusted_comment = comment;
    EXPECT_FALSE(verify_signature(kMessage, signer.sign(kMessage, options), keys));
  }
}

TEST(Signature, GivesTheTrustedCommentByteForByte) {
  const TestSigner signer('a');
  TestSigner::Options options;
  options.trusted_comment = "\x1b[31m\xff é\ttimestamp:1";
  const auto signature =
      verify_signature(kMessage, signer.sign(kMessage, options), std::array{signer.public_key()});
  EXPECT_EQ(signature.value().trusted_comment, options.trusted_comment);
}

}  // namespace
}  // namespace update
