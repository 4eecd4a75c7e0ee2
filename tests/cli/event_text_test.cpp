#include "cli/event_text.hpp"

#include <gtest/gtest.h>

#include "engine/base/json.hpp"
#include "tests/cli/recording_console.hpp"

namespace update::cli {
namespace {

Event event_with(std::string detail) {
  const Sha256Digest digest = sha256_of("x");
  return {1, TransactionId{1}, Phase::doctor, Phase::doctor, 0, std::move(detail), digest, digest};
}

TEST(EventText, ShowsWhatTheDoctorPrintedEscapedAndInItsLines) {
  const std::string detail = to_text({{"note", "attempt"},
                                      {"command", "/bin/doctor\x1b"},
                                      {"result", "exited with status 1"},
                                      {"passed", false},
                                      {"duration_ms", 12},
                                      {"output", "disk is on fire\n\x1b[2Jred\n\n"}});
  EXPECT_EQ(event_text(event_with(detail)),
            "attempt: /bin/doctor\\x1b exited with status 1 after 12 ms\n"
            "disk is on fire\n\\x1b[2Jred\n");
}

TEST(EventText, ShowsErrorsAndWhoForcedWhatAndWhy) {
  const std::string error = to_text({{"error", {{"message", "no\x07"}, {"hint", "look"}}}});
  EXPECT_EQ(event_text(event_with(error)), "error: no\\x07\nhint: look\n");
  const std::string forced =
      to_text({{"forced", "rollback"},
               {"reason", "ticket 4711"},
               {"actor", {{"uid", 0}, {"login", "alice"}, {"command", "banger-update recover"}}}});
  EXPECT_EQ(event_text(event_with(forced)),
            "forced: rollback\nreason: ticket 4711\nby: alice, uid 0: banger-update recover\n");
}

TEST(EventText, OfADetailThatWasTamperedWithIsEmptyAndNoCrash) {
  for (const char* detail : {"", "{", "[]", "null", "{\"note\": {}}", "{\"error\": 1}",
                             "{\"forced\": [], \"actor\": 3}", "{\"output\": {}}"}) {
    (void)event_text(event_with(detail));
    (void)plan_summary(event_with(detail));
    (void)stored_error_text(detail);
    (void)actor_text(detail);
  }
  EXPECT_EQ(event_text(event_with("{")), "");
}

TEST(EventText, PlanSummaryHasNotesSignatureAndBaseline) {
  const std::string detail =
      to_text({{"plan",
                {{"notes", "first\n\x1bsecond\n"},
                 {"signed_by", "ABCD"},
                 {"baseline", {{"passed", false}, {"summary", "exited with status 1"}}}}}});
  const PlanSummary summary = plan_summary(event_with(detail));
  EXPECT_EQ(summary.notes, "first\n\\x1bsecond\n");
  EXPECT_EQ(summary.signed_by, "ABCD");
  EXPECT_EQ(summary.baseline, "failed: exited with status 1");
}

}  // namespace
}  // namespace update::cli
