#include "packetdrill/stack.hpp"

#include <algorithm>
#include <cstring>

#include "kit/eal.hpp"
#include "packetdrill/canonical.hpp"
#include "wire/icmp_error.hpp"
#include "wire/reset.hpp"

namespace braid::drill {

using stats::RstReason;

namespace {
constexpr Mac kOurs{{2, 0, 0, 0, 1, 0}};
constexpr Mac kGateway{{2, 0, 0, 0, 0, 0}};
// What a SYN can offer: more would be told in a segment of its own once the scale holds, and the relay too
// begins with less than it may use.
constexpr std::uint32_t kFirstWindow = 0xffff;
constexpr Instant kStart{std::chrono::seconds(100)};

void add_routes(wire::RouteTable& routes, std::uint16_t mtu) {
  routes.add_link(0, {.port = 0, .up = true, .mtu = mtu, .mac = kOurs});
  for (const bool v4 : {true, false}) {
    const Ip next = v4 ? Ip::v4(0xc6120001) : Ip::v6(0xfe80ULL << 48, 1);
    routes.add_neighbour(0, next, kGateway);
    routes.add_route({.prefix = {v4 ? Ip::v4(0) : Ip::v6(0, 0), 0},
                      .link = 0,
                      .gateway = next,
                      .source = {},
                      .mtu = 0,
                      .metric = 0});
  }
  routes.generation = 1;
}

kit::Packet with_ethernet(ByteView ip) {
  const bool v4 = !ip.empty() && std::to_integer<unsigned>(ip[0]) >> 4 == 4;
  kit::Packet p;
  for (const Mac& mac : {kOurs, kGateway})
    for (const std::uint8_t b : mac.bytes) p.push_back(std::byte{b});
  for (const unsigned b : {v4 ? 0x08U : 0x86U, v4 ? 0x00U : 0xddU}) p.push_back(static_cast<std::byte>(b));
  p.insert(p.end(), ip.begin(), ip.end());
  return p;
}
// Scripts inject segments as large as the kernel's GRO makes them.
rte_mbuf* large_frame(const kit::Packet& packet) {
  static rte_mempool* const large = [] {
    kit::pool();  // starts EAL
    return rte_pktmbuf_pool_create("large", 255, 0, tcp::kSegmentPrivSize, 0xfff0, SOCKET_ID_ANY);
  }();
  rte_mbuf* m = large == nullptr ? nullptr : rte_pktmbuf_alloc(large);
  char* room = m == nullptr ? nullptr : rte_pktmbuf_append(m, static_cast<std::uint16_t>(packet.size()));
  if (room != nullptr) {
    std::memcpy(room, packet.data(), packet.size());
  } else {
    rte_pktmbuf_free(m);
  }
  return room == nullptr ? nullptr : m;
}
}  // namespace

Stack::Stack(const Settings& settings)
    : settings_(settings),
      now_(kStart),
      rng_(1),
      wheel_(now_),
      ctx_{.now = now_,
           .stats = stats_,
           .wheel = wheel_,
           .buffers = kit::pool(),
           .sink = *this,
           .routes = &routes_,
           .rng = rng_,
           .secret = {rng_.next(), rng_.next()},
           .timeouts = {},
           .window_limit = 0x7fffffff} {
  add_routes(routes_, settings_.mtu);
  profile_.require_checksum = settings_.checksum;
  profile_.announce = settings_.announce;
}

Stack::~Stack() {
  flows_.clear();
  closed_.clear();
  sessions_.clear();
}

void Stack::advance(Instant to) {
  now_ = to;
  run();
}

void Stack::run() {
  do turn();
  while (!ctx_.touched.empty());
}

void Stack::turn() {
  ctx_.now = now_;
  wheel_.advance(now_, limits::kAlarmsPerTurn, [this](Alarm& alarm) {
    if (static_cast<tcp::AlarmKind>(alarm.kind) == tcp::AlarmKind::connection)
      return static_cast<tcp::Connection&>(alarm).on_alarm(ctx_);
    static_cast<mptcp::Session&>(alarm).on_alarm(ctx_);
  });
  while (tcp::Connection* c = ctx_.touched.pop_front()) c->output(ctx_);
  reap();
  while (tcp::Connection* c = ctx_.again.pop_front()) ctx_.touched.push_back(*c);
}

// A connection whose socket is still open is kept for it, but its name is free at once.
void Stack::reap() {
  while (tcp::Connection* c = ctx_.dead.pop_front()) {
    const auto* stream = dynamic_cast<tcp::PlainStream*>(c);
    const bool used = stream != nullptr && stream->user != nullptr;
    const auto it = flows_.find(c->flow());
    if (it != flows_.end() && it->second.get() == c) {
      if (used) closed_.push_back(std::move(it->second));
      flows_.erase(it);
    } else if (!used) {
      std::erase_if(closed_, [c](const auto& p) { return p.get() == c; });
    }
  }
  for (mptcp::Session* s : ended_)
    std::erase_if(sessions_, [s](const Held& h) { return h.session.get() == s; });
  ended_.clear();
}

void Stack::receive(ByteView ip_packet) {
  ctx_.now = now_;
  const kit::Packet frame = with_ethernet(ip_packet);
  wire::TcpFrame f;
  if (wire::parse_frame(frame, wire::Trust::verify, f) == wire::FrameKind::tcp) {
    dispatch(f, frame);
  } else if (const auto error = wire::parse_icmp_error(frame)) {
    const auto it = flows_.find(error->flow);
    if (it != flows_.end() && error->kind == wire::IcmpError::Kind::too_big)
      it->second->packet_too_big(ctx_, error->seq, error->mtu);
  }
  run();
}

void Stack::dispatch(const wire::TcpFrame& f, const kit::Packet& frame) {
  const bool syn = f.has(wire::kSyn) && !f.has(wire::kAck) && !f.has(wire::kRst);
  auto it = flows_.find(f.flow);
  if (it != flows_.end() && syn && it->second->may_reopen(f)) {
    it->second->vanish(ctx_, tcp::Failure::none);
    reap();
    it = flows_.find(f.flow);
  }
  if (it != flows_.end()) {
    tcp::Connection& c = *it->second;
    const SubSeq before = c.receive_next();
    rte_mbuf* m = large_frame(frame);
    if (m != nullptr) c.receive(ctx_, f, m);
    // As Linux does it in a young connection, and scripts expect it; how long to wait is each receiver's
    // choice.
    if (c.synchronised() && c.receive_next() != before) c.ack_soon(ctx_);
    return;
  }
  if (syn && f.options.mptcp.has(wire::kMpJoinSyn)) return join(f);
  const auto l = listeners_.find(f.flow.local.port);
  if (!syn || l == listeners_.end()) return refuse(f);
  accept(f, l->second);
}

mptcp::Session& Stack::new_session(const Endpoint& first) {
  const std::uint64_t key = rng_.next();
  sessions_.push_back({std::make_unique<mptcp::Session>(static_cast<mptcp::SessionOwner&>(*this), profile_,
                                                        key, mptcp::hash_key(key), settings_.buffer),
                       first});
  sessions_.back().session->set_congestion(settings_.congestion);
  return *sessions_.back().session;
}

// Which offers are taken is Engine::declines()'.
void Stack::accept(const wire::TcpFrame& f, const Listening& listening) {
  const auto& o = f.options.mptcp;
  const wire::MpCapable& c = o.capable;
  const bool mptcp = listening.mptcp && o.has(wire::kMpCapable) && c.version != 0 && !c.extension &&
                     c.hmac_sha256 && c.keys == 0;
  std::unique_ptr<tcp::Connection> made;
  tcp::Stream* stream = nullptr;
  if (mptcp) {
    mptcp::Session& session = new_session(f.flow.local);
    if (c.checksum_required) session.peer_wants_checksum();
    auto sf = std::make_unique<mptcp::Subflow>(f.flow, settings_.congestion, mptcp::Origin::capable_passive);
    session.attach(*sf);
    stream = &session;
    made = std::move(sf);
  } else {
    auto s = std::make_unique<tcp::PlainStream>(f.flow, settings_.congestion);
    stream = s.get();
    made = std::move(s);
  }
  tcp::Connection& connection = *made;
  flows_[f.flow] = std::move(made);
  listening.backlog->opening(*stream, f.flow.remote);
  connection.accept(ctx_, f, settings_.buffer);
  stream->set_budget(kFirstWindow);
}

// RFC 8684 3.2; addresses as of Engine::local_address_id().
void Stack::join(const wire::TcpFrame& f) {
  const std::uint32_t token = f.options.mptcp.join.token;
  const auto held = std::find_if(sessions_.begin(), sessions_.end(),
                                 [=](const Held& h) { return h.session->token() == token; });
  if (held == sessions_.end() || !held->session->may_join()) return refuse(f, RstReason::mptcp);
  std::uint8_t id = 0;
  if (f.flow.local != held->first) {
    const auto& a = settings_.announce;
    const auto it =
        std::find_if(a.begin(), a.end(), [&](const Endpoint& e) { return e.ip == f.flow.local.ip; });
    if (it == a.end()) return refuse(f, RstReason::prohibited);
    id = static_cast<std::uint8_t>(it - a.begin() + 1);
  }
  auto sf = std::make_unique<mptcp::Subflow>(f.flow, settings_.congestion, mptcp::Origin::join_passive);
  if (!held->session->attach(*sf)) return refuse(f, RstReason::resources);
  mptcp::Subflow& subflow = *sf;
  flows_[f.flow] = std::move(sf);
  subflow.set_join(f.options.mptcp.join, id, rng_.next32());
  subflow.accept(ctx_, f, settings_.buffer);
}

tcp::Stream* Stack::connect(const Endpoint& to, std::uint16_t from_port, bool mptcp,
                            std::uint16_t max_segment) {
  const Flow flow{{to.ip.is_v4() ? settings_.local_v4 : settings_.local_v6, from_port}, to};
  std::unique_ptr<tcp::Connection> made;
  tcp::Stream* stream = nullptr;
  if (mptcp) {
    mptcp::Session& session = new_session(flow.local);
    auto sf = std::make_unique<mptcp::Subflow>(flow, settings_.congestion, mptcp::Origin::capable_active);
    session.attach(*sf);
    stream = &session;
    made = std::move(sf);
  } else {
    auto s = std::make_unique<tcp::PlainStream>(flow, settings_.congestion);
    stream = s.get();
    made = std::move(s);
  }
  tcp::Connection& connection = *made;
  flows_[flow] = std::move(made);
  if (settings_.ecn) connection.ask_for_ecn();
  connection.connect(context(), max_segment, settings_.buffer);
  stream->set_budget(kFirstWindow);
  return stream;
}

// RFC 9293 3.10.7.1: what no connection takes is answered by a reset, unless it is one.
void Stack::refuse(const wire::TcpFrame& f, std::optional<RstReason> reason) {
  if (f.has(wire::kRst)) return;
  wire::FrameOut out = wire::reset_for(f);
  out.source = kOurs;
  out.destination = kGateway;
  wire::OptionBuffer o;
  if (reason) o.mp_tcprst({.transient = false, .reason = static_cast<std::uint8_t>(*reason)});
  kit::Packet p(wire::kMaxHeaders);
  const std::size_t n = wire::write_headers(p.data() + p.size(), out, o.padded(), wire::ChecksumMode::full);
  p.erase(p.begin(), p.end() - static_cast<std::ptrdiff_t>(n));
  sent_.push_back({now_, canonical(p, settings_.stamps)});
}

void Stack::send(unsigned, rte_mbuf* frame) {
  sent_.push_back({now_, canonical(kit::packet_of(frame), settings_.stamps)});
  rte_pktmbuf_free(frame);
}

void Stack::send_unresolved(const wire::Hop&, rte_mbuf* frame) { send(0, frame); }

void Stack::session_ended(tcp::Context&, mptcp::Session& session) { ended_.push_back(&session); }

std::optional<Stack::Sent> Stack::take_sent() {
  if (sent_.empty()) return {};
  Sent s = std::move(sent_.front());
  sent_.pop_front();
  return s;
}

}  // namespace braid::drill
