// Fixture of the tests that are named after the rules of the protocol notes: a scripted client, an echo
// server.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "kit/mp_client.hpp"
#include "wire/checksum.hpp"

namespace braid::kit {

class MptcpRules : public LabTest {
 protected:
  using Tune = std::function<void(relay::Settings&, engine::Settings&)>;

  Lab& scripted(const Tune& tune = {}, const Plan& server = {.echo = true}) {
    Lab& l = make({.scripted_client = true, .tune = tune});
    l.server_host().listen(kServerPort, server);
    return l;
  }
  // The program at the server, after what is on its way has arrived.
  App& at_server() {
    lab().world.run_for(1ms);
    return *lab().server_host().accepted().at(0);
  }

  // Whether what the client sends plainly comes back plainly.
  static void expect_plain_echo(Remote& c) {
    c.say({.data = "plain"});
    while (const auto h = c.next(200ms)) {
      EXPECT_EQ(h->mp().present, 0) << "an MPTCP option after fallback: " << describe(*h);
      if (h->data == "plain") return;
    }
    ADD_FAILURE() << "no echo";
  }
  static void expect_reset(Remote& c, std::uint8_t reason) {
    const auto h = c.next(1ms);
    ASSERT_TRUE(h.has_value()) << "no RST";
    EXPECT_TRUE(h->has(R)) << describe(*h);
    ASSERT_TRUE(h->mp().has(wire::kMpTcprst)) << describe(*h);
    EXPECT_EQ(h->mp().tcprst.reason, reason);
  }
  // Bytes up on one subflow, and their echo on the other.
  static void echo(MpClient& m, Remote& up, Remote& down, std::uint64_t at, const std::string& text) {
    m.data(up, at, text, at);
    while (const auto h = down.next(200ms)) {
      if (h->data.empty()) continue;
      EXPECT_EQ(h->data, text);
      EXPECT_EQ(m.mapped_in(*h), static_cast<std::int64_t>(at));
      down.say({.options = m.ack(at + text.size())});
      return;
    }
    ADD_FAILURE() << "no echo of " << text;
  }
};

}  // namespace braid::kit
