#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "engine/release/signature.hpp"
#include "tests/engine/release/temporary_folder.hpp"
#include "tests/engine/release/test_signer.hpp"

// Debian's minisign is the judge: what it signs must verify, and what it refuses must not.
namespace update {
namespace {

class Minisign : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v minisign >/dev/null 2>&1") != 0) {
      GTEST_SKIP() << "minisign is not installed (apt install minisign): the checks against it are "
                      "skipped, the fixtures in signature_test.cpp still run";
    }
    ASSERT_TRUE(run("-G -W -p key.pub -s key.sec"));
  }

  bool run(const std::string& arguments) const {
    const std::string command =
        "cd '" + folder_.path().string() + "' && minisign " + arguments + " >/dev/null 2>&1";
    return std::system(command.c_str()) == 0;
  }

  PublicKey key() const { return parse_public_key(folder_.read("key.pub"), "key.pub").value(); }

  std::string sign(std::string_view message, const std::string& options = "") const {
    folder_.write("message", message);
    EXPECT_TRUE(run("-S -W -s key.sec -m message " + options));
    return folder_.read("message.minisig");
  }

  bool minisign_accepts(std::string_view message, std::string_view signature) const {
    folder_.write("message", message);
    folder_.write("message.minisig", signature);
    return run("-V -H -p key.pub -m message");
  }

  TemporaryFolder folder_;
};

TEST_F(Minisign, SignaturesOfEveryLengthVerify) {
  for (const std::size_t length : {0UL, 1UL, 127UL, 128UL, 129UL, 4096UL, 1UL << 20}) {
    std::string message(length, '\0');
    for (std::size_t at = 0; at < length; ++at) message[at] = static_cast<char>(at * 7);
    const auto signature = verify_signature(message, sign(message), std::array{key()});
    ASSERT_TRUE(signature) << length << signature.error().message();
    EXPECT_EQ(signature->key_id, key().id_text());
  }
}

TEST_F(Minisign, PrintsTheIdThatWePrint) {
  // It leaves leading zeros out, which one key of sixteen has.
  std::string id = key().id_text();
  id.erase(0, id.find_first_not_of('0'));
  EXPECT_NE(folder_.read("key.pub").find("minisign public key " + id + "\n"), std::string::npos);
}

TEST_F(Minisign, CommentsVerify) {
  const auto signature =
      verify_signature("m", sign("m", "-c 'for you' -t 'banger 1.4.0, é'"), std::array{key()});
  EXPECT_EQ(signature.value().trusted_comment, "banger 1.4.0, é");
  const auto usual = verify_signature("m", sign("m"), std::array{key()});
  EXPECT_TRUE(usual.value().trusted_comment.starts_with("timestamp:"));
}

TEST_F(Minisign, LegacySignaturesAreRefused) {
  const auto signature = verify_signature("m", sign("m", "-l"), std::array{key()});
  ASSERT_FALSE(signature);
  EXPECT_NE(signature.error().message().find("legacy"), std::string::npos);
}

TEST_F(Minisign, AcceptsWhatTheTestsSign) {
  const TestSigner signer('a');
  folder_.write("key.pub", signer.public_key_file());
  EXPECT_TRUE(minisign_accepts("a message", signer.sign("a message")));
  EXPECT_FALSE(minisign_accepts("another one", signer.sign("a message")));
}

// We may be stricter (blanks, spellings of base64, what follows the fourth line), never laxer.
TEST_F(Minisign, WeAcceptNothingThatItRefuses) {
  const std::string message = "a message\n";
  const std::string good = sign(message);
  const std::vector<PublicKey> keys = {key()};
  std::mt19937 random(42);  // the same changes in every run
  int accepted = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string changed = good;
    const std::size_t at = random() % changed.size();
    switch (random() % 4) {
      case 0: changed[at] = static_cast<char>(random()); break;
      case 1: changed.erase(at, random() % 8); break;
      case 2: changed.insert(at, 1, "\n =A\r\0z"[random() % 7]); break;
      default: changed.insert(at, changed.substr(random() % changed.size(), random() % 32));
    }
    if (!verify_signature(message, changed, keys)) continue;
    ++accepted;
    if (changed == good) continue;
    EXPECT_TRUE(minisign_accepts(message, changed)) << changed;
  }
  EXPECT_GT(accepted, 0);  // changes of the untrusted comment
}

}  // namespace
}  // namespace update
