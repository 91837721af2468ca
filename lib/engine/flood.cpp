// Clients while as many handshakes are open as may be: their SYNs are answered and nothing is kept (SYN
// cookies).
#include <algorithm>

#include "engine/engine.hpp"

namespace braid::engine {

using stats::Counter;

namespace {
SynCookie::Kept kept_of(const wire::TcpOptions& o) {
  SynCookie::Kept k;
  if (o.has_mss) k.mss = o.mss;
  if (!o.has_timestamps) return k;  // nothing to keep the rest in
  k.sack = o.sack_permitted;
  k.scaled = o.has_window_scale;
  k.scale = o.window_scale;
  return k;
}

// The SYN that a cookie's answer was for.
wire::TcpFrame syn_of(const wire::TcpFrame& f, const SynCookie::Kept& kept) {
  wire::TcpFrame syn = f;
  syn.seq = f.seq - 1;
  syn.flags = wire::kSyn;
  syn.options.has_mss = true;
  syn.options.mss = kept.mss;
  syn.options.sack_permitted = kept.sack;
  syn.options.has_window_scale = kept.scaled;
  syn.options.window_scale = kept.scale;
  return syn;
}
}  // namespace

void Engine::answer_by_cookie(Arrival& a, const relay::Listener& listener) {
  const wire::TcpFrame& f = a.tcp;
  const auto hop = ctx_.routes->resolve(f.flow.remote.ip);
  if (!hop) return ctx_.drop(a.frame, stats::Drop::no_route);
  const SynCookie::Kept kept = kept_of(f.options);
  const bool v4 = f.flow.local.ip.is_v4();
  wire::FrameOut out;
  out.flow = f.flow;
  out.ip = listener.ip;
  out.seq = cookie_.make(f.flow, f.seq, kept, ctx_.now);
  out.ack = f.seq + 1;
  out.flags = wire::kSyn | wire::kAck;
  out.window = static_cast<std::uint16_t>(std::min(settings_.relay->buffer, 0xffffU));
  wire::OptionBuffer o;
  o.mss(
      static_cast<std::uint16_t>(hop->mtu - wire::kTcpHeader - (v4 ? wire::kIpv4Header : wire::kIpv6Header)));
  if (kept.sack) o.sack_permitted();
  if (f.options.has_timestamps)
    o.timestamps(SynCookie::write_stamp(millis(ctx_.now) + tcp::timestamp_offset(ctx_, f.flow), kept),
                 f.options.ts_value);
  if (kept.scaled) o.window_scale(tcp::scale_for(settings_.relay->buffer));
  // What comes of it is counted when the client is real, which its third ACK shows.
  const bool mptcp = f.options.mptcp.has(wire::kMpCapable) && !declines(f.options.mptcp.capable, listener);
  if (const auto key = mptcp ? cookie_key(f.flow, f.seq, out.seq) : std::nullopt) {
    wire::MpCapable c;
    c.checksum_required = listener.profile.require_checksum || f.options.mptcp.capable.checksum_required;
    c.no_join_initial = listener.profile.refuse_initial_join;
    c.keys = 1;
    c.sender_key = *key;
    o.mp_capable(c);
  }
  if (send_bare(out, o)) ctx_.count(Counter::tcp_cookies_sent);
  cookies_until_ = ctx_.now + 2 * SynCookie::kSlot;
  rte_pktmbuf_free(a.frame);
}

// The first of the connection's keys whose token falls into this worker's slice and is free; the third ACK
// names it.
std::optional<std::uint64_t> Engine::cookie_key(const Flow& flow, SubSeq peer, SubSeq ours) const {
  const unsigned mine = settings_.first_slice + settings_.worker;
  for (unsigned n = 0; n < limits::kTokenDraws * settings_.slices; ++n) {
    const std::uint64_t key = cookie_.session_key(flow, peer, ours, n);
    const mptcp::KeyHash h = mptcp::hash_key(key);
    if (h.token % settings_.slices == mine && find_session(h.token) == nullptr) return key;
  }
  return {};
}

// The segment that completes a handshake whose SYN was answered by a cookie. False: it does not, and is to be
// refused.
bool Engine::accept_cookie(Arrival& a, const relay::Listener& listener) {
  const wire::TcpFrame& f = a.tcp;
  if (ctx_.now >= cookies_until_ || draining_ || !f.has(wire::kAck) || f.has(wire::kRst)) return false;
  const std::uint32_t stamp = f.options.has_timestamps ? f.options.ts_echo : 0;
  const auto kept = cookie_.check(f.flow, f.seq - 1, f.ack - 1, stamp, ctx_.now);
  if (!kept) {
    ctx_.count(Counter::tcp_cookies_failed);
    // What comes behind a third ACK that was lost, as data, a DATA_FIN or FIN, cannot be told from what never
    // had a cookie. A reset would end an honest client; without one it sends first what came first, and that
    // has the cookie.
    const bool late = SynCookie::timely(f.ack - 1, ctx_.now);
    if (late) ctx_.drop(a.frame, stats::Drop::before_first);
    return late;
  }
  ctx_.count(Counter::tcp_cookies_accepted);
  make_room();
  const wire::TcpFrame syn = syn_of(f, *kept);
  a.cookie = &syn;
  const wire::MptcpOptions& m = f.options.mptcp;
  if (m.has(wire::kMpCapable) && m.capable.keys == 2 && listener.mptcp) {
    // Ours again, unless another session has taken its token meanwhile: then the client is served plainly.
    const auto key = cookie_key(f.flow, f.seq - 1, f.ack - 1);
    mptcp::Session* session =
        key && *key == m.capable.receiver_key ? new_session(listener, *key, mptcp::hash_key(*key)) : nullptr;
    if (session != nullptr && m.capable.checksum_required) session->peer_wants_checksum();
    if (session != nullptr && accept_session(a, listener, *session)) return true;
    stats_.fallbacks.add(stats::Fallback::no_token);
  }
  accept_plain(a, listener);
  return true;
}

}  // namespace braid::engine
