#include "clients.hpp"

#include "mptcp/crypto.hpp"

namespace braid::perf {

namespace {

constexpr std::uint8_t kScale = 8;
constexpr std::uint16_t kWindow = 0x4000;  // 4 MiB
constexpr std::uint32_t kPortsPerAddress = 60000;
constexpr std::uint16_t kFirstPort = 1024;
constexpr std::uint32_t kLegNetwork = 0xc6120001;  // 198.18.0.1, second subflow 198.18.128.1

}  // namespace

Clients::Clients(World& world, const Script& script, std::size_t slots)
    : world_(world), maker_(world, kClients), script_(script), clients_(slots), request_(script.request) {}

Endpoint Clients::endpoint(const Client& c, unsigned leg) const {
  const auto high = static_cast<std::uint32_t>(c.id / kPortsPerAddress);
  return {Ip::v4(kLegNetwork + leg * 0x8000U + high),
          static_cast<std::uint16_t>(kFirstPort + c.id % kPortsPerAddress)};
}

Clients::Client& Clients::of(const Endpoint& end, unsigned& leg) {
  const std::uint32_t host = end.ip.v4() - kLegNetwork;
  leg = (host & 0x8000U) != 0 ? 1 : 0;
  const std::uint64_t id = (host & 0x7fffU) * std::uint64_t{kPortsPerAddress} + end.port - kFirstPort;
  Client& c = clients_[id % clients_.size()];
  if (c.id != id) throw Broken("a segment for a client that is gone");
  return c;
}

void Clients::open() {
  Client& c = clients_[opened_ % clients_.size()];
  if (c.id != ~0ULL) throw Broken("more clients at a time than there are slots");
  c = Client{};
  c.id = opened_++;
  c.key = rng_.next();
  c.next = mptcp::hash_key(c.key).idsn + 1;
  send_syn(c, 0);
}

void Clients::send(Client& c, unsigned leg, std::uint8_t flags, wire::OptionBuffer& o, ByteView payload) {
  Leg& l = c.legs[leg];
  wire::FrameOut out;
  out.flow = {endpoint(c, leg), service()};
  out.seq = l.next;
  out.flags = flags;
  out.window = (flags & wire::kSyn) != 0 ? 0xffff : leg == 0 && first_window_ != 0 ? first_window_ : kWindow;
  if ((flags & wire::kAck) != 0) out.ack = l.received;
  maker_.offer(out, o, payload);
  l.next += static_cast<std::uint32_t>(payload.size()) + ((flags & (wire::kSyn | wire::kFin)) != 0 ? 1U : 0U);
  l.unacknowledged = 0;
}

void Clients::begin_options(Client& c, unsigned leg, wire::OptionBuffer& o) {
  o.timestamps(millis(world_.now()), c.legs[leg].echo);
}

void Clients::send_syn(Client& c, unsigned leg) {
  c.legs[leg].next = SubSeq(rng_.next32());
  wire::OptionBuffer o;
  o.mss(1460);
  o.sack_permitted();
  begin_options(c, leg, o);
  o.window_scale(kScale);
  if (leg == 0) {
    o.mp_capable({});
  } else {
    wire::MpJoin j;
    j.address_id = 1;
    j.token = c.token;
    j.nonce = c.legs[leg].nonce = rng_.next32();
    o.mp_join_syn(j);
  }
  send(c, leg, wire::kSyn, o, {});
}

// The SYN/ACK has come.
void Clients::synchronised(Client& c, unsigned leg, const wire::TcpFrame& f) {
  Leg& l = c.legs[leg];
  const auto& m = f.options.mptcp;
  l.open = true;
  l.received = l.peer_first = f.seq + 1;
  l.echo = f.options.ts_value;
  wire::OptionBuffer o;
  begin_options(c, leg, o);
  if (leg == 0) {
    if (!m.has(wire::kMpCapable) || m.capable.keys != 1) throw Broken("a client is served without MPTCP");
    c.peer_key = m.capable.sender_key;
    const auto peer = mptcp::hash_key(c.peer_key);
    c.token = peer.token;
    c.received = c.first_received = peer.idsn + 1;
    wire::MpCapable mine;
    mine.keys = 2;
    mine.sender_key = c.key;
    mine.receiver_key = c.peer_key;
    o.mp_capable(mine);
    send(c, leg, wire::kAck, o, {});
    if (script_.request != 0) send_request(c);
    return;
  }
  const bool right =
      m.has(wire::kMpJoinSynAck) &&
      m.join.hmac64 == mptcp::left64(mptcp::join_hmac({c.peer_key, c.key, m.join.nonce, l.nonce}));
  if (!right) throw Broken("the engine's HMAC on a join is wrong");
  wire::MpJoin mine;
  mine.hmac160 = mptcp::left160(mptcp::join_hmac({c.key, c.peer_key, l.nonce, m.join.nonce}));
  o.mp_join_ack(mine);
  send(c, leg, wire::kAck, o, {});
}

// The first data go with MP_CAPABLE once more (RFC 8684 3.1).
void Clients::send_request(Client& c) {
  wire::OptionBuffer o;
  begin_options(c, 0, o);
  wire::MpCapable mine;
  mine.keys = 2;
  mine.sender_key = c.key;
  mine.receiver_key = c.peer_key;
  mine.has_data_length = true;
  mine.data_length = script_.request;
  o.mp_capable(mine);
  send(c, 0, wire::kPsh | wire::kAck, o, request_);
  c.next += script_.request;
  c.asked = true;
}

void Clients::send_ack(Client& c, unsigned leg, std::uint8_t flags, bool data_fin) {
  wire::OptionBuffer o;
  begin_options(c, leg, o);
  wire::Dss d;
  d.has_ack = true;
  d.data_ack = c.received.raw;
  if (data_fin) {
    d.has_map = d.dsn_is_8 = d.data_fin = true;
    d.dsn = c.next.raw;
    d.length = 1;
  }
  o.dss(d);
  send(c, leg, flags, o, {});
}

void Clients::take_data_level(Client& c, const wire::TcpFrame& f) {
  const wire::Dss& d = f.options.mptcp.dss;
  if (!f.options.mptcp.has(wire::kMpDss)) return;
  if (d.has_ack && c.fin_sent) {
    const DataSeq ack =
        d.ack_is_8 ? DataSeq(d.data_ack) : expand(static_cast<std::uint32_t>(d.data_ack), c.next);
    c.fin_acked = c.fin_acked || ack == c.next + 1;
  }
  if (!d.has_map) return;
  const DataSeq dsn = d.dsn_is_8 ? DataSeq(d.dsn) : expand(static_cast<std::uint32_t>(d.dsn), c.received);
  if (d.data_fin) {
    if (!c.peer_fin && dsn == c.received) c.received += 1;
    c.peer_fin = true;
    return;
  }
  if (dsn != c.received || d.length != f.payload_length) throw Broken("data out of order: " + to_string(f));
  c.received += f.payload_length;
  c.got += f.payload_length;
}

void Clients::see(const wire::TcpFrame& f) {
  unsigned leg = 0;
  Client& c = of(f.flow.local, leg);
  Leg& l = c.legs[leg];
  if (f.has(wire::kSyn)) {
    synchronised(c, leg, f);
    return progress(c, leg, false);
  }
  if (!l.open) throw Broken("a segment before the SYN/ACK: " + to_string(f));
  l.echo = f.options.ts_value;
  if (f.seq_length() != 0 && f.seq != l.received) throw Broken("a hole before a client: " + to_string(f));
  const bool had_fin = c.peer_fin;
  l.received += f.seq_length();
  take_data_level(c, f);
  l.fin_seen = l.fin_seen || f.has(wire::kFin);
  l.fin_acked = l.fin_acked || (l.fin_sent && f.ack == l.next);
  if (leg == 1) c.joined = true;
  progress(c, leg, f.seq_length() != 0 || (c.peer_fin && !had_fin));
}

void Clients::progress(Client& c, unsigned leg, bool answer) {
  const bool asked = script_.request == 0 || (c.asked && c.got >= script_.response);
  const bool known = script_.request == 0 ? c.legs[0].open : c.got != 0;
  if (script_.join && !c.joining && known) {
    c.joining = true;
    send_syn(c, 1);
  }
  const bool whole = c.legs[0].open && (!script_.join || c.joined);
  if (whole && !c.counted) {
    c.counted = true;
    ++ready_;
  }
  if (script_.close && whole && asked && !c.fin_sent) {
    c.fin_sent = true;
    send_ack(c, 0, wire::kAck, true);
    answer = answer && leg != 0;
  }
  const bool ending = c.peer_fin && c.fin_acked;
  if (answer && !ending) send_ack(c, leg);
  if (!ending) return;
  bool done = true;
  for (unsigned i = 0; i < kLegs; ++i) {
    Leg& l = c.legs[i];
    if (!l.open) continue;
    if (!l.fin_sent) {
      l.fin_sent = true;
      send_ack(c, i, wire::kFin | wire::kAck);
    } else if (answer && i == leg) {
      send_ack(c, i);
    }
    done = done && l.fin_acked && l.fin_seen;
  }
  if (!done) return;
  c.id = ~0ULL;
  ++completed_;
}

void Clients::expect_bulk(std::uint16_t length, unsigned first_leg) {
  bulk_ = length;
  first_window_ = static_cast<std::uint16_t>(std::min(first_leg * length >> kScale, kWindow - 1U) + 1);
  arrived_.assign(clients_.size() * kReorder / 64, 0);
}

Clients::Data Clients::data_of(const wire::TcpFrame& f, const rte_mbuf* m) {
  unsigned leg = 0;
  const Client& c = of(f.flow.local, leg);
  const wire::MptcpOptions& o = f.options.mptcp;
  const bool mapped = o.has(wire::kMpDss) && o.dss.has_map && o.dss.length == bulk_;
  if (f.payload_length != bulk_ || !mapped) throw Broken("a segment was cut: " + to_string(f));
  const auto offset = load_be<std::uint64_t>(rte_pktmbuf_mtod_offset(m, const std::byte*, f.payload_offset));
  const auto dsn = static_cast<std::uint32_t>(o.dss.dsn);
  if (static_cast<std::uint32_t>((c.first_received + offset).raw) != dsn)
    throw Broken("payload under a wrong mapping: " + to_string(f));
  return {static_cast<std::uint32_t>(&c - clients_.data()),
          static_cast<std::uint8_t>(leg),
          f.payload_length,
          f.seq,
          dsn,
          f.options.ts_value};
}

// Advances `received` over all that has arrived.
void Clients::mark_received(Client& c, std::size_t slot, std::uint32_t dsn) {
  std::uint64_t* const bits = arrived_.data() + slot * kReorder / 64;
  const auto index = [&](DataSeq at) {
    return static_cast<std::uint64_t>(at - c.first_received) / bulk_ % kReorder;
  };
  const std::uint64_t i = index(expand(dsn, c.received));
  bits[i / 64] |= 1ULL << (i % 64);
  for (std::uint64_t k = index(c.received); (bits[k / 64] >> (k % 64) & 1) != 0; k = index(c.received)) {
    bits[k / 64] &= ~(1ULL << (k % 64));
    c.received += bulk_;
  }
}

void Clients::arrived(const Data& d) {
  Client& c = clients_[d.client];
  Leg& l = c.legs[d.leg];
  if (d.seq != l.received) throw Broken("a hole before a client");
  l.received += d.length;
  l.echo = d.ts_value;
  mark_received(c, d.client, d.dsn);
  c.got += d.length;
  if (++l.unacknowledged == 2) return send_ack(c, d.leg);
  waiting_.push_back({world_.now() + std::chrono::milliseconds(40), d.client, d.leg});
}

void Clients::delayed_acks() {
  while (!waiting_.empty() && waiting_.front().due <= world_.now()) {
    const Waiting w = waiting_.front();
    waiting_.pop_front();
    if (clients_[w.client].legs[w.leg].unacknowledged != 0) send_ack(clients_[w.client], w.leg);
  }
}

}  // namespace braid::perf
