#include "world.hpp"

#include <rte_mbuf.h>

#include <string>

#include "clock.hpp"

namespace braid::perf {

namespace {

constexpr Ip kService = Ip::v4(0xc612fe01);     // 198.18.254.1
constexpr Ip kServerSide = Ip::v4(0xc613fe01);  // 198.19.254.1

void add_route(wire::RouteTable& routes, Port port, Ip network) {
  routes.add_link(port, {.port = port, .up = true, .mtu = 1500, .mac = engine_mac(port)});
  wire::RouteTable::Route route;
  route.prefix = {network, 16};
  route.link = port;
  route.gateway = Ip::v4(network.v4() | 0xfffe);
  routes.add_route(route);
  routes.add_neighbour(port, route.gateway, peer_mac(port));
}

}  // namespace

Mac engine_mac(Port port) { return Mac{{2, 0, 0, 0, 0, static_cast<std::uint8_t>(port)}}; }
Mac peer_mac(Port port) { return Mac{{2, 0, 0, 0, 1, static_cast<std::uint8_t>(port)}}; }
Endpoint service() { return {kService, 80}; }
Endpoint server(unsigned index) { return {Ip::v4(0xc6130001 + index), 80}; }  // 198.19.0.1 …

Loop::~Loop() {
  for (unsigned port = 0; port < kPorts; ++port) {
    rte_mbuf* frame = nullptr;
    while (in_[port].pop({&frame, 1}) != 0) rte_pktmbuf_free(frame);
    while (out_[port].pop({&frame, 1}) != 0) rte_pktmbuf_free(frame);
  }
}

void Loop::offer(Port port, rte_mbuf* frame) {
  if (!in_[port].push(frame)) throw Broken("the engine does not keep up with the models");
}

rte_mbuf* Loop::sent(Port port) {
  rte_mbuf* frame = nullptr;
  return out_[port].pop({&frame, 1}) != 0 ? frame : nullptr;
}

unsigned Loop::receive(unsigned port, rte_mbuf** frames, unsigned max) {
  return static_cast<unsigned>(in_[port].pop({frames, std::min(max, burst_)}));
}

unsigned Loop::transmit(unsigned port, rte_mbuf** frames, unsigned count) {
  unsigned taken = 0;
  while (taken < count && out_[port].push(frames[taken])) ++taken;
  return taken;
}

World::World(rte_mempool* buffers, std::uint32_t buffer_count, const WorldSettings& settings)
    : settings_(settings), buffers_(buffers), buffer_count_(buffer_count), loop_(settings.burst) {
  relay::Upstream upstream;
  upstream.name = "servers";
  for (unsigned i = 0; i < settings.servers; ++i) upstream.servers.push_back(server(i));
  upstream.sources.push_back(kServerSide);
  relay_.upstreams.push_back(upstream);
  relay::Listener listener;
  listener.name = "service";
  listener.binds.push_back(service());
  relay_.listeners.push_back(listener);

  add_route(routes_, kClients, Ip::v4(0xc6120000));
  add_route(routes_, kServers, Ip::v4(0xc6130000));
  routes_.add_address(kClients, {kService, 16});
  routes_.add_address(kServers, {kServerSide, 16});
  routes_.generation = 1;
}

void World::start() {
  engine::Settings s;
  s.relay = &relay_;
  s.buffers = buffers_;
  s.buffer_count = buffer_count_;
  s.connections = settings_.connections;
  s.handshakes = settings_.handshakes != 0 ? settings_.handshakes : settings_.connections;
  s.timeouts.time_wait = settings_.time_wait;
  s.secret = {0x0123456789abcdefULL, 0xfedcba9876543210ULL};
  s.checksum_offload_ports = settings_.offload ? 1U << kClients | 1U << kServers : 0;
  engine_ = std::make_unique<engine::Engine>(s, handoff_, now_);
  engine_->set_routes(&routes_);
}

void World::turn(Duration step) {
  now_ += step;
  const std::uint64_t begin = stamp();
  engine_->poll(now_, loop_);
  const std::uint64_t taken = stamp() - begin;
  ++turns_;
  if (taken < rte_get_tsc_hz() / kInterrupted) {
    cycles_ += taken;
  } else {
    ++interrupted_;
  }
  std::array<relay::AccessRecord, 64> records;
  while (engine_->records().pop(records) != 0) {
  }
}

void World::parse(rte_mbuf* frame, wire::TcpFrame& out) const {
  if (frame->nb_segs != 1) throw Broken("the engine sent a chain of buffers");
  const ByteView bytes{rte_pktmbuf_mtod(frame, const std::byte*), frame->data_len};
  const auto trust = verify_ ? wire::Trust::verify : wire::Trust::checksum_good;
  if (wire::parse_frame(bytes, trust, out) != wire::FrameKind::tcp)
    throw Broken("the engine sent a frame that is no right TCP segment");
  if (out.has(wire::kRst)) throw Broken("the engine reset a connection: " + to_string(out));
}

void World::expect_smooth() {
  const stats::WorkerStats& s = engine_->stats();
  std::uint64_t bad = s.counters[stats::Counter::tcp_retransmitted_segments] +
                      s.counters[stats::Counter::mptcp_reinjected_segments] +
                      s.counters[stats::Counter::tcp_resets_sent] +
                      s.counters[stats::Counter::options_ignored];
  for (std::size_t i = 0; i < stats::Table<stats::Fallback>::kSize; ++i)
    bad += s.fallbacks[static_cast<stats::Fallback>(i)];
  for (std::size_t i = 0; i < stats::Table<stats::Drop>::kSize; ++i)
    if (static_cast<stats::Drop>(i) != stats::Drop::after_close) bad += s.drops[static_cast<stats::Drop>(i)];
  if (bad != 0) throw Broken("something was lost or refused:\n" + describe(s));
}

namespace {
template <class Id>
void append(std::string& out, const stats::Table<Id>& table, const char* family) {
  for (std::size_t i = 0; i < stats::Table<Id>::kSize; ++i) {
    const auto id = static_cast<Id>(i);
    if (table[id] != 0)
      out += std::string(family) + " " + stats::describe(id).name + " " + std::to_string(table[id]) + "\n";
  }
}
}  // namespace

std::string describe(const stats::WorkerStats& stats) {
  std::string out;
  append(out, stats.drops, "drop");
  append(out, stats.counters, "counter");
  append(out, stats.fallbacks, "fallback");
  append(out, stats.joins, "join");
  append(out, stats.resets_sent, "reset sent");
  return out;
}

}  // namespace braid::perf
