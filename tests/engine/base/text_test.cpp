#include "engine/base/text.hpp"

#include <gtest/gtest.h>

#include <array>

namespace update {
namespace {

using namespace std::string_literals;

std::string utf8(char32_t code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (code >> shift & 0x3F)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

TEST(Escape, LeavesPlainTextAlone) {
  for (const std::string& text :
       {""s, "banger 1.4.0"s, "Ünïcödé — 日本語 😀"s, R"(C:\x1b "quoted")"s, utf8(0x7E), utf8(0xA0),
        utf8(0xFFFD), utf8(0x10FFFF)}) {
    EXPECT_EQ(escape(text), text);
  }
}

TEST(Escape, WritesControlsByteByByte) {
  EXPECT_EQ(escape("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(escape("a\0b"s), "a\\x00b");
  EXPECT_EQ(escape("\r\x7f"), "\\x0d\\x7f");
  EXPECT_EQ(escape(utf8(0x9B)), "\\xc2\\x9b");
  EXPECT_EQ(escape(utf8(0x202E)), "\\xe2\\x80\\xae");
}

TEST(Escape, EscapesControlAndBidi) {
  const auto dangerous = [](char32_t code) {
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || code == 0x061C || code == 0x200E ||
           code == 0x200F || (code >= 0x202A && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
  };
  for (char32_t code = 0; code < 0x3000; ++code) {
    const std::string text = utf8(code);
    EXPECT_EQ(escape(text) != text, dangerous(code)) << std::hex << static_cast<unsigned>(code);
  }
}

TEST(Escape, KeepsLinesOnlyWhenAsked) {
  EXPECT_EQ(escape("a\n\tb\r\n"), "a\\x0a\\x09b\\x0d\\x0a");
  EXPECT_EQ(escape("a\n\tb\r\n", true), "a\n\tb\\x0d\n");
}

TEST(Escape, WritesBytesThatAreNoUtf8AndGoesOnAfterThem) {
  EXPECT_EQ(escape("a\xffz"), "a\\xffz");
  EXPECT_EQ(escape("\x80z"), "\\x80z");
  EXPECT_EQ(escape("\xc0\xafz"), "\\xc0\\xafz");  // overlong '/'
  EXPECT_EQ(escape("\xc1\xbfz"), "\\xc1\\xbfz");
  EXPECT_EQ(escape("\xe0\x80\xafz"), "\\xe0\\x80\\xafz");
  EXPECT_EQ(escape("\xe0\x9f\xbfz"), "\\xe0\\x9f\\xbfz");
  EXPECT_EQ(escape("\xf0\x8f\xbf\xbfz"), "\\xf0\\x8f\\xbf\\xbfz");
  EXPECT_EQ(escape("\xed\xa0\x80z"), "\\xed\\xa0\\x80z");  // surrogates
  EXPECT_EQ(escape("\xed\xbf\xbfz"), "\\xed\\xbf\\xbfz");
  EXPECT_EQ(escape("\xf4\x90\x80\x80z"), "\\xf4\\x90\\x80\\x80z");  // above U+10FFFF
  EXPECT_EQ(escape("\xf5\x80\x80\x80z"), "\\xf5\\x80\\x80\\x80z");
  EXPECT_EQ(escape("\xe2\x82"), "\\xe2\\x82");  // cut short
  EXPECT_EQ(escape("\xe2\x82z"), "\\xe2\\x82z");
  EXPECT_EQ(escape("\xe2\xe2\x82\xac"), "\\xe2€");
}

TEST(Escape, ChangesNothingTheSecondTime) {
  std::string bytes;
  for (int value = 0; value < 256; ++value) bytes.push_back(static_cast<char>(value));
  EXPECT_EQ(escape(escape(bytes)), escape(bytes));
}

TEST(Quote, EscapesAndCuts) {
  EXPECT_EQ(quote("banger"), "'banger'");
  EXPECT_EQ(quote("a\nb"), "'a\\x0ab'");
  EXPECT_EQ(quote(std::string(80, 'a')), "'" + std::string(80, 'a') + "'");
  EXPECT_EQ(quote(std::string(81, 'a')), "'" + std::string(80, 'a') + "…'");
}

TEST(Quote, DividesNoCharacter) {
  EXPECT_EQ(quote(std::string(79, 'a') + "€€"), "'" + std::string(79, 'a') + "…'");
  EXPECT_EQ(quote(std::string(77, 'a') + "😀😀"), "'" + std::string(77, 'a') + "…'");
  EXPECT_EQ(quote(std::string(1000, '\x80')).size(), 77 * 4 + "'…'"s.size());
}

TEST(SanitizeUtf8, KeepsGoodTextAsItIs) {
  EXPECT_EQ(sanitize_utf8("line\n\x1b[1mé😀\n", 100), "line\n\x1b[1mé😀\n");
  EXPECT_EQ(sanitize_utf8("", 0), "");
  EXPECT_EQ(sanitize_utf8("abc", 3), "abc");
}

TEST(SanitizeUtf8, ReplacesEachBadByte) {
  EXPECT_EQ(sanitize_utf8("a\xff\xc0\xafz", 100), "a���z");
  EXPECT_EQ(sanitize_utf8("\xed\xa0\x80", 100), "���");
  EXPECT_EQ(sanitize_utf8("a\0b"s, 100), "a�b");
  EXPECT_EQ(sanitize_utf8("\xe2\x82", 100), "��");
}

TEST(SanitizeUtf8, CutsBetweenCharactersAndSaysWhatIsMissing) {
  EXPECT_EQ(sanitize_utf8("abcdef", 4), "abcd\n[2 more bytes left out]");
  EXPECT_EQ(sanitize_utf8("ab\ncd", 3), "ab\n[2 more bytes left out]");
  EXPECT_EQ(sanitize_utf8("a€b", 3), "a\n[4 more bytes left out]");
  EXPECT_EQ(sanitize_utf8("a€b", 4), "a€\n[1 more bytes left out]");
  EXPECT_EQ(sanitize_utf8("a\xff", 3), "a\n[1 more bytes left out]");
  EXPECT_EQ(sanitize_utf8("abc", 0), "[3 more bytes left out]");
}

TEST(Nearest, FindsTheKeyThatWasMeant) {
  constexpr std::array<std::string_view, 5> kKeys = {"destination", "name", "optional", "mode",
                                                     "owner"};
  EXPECT_EQ(nearest("destination", kKeys), "destination");
  EXPECT_EQ(nearest("destinaton", kKeys), "destination");    // one missing
  EXPECT_EQ(nearest("destinattion", kKeys), "destination");  // one too many
  EXPECT_EQ(nearest("dsetination", kKeys), "destination");   // two exchanged
  EXPECT_EQ(nearest("dstntion", kKeys), "");                 // three of eight is more than a third
  EXPECT_EQ(nearest("destntn12", kKeys), "");
  EXPECT_EQ(nearest("modr", kKeys), "mode");
  EXPECT_EQ(nearest("made", kKeys), "mode");
  EXPECT_EQ(nearest("mdae", kKeys), "");
}

TEST(Nearest, CountsAnExchangeAsOneEdit) {
  constexpr std::array<std::string_view, 1> kKeys = {"name"};
  EXPECT_EQ(nearest("naem", kKeys), "name");
  EXPECT_EQ(nearest("nmae", kKeys), "name");
}

TEST(Nearest, AllowsAtMostThreeEdits) {
  constexpr std::array<std::string_view, 1> kKeys = {"abcdefghijklmnopqrstuvwxyz"};
  EXPECT_EQ(nearest("abcdefghijklmnopqrstuvw", kKeys), kKeys[0]);
  EXPECT_EQ(nearest("abcdefghijklmnopqrstuv", kKeys), "");
}

TEST(Nearest, TakesTheFirstOfEqualsAndTheBestOfAll) {
  constexpr std::array<std::string_view, 3> kKeys = {"stop", "step", "stem"};
  EXPECT_EQ(nearest("stap", kKeys), "stop");
  EXPECT_EQ(nearest("stem", kKeys), "stem");
}

TEST(Nearest, HelpsNobodyWithNothing) {
  constexpr std::array<std::string_view, 2> kKeys = {"a", "name"};
  EXPECT_EQ(nearest("", kKeys), "");
  EXPECT_EQ(nearest("name", {}), "");
  EXPECT_EQ(nearest(std::string(1'000'000, 'n'), kKeys), "");
}

}  // namespace
}  // namespace update
