#include "servers.hpp"

#include <array>

namespace braid::perf {

namespace {
constexpr std::size_t kLegPorts = engine::kEndServerLegPort - engine::kFirstServerLegPort;
constexpr std::uint8_t kScale = 8;
constexpr std::uint16_t kWindow = 0x4000;  // 4 MiB
constexpr Ip kEngine = Ip::v4(0xc613fe01);
}  // namespace

Servers::Servers(World& world, unsigned count, std::uint16_t response)
    : world_(world),
      maker_(world, kServers),
      connections_(count * kLegPorts),
      payload_(1460),
      response_(response) {
  order_.resize(connections_.size());  // touched now, so that no measurement sees it grow
  order_.clear();
  for (std::size_t i = 0; i < payload_.size(); ++i) payload_[i] = static_cast<std::byte>(i * 7);
}

Servers::Connection& Servers::of(const Flow& flow) {
  const std::size_t index = flow.local.ip.v4() - server(0).ip.v4();
  Connection& c = connections_.at(index * kLegPorts + flow.remote.port - engine::kFirstServerLegPort);
  c.server = static_cast<std::uint8_t>(index);
  c.port = flow.remote.port;
  return c;
}

void Servers::answer(Connection& c, std::uint8_t flags, ByteView payload) {
  wire::FrameOut out;
  out.flow = {server(c.server), {kEngine, c.port}};
  out.seq = c.next;
  out.ack = c.received;
  out.window = kWindow;
  out.flags = flags;
  wire::OptionBuffer o;
  if ((flags & wire::kSyn) != 0) {
    out.window = 0xffff;
    o.mss(1460);
    o.sack_permitted();
    o.timestamps(millis(world_.now()), c.echo);
    o.window_scale(kScale);
  } else {
    o.timestamps(millis(world_.now()), c.echo);
  }
  maker_.offer(out, o, payload);
  c.next += static_cast<std::uint32_t>(payload.size()) + ((flags & (wire::kSyn | wire::kFin)) != 0 ? 1U : 0U);
}

void Servers::see(const wire::TcpFrame& f) {
  Connection& c = of(f.flow);
  if (f.has(wire::kSyn)) {
    const std::uint8_t number = c.server;
    const std::uint16_t port = c.port;
    c = Connection{};
    c.server = number;
    c.port = port;
    c.known = true;
    c.scale = f.options.window_scale;
    c.next = c.unacknowledged = SubSeq(0x10000U * c.port);
    c.received = f.seq + 1;
    c.echo = f.options.ts_value;
    return answer(c, wire::kSyn | wire::kAck, {});
  }
  if (!c.known) throw Broken("a segment for a server connection that does not exist: " + to_string(f));
  c.echo = f.options.ts_value;
  c.window = static_cast<std::uint32_t>(f.window) << c.scale;
  c.unacknowledged = later(c.unacknowledged, f.ack);
  if (!c.open) {
    c.open = true;
    order_.push_back(static_cast<std::size_t>(&c - connections_.data()));
  }
  if (f.payload_length == 0 && !f.has(wire::kFin)) return;
  if (f.seq != c.received) throw Broken("a hole before a server: " + to_string(f));
  c.received += f.seq_length();
  if (f.has(wire::kFin)) return answer(c, wire::kFin | wire::kAck, {});
  answer(c, response_ != 0 ? wire::kPsh | wire::kAck : wire::kAck, ByteView{payload_}.first(response_));
}

bool Servers::send(std::size_t index, std::uint16_t length) {
  Connection& c = connections_[order_[index]];
  if (static_cast<std::uint32_t>(c.next - c.unacknowledged) + length > c.window) return false;
  store_be(payload_.data(), c.sent);
  c.sent += length;
  answer(c, wire::kAck, ByteView{payload_}.first(length));
  return true;
}

}  // namespace braid::perf
