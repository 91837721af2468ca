// New clients and joins.
#include <algorithm>
#include <array>

#include "engine/engine.hpp"

namespace braid::engine {

using stats::Counter;
using stats::Drop;
using stats::Fallback;
using stats::Join;
using stats::RstReason;

void Engine::accept(Arrival& a, const relay::Listener& listener) {
  if (draining_) return refuse(a, Drop::no_listener);
  if (handshaking_ >= settings_.handshakes) return answer_by_cookie(a, listener);
  make_room();
  if (flows_.size() + 2 > settings_.connections * 5) return ctx_.drop(a.frame, Drop::connection_limit);
  const auto& o = a.tcp.options.mptcp;
  if (o.has(wire::kMpCapable)) {
    if (const auto why = declines(o.capable, listener)) {
      stats_.fallbacks.add(*why);
    } else if (accept_mptcp(a, listener)) {
      return;
    }
  }
  accept_plain(a, listener);
}

// Why a SYN's MP_CAPABLE is not answered by one. Rules 8 and 9: version 0, the extension bit or a missing H
// bit mean plain TCP. Who asks for a later version is answered with ours (3.1).
std::optional<Fallback> Engine::declines(const wire::MpCapable& c, const relay::Listener& listener) {
  if (!listener.mptcp) return Fallback::disabled;
  if (c.version == 0 || c.extension || !c.hmac_sha256 || c.keys != 0) return Fallback::version;
  return {};
}

relay::Pair* Engine::new_pair(tcp::Stream& stream, const relay::Listener& listener, const Flow& flow) {
  relay::Pair* pair = pairs_.get(static_cast<relay::PairHost&>(*this), listener, stream, flow, ctx_.now);
  if (pair == nullptr) return nullptr;
  pair->id = static_cast<std::uint64_t>(settings_.worker) << 56 | ++next_id_;
  pair_live_[pairs_.index_of(pair)] = 1;
  ++handshaking_;
  return pair;
}

void Engine::accept_plain(Arrival& a, const relay::Listener& listener) {
  const Flow& flow = a.tcp.flow;
  tcp::PlainStream* s = streams_.get(flow, listener.congestion);
  relay::Pair* pair = s != nullptr ? new_pair(*s, listener, flow) : nullptr;
  if (pair == nullptr || !flows_.insert(a.hash, handle(Kind::stream, streams_.index_of(s)))) {
    if (pair != nullptr) drop_new_pair(*pair);
    if (s != nullptr) streams_.put(s);
    return ctx_.drop(a.frame, Drop::connection_limit);
  }
  open_client(*s, a, listener);
}

// Answers the SYN, or goes on where a cookie has answered it.
void Engine::open_client(tcp::Connection& c, Arrival& a, const relay::Listener& listener) {
  c.set_ip_fields(listener.ip);
  if (a.cookie == nullptr) {
    c.accept(ctx_, a.tcp, settings_.relay->buffer);
    return rte_pktmbuf_free(a.frame);
  }
  c.resume(ctx_, *a.cookie, a.tcp.ack - 1, settings_.relay->buffer);
  c.receive(ctx_, a.tcp, a.frame);
}

void Engine::drop_new_pair(relay::Pair& pair) {
  pair_live_[pairs_.index_of(&pair)] = 0;
  --handshaking_;
  pairs_.put(&pair);
}

// Keys and nonces that clients see. A keyed hash of a counter: what was drawn tells nothing about what will
// be, as the generator's own output would (RFC 8684 3.1: hard to guess).
std::uint64_t Engine::draw_secret() { return siphash(draw_key_, std::array<std::uint64_t, 1>{++drawn_}); }

// Draws keys until the token falls into this worker's slice and is free (architecture 4); bounded (rule 10).
mptcp::Session* Engine::draw_session(const relay::Listener& listener) {
  const unsigned mine = settings_.first_slice + settings_.worker;
  for (unsigned draw = 0; draw < limits::kTokenDraws * settings_.slices; ++draw) {
    const std::uint64_t key = draw_secret();
    const mptcp::KeyHash h = mptcp::hash_key(key);
    ctx_.count(Counter::mptcp_key_draws);
    if (h.token % settings_.slices == mine && find_session(h.token) == nullptr)
      return new_session(listener, key, h);
  }
  return nullptr;
}

mptcp::Session* Engine::new_session(const relay::Listener& listener, std::uint64_t key,
                                    const mptcp::KeyHash& h) {
  mptcp::Session* session = sessions_.get(static_cast<mptcp::SessionOwner&>(*this), listener.profile, key, h,
                                          settings_.relay->buffer);
  if (session == nullptr || tokens_.insert(h.token, sessions_.index_of(session))) return session;
  sessions_.put(session);
  return nullptr;
}

// False: no token or memory for a session; the client is served as plain TCP.
bool Engine::accept_mptcp(Arrival& a, const relay::Listener& listener) {
  if (mptcp::Session* session = draw_session(listener)) {
    if (a.tcp.options.mptcp.capable.checksum_required) session->peer_wants_checksum();
    if (accept_session(a, listener, *session)) return true;
  }
  stats_.fallbacks.add(Fallback::no_token);
  return false;
}

// The first subflow of a new session, which is freed on failure.
bool Engine::accept_session(Arrival& a, const relay::Listener& listener, mptcp::Session& session) {
  const Flow& flow = a.tcp.flow;
  mptcp::Subflow* sf = subflows_.get(flow, listener.congestion, mptcp::Origin::capable_passive);
  relay::Pair* pair = sf != nullptr ? new_pair(session, listener, flow) : nullptr;
  if (pair == nullptr || !flows_.insert(a.hash, handle(Kind::subflow, subflows_.index_of(sf)))) {
    if (pair != nullptr) drop_new_pair(*pair);
    if (sf != nullptr) subflows_.put(sf);
    free_session(session);
    return false;
  }
  session.set_congestion(listener.congestion);
  session.attach(*sf);
  open_client(*sf, a, listener);
  return true;
}

void Engine::join(Arrival& a) {
  const std::uint32_t token = a.tcp.options.mptcp.join.token;
  const unsigned owner = owner_of_token(token);
  if (owner >= settings_.workers)
    return refuse_join(a, Join::no_token, Drop::join_no_token, RstReason::mptcp);
  if (owner != settings_.worker) {
    // Later packets of this subflow follow the entry, so the owner sees all of them in order.
    Redirect* r = redirects_.get();
    if (r == nullptr) return refuse_join(a, Join::limit, Drop::redirect_limit, RstReason::resources);
    r->flow = a.tcp.flow;
    r->owner = static_cast<std::uint8_t>(owner);
    r->serial = ++next_serial_;
    const std::uint32_t index = redirects_.index_of(r);
    if (!flows_.insert(a.hash, handle(Kind::redirect, index))) {
      redirects_.put(r);
      return refuse_join(a, Join::limit, Drop::redirect_limit, RstReason::resources);
    }
    if (!hand_over(a, owner, index, r->serial)) release_redirect(index, r->serial);
    return;
  }
  mptcp::Session* session = find_session(token);
  if (session == nullptr) return refuse_join(a, Join::no_token, Drop::join_no_token, RstReason::mptcp);
  join_here(a, *session);
}

void Engine::join_here(Arrival& a, mptcp::Session& session) {
  if (session.fallen_back()) return refuse_join(a, Join::fallback, Drop::join_refused, RstReason::mptcp);
  if (!session.may_join() || draining_)
    return refuse_join(a, Join::not_established, Drop::join_refused, RstReason::mptcp);
  const auto id = local_address_id(session, a.tcp.flow.local);
  if (!id) return refuse_join(a, Join::wrong_address, Drop::join_refused, RstReason::prohibited);
  make_room();
  mptcp::Subflow* sf = subflows_.get(a.tcp.flow, session.congestion(), mptcp::Origin::join_passive);
  if (sf == nullptr) return refuse_join(a, Join::limit, Drop::connection_limit, RstReason::resources);
  const bool attached = session.attach(*sf);
  if (!attached) session.doubt_paths(ctx_);  // one that died in silence makes room for the next attempt
  if (!attached || !flows_.insert(a.hash, handle(Kind::subflow, subflows_.index_of(sf)))) {
    if (sf->session() != nullptr) session.detach(ctx_, *sf);
    subflows_.put(sf);
    return refuse_join(a, Join::limit, Drop::join_refused, RstReason::resources);
  }
  if (a.entry != kNoEntry && a.handed) {
    sf->origin_worker = a.from;
    sf->redirect_entry = a.entry;
    sf->redirect_serial = a.serial;
  }
  sf->set_ip_fields(static_cast<const relay::Pair*>(session.user)->listener().ip);
  sf->set_join(a.tcp.options.mptcp.join, *id, static_cast<std::uint32_t>(draw_secret()));
  sf->accept(ctx_, a.tcp, settings_.relay->buffer);
  rte_pktmbuf_free(a.frame);
}

// Rule 17: a join comes to an address of the same listener, or to one that was announced. The id is 0 for the
// address of the first subflow (rule 18), else the announcement's.
std::optional<std::uint8_t> Engine::local_address_id(const mptcp::Session& session,
                                                     const Endpoint& at) const {
  const auto* pair = static_cast<const relay::Pair*>(session.user);
  if (pair == nullptr) return {};
  const relay::Listener& listener = pair->listener();
  if (at == pair->client_flow().local) {
    if (listener.profile.refuse_initial_join) return {};
    return std::uint8_t{0};
  }
  const auto& announced = listener.announce_addresses;
  for (std::size_t i = 0; i < announced.size(); ++i) {
    const std::uint16_t port = announced[i].port != 0 ? announced[i].port : pair->client_flow().local.port;
    if (announced[i].ip == at.ip && port == at.port) return static_cast<std::uint8_t>(i + 1);
  }
  const auto& more = listener.join_addresses;
  const auto extra = std::find(more.begin(), more.end(), at.ip);
  if (extra != more.end() && at.port == pair->client_flow().local.port)
    return static_cast<std::uint8_t>(128 + (extra - more.begin()));
  const auto& binds = listener.binds;
  const auto bind = std::find(binds.begin(), binds.end(), at);
  if (bind == binds.end()) return {};
  return static_cast<std::uint8_t>(announced.size() + 1 + static_cast<std::size_t>(bind - binds.begin()));
}

void Engine::refuse_join(Arrival& a, Join why, Drop drop, RstReason reason) {
  if (a.handed && a.entry != kNoEntry) owe_release({a.from, a.entry, a.serial});
  stats_.joins.add(why);
  refuse(a, drop, reason);
}

}  // namespace braid::engine
