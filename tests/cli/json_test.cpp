// Names and order of fields are a contract (cli.md, "JSON").

#include <gtest/gtest.h>

#include <limits>

#include "cli/json_documents.hpp"
#include "cli/json_transaction.hpp"
#include "engine/base/json.hpp"

namespace update::cli {
namespace {

const Sha256Digest kOld = sha256_of("old");
const Sha256Digest kNew = sha256_of("new");

TransactionView sample() {
  TransactionRecord record;
  record.id = TransactionId{42};
  record.kind = "apply";
  record.from_version = "1.3.0";
  record.to_version = "1.4.0";
  record.phase = Phase::committed;
  record.outcome = "committed";
  record.started_at_us = 1'000'000;
  record.finished_at_us = 1'812'999;
  record.actor = R"({"uid":0,"login":"alice","command":"banger-update apply x"})";
  record.boot_id = "boot";
  const JournalFile file{"banger", "/usr/local/bin/banger", kOld, kNew, 31457280, "", "",
                         record.id};
  const Event event{1,         record.id,         std::nullopt, Phase::stage,
                    1'000'000, R"({"note":"x"})", kOld,         kNew};
  return {record, {{file, "new", "/usr/local/bin/banger.previous"}}, {event}};
}

Json parsed(const std::string& text) {
  auto json = parse_json(text);
  EXPECT_TRUE(json) << text;
  return json ? std::move(*json) : Json();
}

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : object.items()) keys.push_back(key);
  return keys;
}

TEST(Json, TransactionIsThatOfTheContract) {
  EXPECT_EQ(
      history_entry_document(sample()),
      R"({"id":42,"kind":"apply","from_version":"1.3.0","to_version":"1.4.0",)"
      R"("phase":"committed","outcome":"committed","started_at":"1970-01-01T00:00:01.000000Z",)"
      R"("finished_at":"1970-01-01T00:00:01.812999Z","duration_ms":812,"error":null,)"
      R"("actor":{"uid":0,"login":"alice","command":"banger-update apply x"},"boot_id":"boot",)"
      R"("files":[{"name":"banger","destination":"/usr/local/bin/banger","old_sha256":")" +
          kOld.hex() + R"(","new_sha256":")" + kNew.hex() +
          R"(","size":31457280,"backup":"/usr/local/bin/banger.previous","state":"new"}],)"
          R"("events":[{"seq":1,"at":"1970-01-01T00:00:01.000000Z","from":null,"to":"stage",)"
          R"("detail":{"note":"x"},"hash":")" +
          kNew.hex() + R"("}]})");
}

TEST(Json, WhatIsNotKnownIsNull) {
  TransactionView view;
  view.record.id = TransactionId{1};
  view.files.push_back({{"a", "/a", {}, {}, 0, "", "", TransactionId{1}}, "absent", {}});
  const Json json = parsed(history_entry_document(view));
  for (const char* key : {"from_version", "to_version", "outcome", "finished_at", "duration_ms",
                          "error", "boot_id"}) {
    EXPECT_TRUE(json.at(key).is_null()) << key;
  }
  for (const char* key : {"uid", "login", "command"}) {
    EXPECT_TRUE(json["actor"].at(key).is_null()) << key;
  }
  for (const char* key : {"old_sha256", "new_sha256", "backup"}) {
    EXPECT_TRUE(json["files"][0].at(key).is_null()) << key;
  }
}

TEST(Json, DurationIsNeverNegative) {
  TransactionView view = sample();
  view.record.finished_at_us = 0;
  EXPECT_TRUE(parsed(history_entry_document(view))["duration_ms"].is_null());
}

TEST(Json, DurationHasRoomForAnyTimesThatAJournalHolds) {
  TransactionView view = sample();
  view.record.started_at_us = std::numeric_limits<std::int64_t>::min();
  view.record.finished_at_us = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(parsed(history_entry_document(view))["duration_ms"],
            std::numeric_limits<std::uint64_t>::max() / 1000);
}

TEST(Json, ErrorIsTheOneAtHandElseTheRecordedOne) {
  TransactionView view = sample();
  const Error error = Error(ErrorCode::unfinished, "undoing: no").hint("look");
  const std::string at_hand =
      R"({"code":10,"name":"unfinished","message":"undoing: no","hint":"look"})";
  EXPECT_EQ(to_text(parsed(transaction_document(view, &error, nullptr))["error"]), at_hand);
  // The exit code tells what became of the host, which is not always what the history recorded.
  view.record.error = R"({"code":3,"name":"rolled_back","message":"m","hint":null})";
  EXPECT_EQ(to_text(parsed(transaction_document(view, &error, nullptr))["error"]), at_hand);
  EXPECT_EQ(to_text(parsed(recovered_document(&view, &error))["recovered"]["error"]), at_hand);
  EXPECT_EQ(parsed(history_entry_document(view))["error"]["code"], 3);
}

TEST(Json, ResultHasTheTransactionThatWasRecoveredFirst) {
  const TransactionView view = sample();
  EXPECT_TRUE(parsed(transaction_document(view, nullptr, nullptr)).at("recovered").is_null());
  EXPECT_EQ(parsed(transaction_document(view, nullptr, &view))["recovered"]["id"], 42);
}

TEST(Json, ListHasNeitherFilesNorEventsButKept) {
  const Json list = parsed(history_document({{sample().record, true}}));
  ASSERT_EQ(list.size(), 1U);
  EXPECT_EQ(list[0]["kept"], true);
  EXPECT_FALSE(list[0].contains("files"));
  EXPECT_FALSE(list[0].contains("events"));
  EXPECT_EQ(history_document({}), "[]");
}

TEST(Json, RecoveredIsTheTransactionOrNull) {
  const TransactionView view = sample();
  EXPECT_EQ(recovered_document(nullptr, nullptr), R"({"recovered":null})");
  EXPECT_EQ(parsed(recovered_document(&view, nullptr))["recovered"]["id"], 42);
}

TEST(Json, AlreadyInstalledSaysSo) {
  EXPECT_EQ(already_installed_document("1.4.0", nullptr),
            R"({"already_installed":true,"installed_version":"1.4.0","transaction":null,)"
            R"("recovered":null})");
}

TEST(Json, StatusIsThatOfTheContract) {
  StatusReport report;
  report.installed_version = "1.4.0";
  report.unfinished = sample();
  report.recover_would = "replay";
  report.files = {{"banger", "/usr/local/bin/banger", "changed", kNew}};
  const Json json = parsed(status_document(report));
  EXPECT_EQ(keys_of(json), (std::vector<std::string>{"installed_version", "unfinished",
                                                     "recover_would", "files"}));
  EXPECT_EQ(json["unfinished"]["id"], 42);
  EXPECT_EQ(to_text(json["files"]),
            R"([{"name":"banger","destination":"/usr/local/bin/banger","state":"changed"}])");
}

TEST(Json, FailureNamesTheTransactionBesideTheErrorAndInIt) {
  const Error error(ErrorCode::terminated, "ended by SIGTERM");
  EXPECT_EQ(failure_document(error, TransactionId{7}, nullptr),
            R"({"error":{"code":143,"name":"terminated","message":"ended by SIGTERM",)"
            R"("hint":null,"transaction":7},"transaction":7})");
  EXPECT_TRUE(parsed(error_document(error))["transaction"].is_null());
}

TEST(Json, FailureHasTheTransactionThatWasRecoveredFirst) {
  const TransactionView view = sample();
  const Error error(ErrorCode::refused, "a downgrade");
  const Json json = parsed(failure_document(error, std::nullopt, &view));
  EXPECT_EQ(json["error"]["code"], 6);
  EXPECT_TRUE(json.at("transaction").is_null());
  EXPECT_EQ(json["recovered"]["id"], 42);
}

TEST(Json, FindingsAreErrorsWithWhatWasFound) {
  const Error error(ErrorCode::not_trusted, "1 file");
  const Json found = parsed(verify_document({{"a", "/a", "missing", kNew}}, &error));
  EXPECT_EQ(found["error"]["code"], 7);
  EXPECT_EQ(found["verified"], false);
  EXPECT_EQ(found["files"][0]["expected_sha256"], kNew.hex());
  EXPECT_FALSE(parsed(verify_document({}, nullptr)).contains("error"));
  AuditReport audit;
  audit.events = 3;
  audit.begins_after_lost_journal = 2;
  const Json checked = parsed(audit_document(audit, nullptr));
  EXPECT_EQ(checked["verified"], true);
  EXPECT_EQ(checked["begins_after_lost_journal"], 2);
  EXPECT_TRUE(checked["newer_schema"].is_null());
}

TEST(Json, ExportedEventHoldsTheDetailAsItIsStored) {
  Event event = sample().events.front();
  event.detail = "{ \"b\" : 1,\"a\":\"\xC3\xA4\"}";
  event.transaction.reset();
  EXPECT_EQ(exported_event(event),
            R"({"seq":1,"transaction":null,"at":"1970-01-01T00:00:01.000000Z","from":null,)"
            R"("to":"stage","detail":"{ \"b\" : 1,\"a\":\")"
            "\xC3\xA4"
            R"(\"}","prev_hash":")" +
                kOld.hex() + R"(","hash":")" + kNew.hex() + R"("})");
}

TEST(Json, TamperedStoredTextsBecomeTextsAndNoCrash) {
  TransactionView view = sample();
  view.record.actor = "{";
  view.record.error = "not json";
  view.events.front().detail = std::string(100000, '[');
  const Json json = parsed(history_entry_document(view));
  EXPECT_TRUE(json["actor"]["uid"].is_null());
  EXPECT_EQ(json["error"], "not json");
  EXPECT_TRUE(json["events"][0]["detail"].is_string());
}

}  // namespace
}  // namespace update::cli
