// Rules of RFC 9293 that docs/conformance lists by their ids, about what comes beside TCP segments.
#include "kit/icmp.hpp"
#include "kit/lab.hpp"

namespace braid::kit {
namespace {

class EngineConformance : public LabTest {};

// MUST-55: it goes where all goes that is not Braid's, and the connection does not notice.
TEST_F(EngineConformance, SourceQuenchIsDroppedInSilence) {
  Lab& l = make({.scripted_client = true});
  l.server_host().listen(kServerPort, {.send = 100'000, .finish = false});
  Remote& c = l.remote(0, 30000);
  c.handshake();
  std::optional<Heard> data;
  while ((data = c.next(100ms)) && data->data.empty()) {
  }
  ASSERT_TRUE(data.has_value());
  l.world.run_for(10ms);
  c.skip();
  std::uint32_t cwnd = 0;
  const auto look = [&] {
    l.gateway->engine().for_each_connection([&](const tcp::Connection& it) {
      if (it.flow().local == l.listener()) cwnd = it.cwnd();
    });
    return cwnd;
  };
  const std::uint32_t before = look();
  Packet quench = too_big(data->packet, 1000);
  constexpr std::size_t kIcmp = 34;
  quench[kIcmp] = std::byte{4};
  quench[kIcmp + 1] = std::byte{0};
  std::uint32_t sum = 0;
  quench[kIcmp + 2] = quench[kIcmp + 3] = std::byte{0};
  for (std::size_t i = kIcmp; i + 1 < quench.size(); i += 2) sum += load_be<std::uint16_t>(quench.data() + i);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  store_be(quench.data() + kIcmp + 2, static_cast<std::uint16_t>(~sum));
  l.client_script->raw(0, quench);
  c.quiet(1ms);
  EXPECT_EQ(l.gateway->punted(), 1U);
  EXPECT_EQ(look(), before);
  EXPECT_EQ(l.gateway->counter(stats::Counter::tcp_mtu_lowered), 0U);
  c.say({});
  EXPECT_FALSE(c.expect({.flags = A}, 0ms, 50ms).data.empty());
}

// MUST-57
TEST_F(EngineConformance, SynsToBroadcastAndGroupAddressesAreDroppedInSilence) {
  for (const bool v6 : {false, true}) {
    Lab& l = make({.v6 = v6, .scripted_client = true});
    l.server_host().listen(kServerPort, {.echo = true});
    const Ip all[] = {v6 ? Ip::v6(0xff02ULL << 48, 1) : Ip::v4(0xffffffff),
                      v6 ? Ip::v6(0xff0eULL << 48, 0x101) : Ip::v4(0xe0000001),
                      v6 ? Ip::v6(0xff05ULL << 48, 2) : Ip::v4(0xc61200ff)};
    for (const Ip& to : all)
      l.client_script->raw(
          0, Script::build({{l.client_ip(0), 30000}, {to, kListenPort}}, {.flags = S}, 1, 0, {}));
    l.world.run_for(5s);
    EXPECT_TRUE(l.client_script->strays().empty()) << describe(l.client_script->strays()[0]);
    EXPECT_EQ(l.gateway->in_use(), 0U);
    EXPECT_EQ(l.gateway->punted(), 3U) << "the kernel knows what to do with them";
  }
}

}  // namespace
}  // namespace braid::kit
