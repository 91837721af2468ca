// Urgent data (RFC 9293 3.8.5): its bytes are bytes like any others, wherever the urgent pointer points.
#include <gtest/gtest.h>

#include "kit/mp_client.hpp"
#include "wire/checksum.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr auto kUrgent = static_cast<std::uint8_t>(A | wire::kUrg);

// Writes the pointer of a segment that has none yet, and what that makes of its checksum (RFC 1624).
void point(Packet& p, const wire::TcpFrame& f, std::uint16_t pointer) {
  std::byte* tcp = p.data() + f.l4_offset;
  const auto before = static_cast<std::uint16_t>(~load_be<std::uint16_t>(tcp + 16));
  store_be(tcp + 18, pointer);
  store_be(tcp + 16, static_cast<std::uint16_t>(~wire::fold(std::uint64_t{before} + pointer)));
}

struct Case {
  const char* name;
  bool mptcp;
  std::uint16_t pointer;
};

class Urgent : public LabTest, public testing::WithParamInterface<Case> {
 protected:
  void point_at(Link& link, std::uint16_t pointer) {
    link.set_middlebox([pointer](Packet& p, const wire::TcpFrame& f, bool) {
      if (f.has(wire::kUrg)) point(p, f, pointer);
      return true;
    });
  }
};

TEST_P(Urgent, BytesArriveInTheirPlaceWithoutTheMark) {
  Lab& l = make({.scripted_client = true, .scripted_servers = true});
  point_at(l.access(0), GetParam().pointer);
  point_at(l.server_link(), GetParam().pointer);
  MpClient client(l);
  Remote& c = GetParam().mptcp ? client.connect() : l.remote(0, 30000);
  if (!GetParam().mptcp) c.handshake();
  const auto mapped = [&](std::uint64_t at, std::uint16_t length) {
    return GetParam().mptcp ? client.map_ack(at, c.sent(), length, 0) : Options{};
  };
  c.say({.data = "before ", .options = mapped(0, 7)});
  c.say({.flags = kUrgent, .data = "urgent ", .options = mapped(7, 7)});
  c.say({.data = "behind", .options = mapped(14, 6)});
  Remote* s = l.server_script->incoming(l.server(), 1s);
  ASSERT_NE(s, nullptr);
  s->answer_syn();
  std::string heard;
  while (const auto h = s->next(100ms)) {
    EXPECT_FALSE(h->has(wire::kUrg));
    heard += h->data;
  }
  EXPECT_EQ(heard, "before urgent behind");
  EXPECT_EQ(l.gateway->counter(Counter::tcp_urgent), 1U);

  c.skip();
  s->say({.flags = kUrgent, .data = "urgent "});
  s->say({.data = "too"});
  heard.clear();
  while (const auto h = c.next(10ms)) {
    EXPECT_FALSE(h->has(wire::kUrg));
    heard += h->data;
    if (heard.size() == 10) break;
  }
  EXPECT_EQ(heard, "urgent too");
  EXPECT_EQ(l.gateway->counter(Counter::tcp_urgent), 2U);
}

INSTANTIATE_TEST_SUITE_P(Pointers, Urgent,
                         testing::Values(Case{"at_nothing", false, 0}, Case{"inside", false, 3},
                                         Case{"at_the_end", false, 7}, Case{"out_of_bounds", false, 0xffff},
                                         Case{"mptcp_inside", true, 3},
                                         Case{"mptcp_out_of_bounds", true, 0xffff}),
                         [](const auto& i) { return std::string(i.param.name); });

}  // namespace
}  // namespace braid::kit
