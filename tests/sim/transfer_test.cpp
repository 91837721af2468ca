// Whole transfers through the gateway.
#include "kit/lab.hpp"

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

}  // namespace
}  // namespace braid::kit
