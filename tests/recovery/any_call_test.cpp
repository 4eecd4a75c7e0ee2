// An update that stops at one of its calls. A third of them in one story, for the sanitizers: the
// sweep in memory (tests/crash/memory) has them all, and all losses.
#include <gtest/gtest.h>

#include "recovery/recover.hpp"
#include "tests/fixture/world.hpp"

namespace update {
namespace {

enum class Loss : std::uint8_t { process_killed, nothing_unsynced_kept };

/// Runs `operation` until its n-th changing call and stops the machine there; false: it ended
/// before.
template <class Operation>
bool stop_at(World& world, std::uint64_t call, Loss loss, Operation operation) {
  world.fake.files.stop_at(call, When::before);
  bool stopped = true;
  try {
    operation();
    stopped = world.fake.files.stopped();
  } catch (const PowerCut&) {
  }
  if (!stopped) return false;
  if (loss == Loss::process_killed) {
    world.kill();
  } else {
    world.reboot(LossPattern::keep_nothing());
  }
  return true;
}

/// transaction.md's invariants, as far as one look can tell: the journal says what the disk holds.
void expect_one_version(World& world, const std::string& where) {
  SCOPED_TRACE(where);
  const auto record = world.newest();
  ASSERT_TRUE(record);
  EXPECT_TRUE(record->phase == Phase::committed || record->phase == Phase::rolled_back);
  const auto& version =
      record->phase == Phase::committed ? record->to_version : record->from_version;
  EXPECT_EQ(world.version(), version.value_or("0.9.0"));
  EXPECT_TRUE(world.leftovers().empty()) << world.leftovers().front();
}

class AnyCall : public testing::TestWithParam<Loss> {};

TEST_P(AnyCall, OfAnUpdateMayBeTheLast) {
  World prepared;
  prepared.preinstall("0.9.0");
  ASSERT_TRUE(prepared.apply("1.0.0").status);
  prepared.make_release("1.1.0");
  const FakeDisk disk = prepared.fake.files.disk();
  std::uint64_t call = GetParam() == Loss::process_killed ? 1 : 2;
  for (;; call += 3) {
    World world(disk);
    if (!stop_at(world, call, GetParam(), [&] { (void)world.apply("1.1.0"); })) break;
    const auto recovered = world.recover();
    ASSERT_TRUE(recovered) << call << ": " << recovered.error().message();
    expect_one_version(world, "call " + std::to_string(call));
    const auto again = world.recover();
    ASSERT_TRUE(again);
    EXPECT_FALSE(again->recovered) << "a second recover has nothing to do, call " << call;
    const UpdateReport next = world.apply("1.2.0");
    EXPECT_TRUE(next.status) << call << ": " << next.status.error().message();
    EXPECT_EQ(world.version(), "1.2.0");
  }
  EXPECT_GT(call, 60U) << "too few calls to be a sweep";
}

INSTANTIATE_TEST_SUITE_P(Loss, AnyCall,
                         testing::Values(Loss::process_killed, Loss::nothing_unsynced_kept),
                         [](const auto& tested) {
                           return tested.param == Loss::process_killed ? "Killed" : "PowerCut";
                         });

}  // namespace
}  // namespace update
