#include "base/timer_wheel.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "base/random.hpp"

namespace braid {
namespace {

constexpr std::int64_t kTick = std::int64_t{1} << kTickShift;

Instant at_ns(std::int64_t ns) { return Instant(Duration(ns)); }
Instant at_tick(std::int64_t tick, std::int64_t offset = 0) { return at_ns(tick * kTick + offset); }

unsigned drain(TimerWheel& wheel, Instant now, unsigned limit = ~0U) {
  return wheel.advance(now, limit, [](Alarm&) {});
}

TEST(TimerWheel, EmptyWheelNeverFires) {
  TimerWheel wheel;
  EXPECT_EQ(wheel.next_due(), kNever);
  EXPECT_EQ(drain(wheel, at_tick(1'000'000)), 0U);
}

TEST(TimerWheel, FiresNeitherEarlyNorMoreThanOneTickLate) {
  for (const std::int64_t due :
       {1L, kTick - 1, kTick, kTick + 1, 255 * kTick, 256 * kTick, 256 * kTick + 1, 65536 * kTick - 1,
        65536 * kTick, (1L << 24) * kTick, (1L << 24) * kTick + 77}) {
    TimerWheel wheel;
    Alarm alarm;
    wheel.arm(alarm, at_ns(due));
    EXPECT_EQ(drain(wheel, at_ns(due - 1)), 0U) << due;
    EXPECT_TRUE(alarm.armed());
    EXPECT_EQ(drain(wheel, at_ns(due + kTick)), 1U) << due;
    EXPECT_FALSE(alarm.armed());
  }
}

TEST(TimerWheel, DueInThePastFiresAtOnce) {
  TimerWheel wheel(at_tick(1000));
  Alarm past;
  Alarm before_epoch;
  wheel.arm(past, at_tick(3));
  wheel.arm(before_epoch, at_ns(-5 * kTick));
  EXPECT_LE(wheel.next_due(), at_tick(1000));
  EXPECT_EQ(drain(wheel, at_tick(1000)), 2U);
}

TEST(TimerWheel, NeverIsClampedAndWakesEarly) {
  TimerWheel wheel(at_tick(5));
  Alarm alarm;
  wheel.arm(alarm, kNever);
  constexpr std::int64_t kHorizon = 0x7fff'ffff;
  EXPECT_EQ(drain(wheel, at_tick(5 + kHorizon - 1)), 0U);
  EXPECT_EQ(drain(wheel, at_tick(5 + kHorizon)), 1U);
}

TEST(TimerWheel, LimitLeavesTheRestDue) {
  TimerWheel wheel;
  std::vector<Alarm> alarms(10);
  for (auto& a : alarms) wheel.arm(a, at_tick(7));
  EXPECT_EQ(drain(wheel, at_tick(50), 4), 4U);
  EXPECT_LE(wheel.next_due(), at_tick(50));
  EXPECT_EQ(drain(wheel, at_tick(50), 4), 4U);
  EXPECT_EQ(drain(wheel, at_tick(50), 4), 2U);
  EXPECT_EQ(drain(wheel, at_tick(50), 0), 0U);
  EXPECT_EQ(wheel.next_due(), kNever);
}

TEST(TimerWheel, AlarmsOfOneTickFireInTheOrderTheyWereArmed) {
  TimerWheel wheel;
  std::vector<Alarm> alarms(5);
  for (std::size_t i = 0; i < alarms.size(); ++i) {
    alarms[i].kind = static_cast<std::uint8_t>(i);
    wheel.arm(alarms[i], at_tick(3));
  }
  std::vector<int> order;
  wheel.advance(at_tick(3), 100, [&](Alarm& a) { order.push_back(a.kind); });
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

TEST(TimerWheel, FireMayRearmCancelAndArmOthers) {
  TimerWheel wheel;
  Alarm self;
  Alarm victim;
  Alarm late;
  wheel.arm(self, at_tick(2));
  wheel.arm(victim, at_tick(2));
  int selfs = 0;
  int lates = 0;
  const auto fire = [&](Alarm& a) {
    ASSERT_NE(&a, &victim);
    if (&a == &late) {
      ++lates;
      return;
    }
    TimerWheel::cancel(victim);
    if (++selfs < 5) wheel.arm(self, at_tick(2 + selfs));
    wheel.arm(late, at_tick(9));
  };
  EXPECT_EQ(wheel.advance(at_tick(8), 100, fire), 5U);
  EXPECT_EQ(selfs, 5);
  EXPECT_EQ(lates, 0);
  EXPECT_EQ(wheel.advance(at_tick(9), 100, fire), 1U);
  EXPECT_EQ(lates, 1);
}

TEST(TimerWheel, RearmingForNowInsideFireIsBoundedByTheLimit) {
  TimerWheel wheel(at_tick(4));
  Alarm alarm;
  wheel.arm(alarm, at_tick(4));
  EXPECT_EQ(wheel.advance(at_tick(4), 25, [&](Alarm& a) { wheel.arm(a, at_tick(4)); }), 25U);
  EXPECT_TRUE(alarm.armed());
}

TEST(TimerWheel, ArmSoonerOnlyMovesForward) {
  TimerWheel wheel;
  Alarm alarm;
  wheel.arm_sooner(alarm, at_tick(100));
  wheel.arm_sooner(alarm, at_tick(200));
  EXPECT_EQ(alarm.tick, 100U);
  wheel.arm_sooner(alarm, at_tick(50));
  EXPECT_EQ(alarm.tick, 50U);
  EXPECT_EQ(drain(wheel, at_tick(49)), 0U);
  EXPECT_EQ(drain(wheel, at_tick(50)), 1U);
}

TEST(TimerWheel, CancelledSlotsDoNotWakeAnyone) {
  TimerWheel wheel;
  Alarm near;
  Alarm far;
  wheel.arm(near, at_tick(10));
  wheel.arm(far, at_tick(100'000));
  TimerWheel::cancel(near);
  TimerWheel::cancel(near);  // harmless twice
  EXPECT_GT(wheel.next_due(), at_tick(10));
  EXPECT_LE(wheel.next_due(), at_tick(100'000));
  TimerWheel::cancel(far);
  EXPECT_EQ(wheel.next_due(), kNever);
}

// Ticks are kept modulo 2^32 in the alarm: cross that wrap, and the wrap of every level below it.
TEST(TimerWheel, CrossesTheWrapOfTheTickCounter) {
  for (const std::int64_t wrap : {std::int64_t{1} << 32, std::int64_t{3} << 32, std::int64_t{1} << 24}) {
    for (const std::int64_t lead : {2L, 200L, 300L, 70'000L, 20'000'000L}) {
      if (lead > wrap) continue;
      TimerWheel wheel(at_tick(wrap - lead));
      std::vector<std::int64_t> dues{wrap - 1,   wrap,          wrap + 1,         wrap + 255,
                                     wrap + 256, wrap + 65'536, wrap + 99'999'999};
      std::vector<Alarm> alarms(dues.size());
      for (std::size_t i = 0; i < dues.size(); ++i) wheel.arm(alarms[i], at_tick(dues[i]));
      for (std::size_t i = 0; i < dues.size(); ++i) {
        EXPECT_LE(wheel.next_due(), at_tick(dues[i]));
        EXPECT_EQ(drain(wheel, at_tick(dues[i], -1)), 0U) << wrap << ' ' << lead << ' ' << i;
        EXPECT_EQ(drain(wheel, at_tick(dues[i])), 1U) << wrap << ' ' << lead << ' ' << i;
      }
    }
  }
}

// Following next_due() alone must reach every alarm in finitely many steps, as a simulator does.
TEST(TimerWheel, SteppingByNextDueReachesEveryAlarm) {
  Rng rng(42);
  for (int round = 0; round < 50; ++round) {
    Instant now = at_tick(rng.next32());
    TimerWheel wheel(now);
    Alarm alarm;
    const Instant due = now + Duration(static_cast<std::int64_t>(rng.next() >> (18 + rng.below(30))));
    wheel.arm(alarm, due);
    int steps = 0;
    while (alarm.armed()) {
      const Instant next = wheel.next_due();
      ASSERT_NE(next, kNever);
      ASSERT_LE(next, due + Duration(kTick));
      now = std::max(now, next);
      drain(wheel, now);
      ASSERT_LT(++steps, 10);
    }
    EXPECT_GE(now, due);
  }
}

class Model {  // what a wheel does, written as a flat list
 public:
  struct Item {
    Alarm alarm;
    Instant due{};
    bool armed = false;
  };

  Model(std::uint64_t seed, Instant start) : rng_(seed), wheel_(start), now_(start) {
    for (int i = 0; i < 200; ++i) items_.push_back(std::make_unique<Item>());
  }

  void step() {
    const unsigned action = rng_.below(10);
    Item& item = *items_[rng_.below(static_cast<std::uint32_t>(items_.size()))];
    if (action < 5) {
      arm(item);
    } else if (action == 5) {
      TimerWheel::cancel(item.alarm);
      item.armed = false;
    } else if (action == 6) {
      const Instant due = random_due();
      const bool sooner = !item.armed || round_up(due) < round_up(item.due);
      wheel_.arm_sooner(item.alarm, due);
      if (sooner) item.due = due;
      item.armed = true;
    } else {
      advance();
    }
    check_next_due();
  }

 private:
  static Instant round_up(Instant t) {
    return at_ns((t.time_since_epoch().count() + kTick - 1) / kTick * kTick);
  }
  static Instant round_down(Instant t) { return at_ns(t.time_since_epoch().count() / kTick * kTick); }
  // An alarm for the past is due at the wheel's present.
  [[nodiscard]] bool is_due(const Item& i) const { return i.armed && round_up(i.due) <= round_down(now_); }

  Duration random_span() {  // every magnitude from below a tick to days
    return Duration(static_cast<std::int64_t>(rng_.next() >> (16 + rng_.below(48))));
  }
  Instant random_due() {
    return rng_.below(8) == 0 ? now_ - Duration(rng_.below(10 * kTick)) : now_ + random_span();
  }
  void arm(Item& item) {
    item.due = random_due();
    item.armed = true;
    wheel_.arm(item.alarm, item.due);
  }

  void advance() {
    now_ += rng_.below(4) == 0 ? random_span() / 16 : Duration(rng_.below(300 * kTick));
    const unsigned limit = rng_.below(3) == 0 ? rng_.below(5) : 100'000;
    const unsigned fired = wheel_.advance(now_, limit, [&](Alarm& alarm) {
      Item& item = owner(alarm);
      ASSERT_TRUE(item.armed);
      ASSERT_FALSE(alarm.armed());
      ASSERT_LE(item.due, now_) << "fired early";
      item.armed = false;
      if (rng_.below(6) == 0) {  // owners file again and cancel others while firing
        item.due = now_ + Duration(1) + random_span();
        item.armed = true;
        wheel_.arm(item.alarm, item.due);
      }
      if (rng_.below(6) == 0) {
        Item& other = *items_[rng_.below(static_cast<std::uint32_t>(items_.size()))];
        TimerWheel::cancel(other.alarm);
        other.armed = false;
      }
    });
    ASSERT_LE(fired, limit);
    if (fired < limit) {
      for (const auto& item : items_) ASSERT_FALSE(is_due(*item)) << "a due alarm did not fire";
    }
    for (const auto& item : items_) ASSERT_EQ(item->armed, item->alarm.armed());
  }

  void check_next_due() {
    Instant earliest = kNever;
    for (const auto& item : items_)
      if (item->armed) earliest = std::min(earliest, std::max(round_up(item->due), round_down(now_)));
    const Instant said = wheel_.next_due();
    ASSERT_LE(said, earliest) << "next_due() would oversleep";
    ASSERT_EQ(said == kNever, earliest == kNever);
  }

  Item& owner(Alarm& alarm) {
    for (const auto& item : items_)
      if (&item->alarm == &alarm) return *item;
    throw std::logic_error("alarm of nobody");
  }

  Rng rng_;
  TimerWheel wheel_;
  Instant now_;
  std::vector<std::unique_ptr<Item>> items_;
};

class TimerWheelModel : public testing::TestWithParam<std::uint64_t> {};

TEST_P(TimerWheelModel, AgreesWithAFlatList) {
  // Half of the runs begin just below a wrap of the 32-bit tick.
  const Instant start = GetParam() % 2 == 0 ? Instant{} : at_tick((std::int64_t{1} << 32) - 5000);
  Model model(GetParam(), start);
  for (int i = 0; i < 4000 && !testing::Test::HasFatalFailure(); ++i) model.step();
}

INSTANTIATE_TEST_SUITE_P(Seeds, TimerWheelModel, testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace braid
