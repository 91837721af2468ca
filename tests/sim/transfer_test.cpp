// Whole transfers through the gateway.
#include "kit/lab.hpp"
#include "kit/middlebox.hpp"

namespace braid::kit {
namespace {

class Transfer : public LabTest {};

TEST_F(Transfer, PlainClientFetches) {
  Lab& l = make();
  l.server_host().listen(kServerPort, {.send = 100'000, .send_key = 7, .expect_key = 8});
  App& app = l.client->connect(l.listener(), {.send = 50'000, .send_key = 8, .expect_key = 7});
  EXPECT_TRUE(l.run([&] { return app.released(); }));
  EXPECT_TRUE(app.ended_cleanly());
  EXPECT_EQ(app.received(), 100'000U);
  EXPECT_EQ(app.wrong_at(), kNoLimit);
  ASSERT_EQ(l.server_host().accepted().size(), 1U);
  EXPECT_EQ(l.server_host().accepted()[0]->received(), 50'000U);
  EXPECT_EQ(l.server_host().accepted()[0]->wrong_at(), kNoLimit);
}

TEST_F(Transfer, MptcpClientFetchesOverTwoPaths) {
  Lab& l = make(
      {.access = {{.name = "a", .rate = 20e6, .delay = 10ms}, {.name = "b", .rate = 30e6, .delay = 20ms}}});
  l.server_host().listen(kServerPort, {.send = 3'000'000, .send_key = 7, .expect_key = 8});
  App& app = l.fetch({.send = 500'000, .send_key = 8, .expect_key = 7});
  EXPECT_TRUE(l.run([&] { return app.released(); }));
  EXPECT_TRUE(app.ended_cleanly());
  EXPECT_EQ(app.received(), 3'000'000U);
  EXPECT_EQ(app.wrong_at(), kNoLimit);
  ASSERT_EQ(l.server_host().accepted().size(), 1U);
  EXPECT_EQ(l.server_host().accepted()[0]->received(), 500'000U);
  EXPECT_EQ(l.server_host().accepted()[0]->wrong_at(), kNoLimit);
  EXPECT_EQ(l.gateway->joins(stats::Join::ok), 1U);
  EXPECT_GT(l.access(1).delivered_bytes(false), 500'000U);
}

// The access links in one tag and in two: whatever leaves has the tags of its link, full segments included.
TEST_F(Transfer, OverTaggedLinks) {
  wire::Vlan one, two;
  one.push(wire::kEtherVlan, 100);
  two.push(wire::kEtherServiceVlan, 100);
  two.push(wire::kEtherVlan, 7);
  for (const bool v6 : {false, true}) {
    Lab& l = make(
        {.access = {{.name = "a", .rate = 20e6, .delay = 5ms}, {.name = "b", .rate = 20e6, .delay = 5ms}},
         .vlans = {one, two},
         .v6 = v6});
    l.access(0).set_middlebox(box::tag(one));
    l.access(1).set_middlebox(box::tag(two));
    l.server_host().listen(kServerPort, {.send = 1'000'000, .send_key = 7, .expect_key = 8});
    App& app = l.fetch({.send = 500'000, .send_key = 8, .expect_key = 7});
    EXPECT_TRUE(l.run([&] { return app.released(); }));
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(app.received(), 1'000'000U);
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    EXPECT_EQ(l.gateway->joins(stats::Join::ok), 1U);
    EXPECT_EQ(l.gateway->punted(), 0U);
    EXPECT_EQ(l.access(0).lost() + l.access(1).lost(), 0U);
    finish();
  }
}

TEST_F(Transfer, VlanThatTheKernelDoesNotKnowIsNotServed) {
  Lab& l = make();
  wire::Vlan vlan;
  vlan.push(wire::kEtherVlan, 100);
  l.access(0).set_middlebox(box::tag(vlan));
  App& app = l.client->connect(l.listener(), {.send = 10});
  l.world.run_for(500ms);
  EXPECT_FALSE(app.opened());
  EXPECT_EQ(l.gateway->punted(), 1U);
  EXPECT_EQ(l.access(0).delivered(false), 0U);
}

// A router that marks keeps its queue short, and nothing is lost for it (RFC 3168).
TEST_F(Transfer, MarksKeepAQueueShortWithoutLoss) {
  LinkSpec narrow{.name = "s", .rate = 20e6, .delay = 10ms, .queue = 120'000, .mark_above = 30'000};
  for (const bool ecn : {false, true}) {
    LabSpec spec{.servers = {narrow}};
    spec.tune = [ecn](relay::Settings& r, engine::Settings&) { r.upstreams[0].ecn = ecn; };
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.send = 6'000'000, .send_key = 7, .expect_key = 8});
    App& app = l.fetch({.send = 4'000'000, .send_key = 8, .expect_key = 7});
    EXPECT_TRUE(l.run([&] { return app.released(); }));
    EXPECT_TRUE(app.ended_cleanly());
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    EXPECT_EQ(l.server_link().lost() == 0, ecn);
    EXPECT_EQ(l.server_link().marked() != 0, ecn);
    finish();
  }
}

}  // namespace
}  // namespace braid::kit
