#include "engine/presence.hpp"

#include <gtest/gtest.h>

namespace braid::engine {
namespace {

using namespace std::chrono_literals;

const Ip kHere = Ip::v4(0xc6120001), kElsewhere = Ip::v4(0xcb007101);

// One link, which is up or not, with the one address or without.
wire::RouteTable table(bool up, bool address = true) {
  static std::uint32_t generation = 0;
  wire::RouteTable t;
  t.add_link(3, {.port = 0, .up = up, .mtu = 1500});
  if (address) t.add_address(3, {kHere, 24});
  t.generation = ++generation;
  return t;
}

class PresenceTest : public ::testing::Test {
 protected:
  PresenceTest() { listeners_[1].announce_addresses = {Endpoint{kElsewhere, 0}, Endpoint{kHere, 0}}; }
  bool look(Duration at, const wire::RouteTable& t) { return presence().look(start_ + at, t); }
  Presence& presence() {
    if (!presence_) presence_.emplace(listeners_);
    return *presence_;
  }
  [[nodiscard]] bool here(unsigned bit) { return (presence().here(1) >> bit & 1U) != 0; }

  Instant start_{1h};
  std::vector<relay::Listener> listeners_ = std::vector<relay::Listener>(2);
  std::optional<Presence> presence_;
};

TEST_F(PresenceTest, AddressGoesWithItsLinkAndComesBack) {
  EXPECT_FALSE(look(0s, table(true)));
  EXPECT_TRUE(here(1));
  const auto down = table(false);
  EXPECT_FALSE(look(10s, down));
  EXPECT_EQ(presence().due(), start_ + 10s + Presence::kMoment);
  EXPECT_FALSE(look(10s + Presence::kMoment - 1ms, down));
  EXPECT_TRUE(look(10s + Presence::kMoment, down));
  EXPECT_FALSE(here(1));
  EXPECT_TRUE(here(0)) << "never an address of this box";
  EXPECT_EQ(presence().due(), kNever);
  const auto up = table(true);
  EXPECT_FALSE(look(20s, up));
  EXPECT_TRUE(look(20s + Presence::kMoment, up));
  EXPECT_TRUE(here(1));
}

TEST_F(PresenceTest, AddressThatIsTakenAwayIsGone) {
  look(0s, table(true));
  const auto without = table(true, false);
  look(1s, without);
  EXPECT_TRUE(look(1s + Presence::kMoment, without));
  EXPECT_FALSE(here(1));
}

TEST_F(PresenceTest, FlapDoesNotCount) {
  look(0s, table(true));
  for (int i = 1; i < 10; ++i) EXPECT_FALSE(look(i * 900ms, table(i % 2 == 0)));
  EXPECT_EQ(presence().due(), start_ + 9 * 900ms + Presence::kMoment);
  EXPECT_TRUE(here(1));
}

// A picture that is new for another reason does not begin the moment anew.
TEST_F(PresenceTest, OtherNewsDoNotPutTheChangeOff) {
  look(0s, table(true));
  for (int i = 0; i < 10; ++i) look(i * 100ms, table(false));
  EXPECT_TRUE(look(Presence::kMoment, table(false)));
  EXPECT_FALSE(here(1));
}

}  // namespace
}  // namespace braid::engine
