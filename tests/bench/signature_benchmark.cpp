// What an update's small parts cost: its signature, its manifest, its plan, and a digest.

#include <benchmark/benchmark.h>

#include <memory>
#include <string>

#include "engine/base/sha256.hpp"
#include "engine/installation/configuration.hpp"
#include "engine/os/filesystem_linux.hpp"
#include "engine/release/manifest.hpp"
#include "engine/release/release.hpp"
#include "engine/release/signature.hpp"
#include "engine/transaction/plan.hpp"
#include "tests/engine/release/signature_fixture.hpp"
#include "tests/engine/release/temporary_folder.hpp"
#include "tests/engine/release/test_signer.hpp"

namespace update {
namespace {

constexpr const char* kNames[] = {"banger", "bangerd", "banger-vsock-agent"};
constexpr const char* kVersion = "1.4.0";

std::string bytes_of(const std::string& name) {
  return "bytes of " + name;
}

Manifest manifest_of_three() {
  Manifest manifest{"banger", *Version::parse(kVersion), 0, {}, {}, "notes of a release", {}};
  for (const char* name : kNames) {
    const std::string bytes = bytes_of(name);
    manifest.files.push_back({name, sha256_of(bytes), bytes.size(), 0755});
  }
  return manifest;
}

Plan plan_of_three() {
  Plan plan;
  plan.tag = {TransactionId{42}, 0x0badcafe};
  plan.from_version = "1.3.0";
  plan.to_version = kVersion;
  plan.backup_suffix = ".previous";
  for (const char* name : kNames) {
    FileState state;
    state.sha256 = sha256_of(name);
    state.size = 31457280;
    state.mode = 0755;
    state.identity = os::FileIdentity{65024, 4711, state.size, 1'764'000'000'000'000'000};
    const auto destination = AbsolutePath::parse(std::string("/usr/local/bin/") + name);
    plan.files.push_back({name, *destination, state, state});
  }
  return plan;
}

Result<Signature> verify_fixture() {
  UPDATE_TRY_ASSIGN(const PublicKey key, parse_public_key(fixture::kPublicKey, "benchmark"));
  return verify_signature(fixture::kMessage, fixture::kSignature, std::span(&key, 1));
}

void VerifySignature(benchmark::State& state) {
  // An update hashes in any case: what libcrypto loads for that is not the signature's.
  benchmark::DoNotOptimize(sha256_of(""));
  for (auto step : state) {
    auto verified = verify_fixture();
    if (!verified) state.SkipWithError("not verified");
    benchmark::DoNotOptimize(verified);
  }
}
// The first one in a process is what an `apply` pays: libcrypto has yet to look up the algorithms.
// Nothing above it in this file may have used them.
BENCHMARK(VerifySignature)
    ->Name("VerifySignatureFirst")
    ->Iterations(1)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK(VerifySignature)->Unit(benchmark::kMicrosecond);

void ParseManifest(benchmark::State& state) {
  const std::string text = format_manifest(manifest_of_three());
  for (auto step : state) {
    auto parsed = parse_manifest(text);
    if (!parsed) state.SkipWithError("not parsed");
    benchmark::DoNotOptimize(parsed);
  }
}
BENCHMARK(ParseManifest)->Unit(benchmark::kMicrosecond);

void OpenRelease(benchmark::State& state) {
  const TemporaryFolder folder;
  const std::string text = format_manifest(manifest_of_three());
  const TestSigner signer('s');
  folder.write(kManifestName, text);
  folder.write(kSignatureName, signer.sign(text));
  for (const char* name : kNames) folder.write(name, bytes_of(name));
  const TrustPolicy trust{true, {signer.public_key()}};
  for (auto step : state) {
    auto release = open_release(folder.open(), trust);
    if (!release) state.SkipWithError(release.error().message().c_str());
    benchmark::DoNotOptimize(release);
  }
}
BENCHMARK(OpenRelease)->Unit(benchmark::kMicrosecond);

void Sha256OfBytes(benchmark::State& state) {
  const std::string bytes(static_cast<std::size_t>(state.range(0)), 'x');
  for (auto step : state) {
    auto digest = sha256_of(bytes);
    benchmark::DoNotOptimize(digest);
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(Sha256OfBytes)->Arg(4 << 10)->Arg(1 << 20)->Arg(30 << 20)->Unit(benchmark::kMicrosecond);

void PlanToText(benchmark::State& state) {
  const Plan plan = plan_of_three();
  for (auto step : state) {
    auto text = plan_to_text(plan);
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(PlanToText)->Unit(benchmark::kMicrosecond);

void PlanFromText(benchmark::State& state) {
  const std::string text = plan_to_text(plan_of_three());
  const auto config = parse_configuration("", "benchmark");
  for (auto step : state) {
    auto plan = plan_from_text(text, *config);
    if (!plan) state.SkipWithError(plan.error().message().c_str());
    benchmark::DoNotOptimize(plan);
  }
}
BENCHMARK(PlanFromText)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace update

BENCHMARK_MAIN();
