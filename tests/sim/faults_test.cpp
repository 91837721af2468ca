// Paths that die and come back, and middleboxes that meddle.
#include <cstdio>

#include "kit/lab.hpp"

namespace braid::kit {
namespace {

using stats::Counter;

constexpr std::uint64_t kDown = 3'000'000;

class Faults : public LabTest {
 protected:
  // A download of some seconds over a faster and a slower path.
  App& download(std::uint64_t seed = 1, const LabSpec& like = {}, std::uint64_t bytes = kDown) {
    LabSpec spec = like;
    spec.seed = seed;
    spec.access = {{.name = "a", .rate = 8e6, .delay = 10ms, .queue = 60'000},
                   {.name = "b", .rate = 4e6, .delay = 30ms, .queue = 60'000}};
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.send = bytes, .send_key = 2, .expect_key = 1});
    return l.fetch({.send = 1000, .expect_key = 2});
  }
  void expect_whole(App& app, std::uint64_t bytes = kDown) {
    ASSERT_TRUE(lab().run([&] { return app.released(); }, 120s)) << "stuck at " << app.received();
    EXPECT_TRUE(app.ended_cleanly()) << "failure " << static_cast<int>(app.failure());
    EXPECT_EQ(app.received(), bytes);
    EXPECT_EQ(app.wrong_at(), kNoLimit);
  }
};

TEST_F(Faults, TwoPathsTogetherAreFasterThanEither) {
  constexpr std::uint64_t kLong = 12'000'000;
  App& app = download(1, {}, kLong);
  expect_whole(app, kLong);
  const double seconds = static_cast<double>((app.last_byte_at() - lab().world.start()).count()) * 1e-9;
  EXPECT_GE(kLong * 8 / seconds, 0.85 * 12e6);
}

TEST_F(Faults, SilentCutOfTheFasterPath) {
  for (const unsigned which : {0U, 1U}) {
    App& app = download();
    lab().world.at(800ms, [this, which] { lab().access(which).cut(); });
    expect_whole(app);
    EXPECT_LT(app.longest_gap(), 1500ms);
    EXPECT_GT(lab().gateway->counter(Counter::mptcp_reinjected_segments), 0U);
    EXPECT_EQ(lab().gateway->counter(Counter::mptcp_subflows_stale), 1U);
  }
}

TEST_F(Faults, CutPathComesBackAndIsUsedAgain) {
  App& app = download();
  std::uint64_t at_return = 0;
  lab().world.at(500ms, [this] { lab().access(0).cut(); });
  lab().world.at(1500ms, [&, this] {
    lab().access(0).uncut();
    at_return = lab().access(0).delivered_bytes(false);
  });
  expect_whole(app);
  EXPECT_GT(lab().access(0).delivered_bytes(false), at_return + 300'000) << "not used again";
  EXPECT_GE(lab().gateway->counter(Counter::mptcp_subflows_recovered), 1U);
}

// Both ends lose their subflow at an announced address with its link, and the download goes on over the
// other; the address is announced again when the link is back, and a new join there is used.
TEST_F(Faults, LinkOfAnAnnouncedAddressGoesAndComesBack) {
  for (const unsigned workers : {1U, 2U}) {
    Lab& l = make({.workers = workers,
                   .access = {{.name = "a", .rate = 4e6, .delay = 10ms, .queue = 60'000},
                              {.name = "b", .rate = 8e6, .delay = 10ms, .queue = 60'000}},
                   .tune = [](relay::Settings& r, engine::Settings&) {
                     r.listeners[0].announce_addresses = {Endpoint{Ip::v4(0xc6120201), 0}};
                   }});
    l.server_host().listen(kServerPort, {.send = 8 * kDown, .send_key = 2, .expect_key = 1});
    App& app = l.fetch({.send = 1000, .expect_key = 2}, false);
    const auto join = [&] { l.client->join(app, 1, {l.own_ip(1), kListenPort}); };
    const auto announced = [&l] { return l.client->stats().counters[Counter::mptcp_add_addr_received]; };
    l.world.at(200ms, join);
    l.world.at(2s, [&l] { l.set_link(1, false); });
    std::uint64_t before = 0;
    l.world.at(20s, [&] {
      EXPECT_EQ(l.client->stats().counters[Counter::mptcp_remove_addr_received], 1U);
      EXPECT_EQ(Host::session_of(app).subflow_count(), 1U);
      EXPECT_EQ(announced(), 1U);
      l.set_link(1, true);
      before = l.access(1).delivered_bytes(false);
    });
    l.world.at(22s, [&] {
      EXPECT_EQ(announced(), 2U);
      join();
    });
    expect_whole(app, 8 * kDown);
    EXPECT_GT(l.access(1).delivered_bytes(false), before + 300'000) << "not used again";
    EXPECT_EQ(l.gateway->counter(Counter::mptcp_remove_addr_sent), 1U);
  }
}

TEST_F(Faults, BothPathsCutForTenSeconds) {
  App& app = download();
  lab().world.at(600ms, [this] {
    lab().access(0).cut();
    lab().access(1).cut();
  });
  lab().world.at(10'600ms, [this] {
    lab().access(0).uncut();
    lab().access(1).uncut();
  });
  expect_whole(app);
}

TEST_F(Faults, OneDirectionDies) {
  for (const bool forward : {true, false}) {
    App& app = download();
    lab().world.at(600ms, [this, forward] {
      if (forward) {
        lab().access(0).cut_forward(true);
      } else {
        lab().access(0).cut_backward(true);
      }
    });
    expect_whole(app);
  }
}

TEST_F(Faults, PathWithASmallerMtuTakesOver) {
  LabSpec spec{.access = {{.name = "a", .rate = 8e6, .delay = 10ms, .queue = 60'000},
                          {.name = "b", .rate = 4e6, .delay = 30ms, .queue = 60'000, .mtu = 1300}}};
  Lab& l = make(spec);
  l.server_host().listen(kServerPort, {.send = kDown, .send_key = 2, .expect_key = 1});
  App& app = l.fetch({.send = 1000, .expect_key = 2});
  l.world.at(800ms, [&l] { l.access(0).cut(); });
  expect_whole(app);
  EXPECT_LT(app.longest_gap(), 1500ms);
}

TEST_F(Faults, LostWindowUpdateIsAskedFor) {
  Lab& l = make();
  l.client->budget = 20'000;
  l.server_host().listen(kServerPort, {.send = 200'000, .send_key = 2});
  App& app = l.fetch({.send = 10, .expect_key = 2, .stop_reading_at = 1000}, false);
  l.world.run_for(5s);
  EXPECT_LT(app.received(), 20'000U);
  l.access(0).cut_forward(true);  // the client reads on, and what it says about it is lost
  app.resume_reading();
  app.touch(l.client->context());
  l.world.run_for(100ms);
  l.access(0).cut_forward(false);
  expect_whole(app, 200'000);
}

TEST_F(Faults, JoinRescuesASessionWhoseOnlyPathDied) {
  Lab& l = make(
      {.access = {{.name = "a", .rate = 8e6, .delay = 10ms}, {.name = "b", .rate = 8e6, .delay = 10ms}}});
  l.server_host().listen(kServerPort, {.send = kDown, .send_key = 2});
  App& app = l.fetch({.send = 10, .expect_key = 2}, false);
  l.world.at(500ms, [&l] { l.access(0).cut(); });
  l.world.run_for(20s);  // the dead path's next time-out is far away by now
  const auto before = app.received();
  ASSERT_NE(l.client->join(app, 1, l.listener()), nullptr);
  l.world.run_for(1s);
  EXPECT_GT(app.received(), before + 100'000) << "waits for the time-out of the path that died";
  expect_whole(app);
}

TEST_F(Faults, SlotOfADeadPathDoesNotBlockItsHeir) {
  Lab& l = make({.access = {{.name = "a", .rate = 8e6, .delay = 10ms, .queue = 60'000},
                            {.name = "b", .rate = 8e6, .delay = 12ms, .queue = 60'000},
                            {.name = "c", .rate = 8e6, .delay = 14ms, .queue = 60'000}}});
  l.server_host().listen(kServerPort, {.send = kDown, .send_key = 2});
  App& app = l.fetch({.send = 10, .expect_key = 2}, false);
  l.world.run_for(300ms);
  ASSERT_NE(l.client->join(app, 1, l.listener()), nullptr);
  l.world.run_for(500ms);
  l.access(0).cut();
  l.world.run_for(200ms);  // what a carried has been copied to b
  l.access(1).cut_forward(true);
  l.world.run_for(30ms);
  l.access(1).cut_forward(false);
  Host::session_of(app).subflow(1)->reset(l.client->context());
  l.world.run_for(20ms);
  const auto before = app.received();
  ASSERT_NE(l.client->join(app, 2, l.listener()), nullptr);
  l.world.run_for(2s);
  EXPECT_GT(app.received(), before + 500'000);
  expect_whole(app);
}

TEST_F(Faults, SecondPathDeadFromTheStart) {
  App& app = download();
  lab().access(1).cut();
  expect_whole(app);
  EXPECT_EQ(lab().gateway->joins(stats::Join::ok), 0U);
}

TEST_F(Faults, OptionsStrippedFromTheSyn) {
  App& app = download();
  lab().access(0).set_middlebox([](Packet& p, const wire::TcpFrame& f, bool) {
    if (f.has(wire::kSyn)) p = strip_mptcp(p, f);
    return true;
  });
  expect_whole(app);
  EXPECT_EQ(lab().gateway->counter(Counter::client_accepted_tcp), 1U);
}

TEST_F(Faults, OptionsStrippedFromEverythingButTheSyn) {
  for (const bool forward : {true, false}) {
    App& app = download();
    lab().access(0).set_middlebox([forward](Packet& p, const wire::TcpFrame& f, bool to_gateway) {
      if (!f.has(wire::kSyn) && to_gateway == forward) p = strip_mptcp(p, f);
      return true;
    });
    ASSERT_TRUE(lab().run([&] { return app.released(); }, 120s)) << "hangs at " << app.received();
    EXPECT_EQ(app.wrong_at(), kNoLimit);
    if (app.ended_cleanly()) {
      EXPECT_EQ(app.received(), kDown);
    }
  }
}

TEST_F(Faults, OptionsStrippedInMidStreamDoNotCorrupt) {
  App& app = download();
  lab().access(1).set_middlebox([this](Packet& p, const wire::TcpFrame& f, bool) {
    if (lab().world.elapsed() > 500ms) p = strip_mptcp(p, f);
    return true;
  });
  ASSERT_TRUE(lab().run([&] { return app.released(); }, 300s)) << "hangs at " << app.received();
  EXPECT_TRUE(app.ended_cleanly());
  EXPECT_EQ(app.wrong_at(), kNoLimit);
}

TEST_F(Faults, ChangedPayloadIsFoundByTheChecksum) {
  LabSpec spec;
  spec.tune = [](relay::Settings& r, engine::Settings&) { r.listeners[0].profile.require_checksum = true; };
  App& app = download(1, spec);
  unsigned changed = 0;
  lab().access(1).set_middlebox([&](Packet& p, const wire::TcpFrame& f, bool) {
    if (f.payload_length > 100 && lab().world.elapsed() > 500ms && changed < 3) {
      const ByteView old = payload_of(p, f);
      Packet payload(old.begin(), old.end());
      payload[50] ^= std::byte{0x40};
      const ByteView o = options_of(p, f);
      const Packet options(o.begin(), o.end());
      p = rewrite(p, options, payload);
      ++changed;
    }
    return true;
  });
  expect_whole(app);
  EXPECT_GT(changed, 0U);
}

TEST_F(Faults, FirstFinsAndDataFinsAreLost) {
  App& app = download();
  unsigned lost = 0;
  lab().access(0).set_middlebox([&lost](Packet&, const wire::TcpFrame& f, bool) {
    const bool ends =
        f.has(wire::kFin) || (f.options.mptcp.has(wire::kMpDss) && f.options.mptcp.dss.data_fin);
    return !(ends && ++lost <= 6);
  });
  expect_whole(app);
  lab().world.run_for(200s);
  EXPECT_EQ(lab().gateway->in_use(), 0U);
}

TEST_F(Faults, SameSeedSameRun) {
  std::vector<std::vector<Captured>> runs;
  for (int i = 0; i < 2; ++i) {
    LabSpec spec{.seed = 42};
    spec.access = {{.name = "a", .rate = 8e6, .delay = 10ms, .loss = 0.02, .reorder = 0.1}, {.name = "b"}};
    Lab& l = make(spec);
    l.server_host().listen(kServerPort, {.send = 100'000, .send_key = 2});
    App& app = l.fetch({.send = 1000, .expect_key = 2});
    ASSERT_TRUE(l.run([&] { return app.released(); }));
    runs.push_back(l.access(0).captured());
  }
  ASSERT_EQ(runs[0].size(), runs[1].size());
  for (std::size_t i = 0; i < runs[0].size(); ++i) {
    ASSERT_EQ(runs[0][i].at, runs[1][i].at);
    ASSERT_EQ(runs[0][i].packet, runs[1][i].packet);
  }
}

TEST_F(Faults, CaptureOpensInTshark) {
  ASSERT_EQ(std::system("command -v tshark > /dev/null 2>&1"), 0) << "scripts/setup check installs tshark";
  App& app = download();
  expect_whole(app);
  const std::string name = ::testing::TempDir() + "braid-capture-test.pcapng";
  const auto& packets = lab().access(0).captured();
  ASSERT_TRUE(write_pcapng(name, "a", packets));
  const std::string command =
      "tshark -n -r " + name +
      " -o tcp.check_checksum:TRUE -T fields -e frame.interface_name -e tcp.checksum.status 2> /dev/null";
  std::FILE* out = popen(command.c_str(), "r");
  ASSERT_NE(out, nullptr);
  std::array<char, 200> line;
  std::size_t lines = 0;
  while (std::fgets(line.data(), line.size(), out) != nullptr) {
    EXPECT_STREQ(line.data(), "a\t1\n");
    ++lines;
  }
  EXPECT_EQ(pclose(out), 0);
  EXPECT_EQ(lines, packets.size());
  std::remove(name.c_str());
}

}  // namespace
}  // namespace braid::kit
