#include "cli/audit.hpp"

#include <algorithm>

namespace update::cli {
namespace {

// What one pass over the events tells about the two anchors outside of the journal.
struct Anchors {
  std::int64_t last_seq = 0;
  std::optional<Sha256Digest> at_head;  ///< the hash of the event that head names
  bool expected_found = false;
};

Result<Anchors> read_anchors(Journal& journal, const std::optional<Head>& head,
                             const std::optional<Sha256Digest>& expected) {
  Anchors anchors;
  UPDATE_TRY(journal.for_each_event([&](const Event& event) -> Status {
    anchors.last_seq = event.seq;
    if (head && event.seq == head->seq) anchors.at_head = event.hash;
    if (expected && event.hash == *expected) anchors.expected_found = true;
    return {};
  }));
  return anchors;
}

Result<bool> has_final_transaction(Journal& journal) {
  UPDATE_TRY_ASSIGN(const auto records, journal.list({}));
  return std::any_of(records.begin(), records.end(),
                     [](const TransactionRecord& record) { return is_final(record.phase); });
}

std::string finding_of_head(const AuditReport& audit, const Head& head, const Anchors& anchors) {
  const std::string named = "event " + std::to_string(head.seq) + ", which 'head' knows";
  // The new journal after a lost one begins behind what head knew of the old one.
  if (audit.begins_after_lost_journal && head.seq < *audit.begins_after_lost_journal) return "";
  if (anchors.last_seq < head.seq) return "the journal ends before " + named;
  if (!anchors.at_head) return "the journal lacks " + named;
  return *anchors.at_head == head.hash ? "" : "another hash than that of " + named;
}

}  // namespace

Result<AuditReport> audit_journal(Journal& journal, const std::optional<Head>& head,
                                  const std::optional<Sha256Digest>& expected) {
  UPDATE_TRY_ASSIGN(AuditReport audit, journal.verify());
  if (!audit.finding.empty()) return audit;
  UPDATE_TRY_ASSIGN(const Anchors anchors, read_anchors(journal, head, expected));
  if (head) {
    audit.finding = finding_of_head(audit, *head, anchors);
  } else {
    UPDATE_TRY_ASSIGN(const bool has_final, has_final_transaction(journal));
    if (has_final)
      audit.finding = "'head' is missing or damaged, so the journal's end is not known";
  }
  if (audit.finding.empty() && expected && !anchors.expected_found) {
    audit.finding = "no event has the expected hash " + expected->hex();
  }
  return audit;
}

}  // namespace update::cli
