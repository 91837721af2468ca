// Objects of a worker: found by flow or token, made and freed.
#include <algorithm>

#include "engine/engine.hpp"

namespace braid::engine {

using stats::Counter;

Engine::Engine(const Settings& settings, HandoffMatrix& handoff, Instant now)
    : settings_(settings),
      handoff_(handoff),
      wheel_(now),
      rng_(settings.seed),
      routes_(&no_routes_),
      ctx_{.now = now,
           .stats = stats_,
           .wheel = wheel_,
           .buffers = settings.buffers,
           .sink = *this,
           .routes = &no_routes_,
           .rng = rng_,
           .secret = settings.secret,
           .timeouts = settings.timeouts,
           .window_limit = 0xffffffff,
           .checksum_offload_ports = settings.checksum_offload_ports,
           .flights = Pool<tcp::Flight>(settings.connections * 10)},
      flow_key_{rng_.next(), rng_.next()},
      draw_key_{rng_.next(), rng_.next()},
      cookie_({rng_.next(), rng_.next()}),
      // A client connection takes one stream for its server and one for itself when plain; TIME-WAIT needs
      // more.
      streams_(settings.connections * 4),
      subflows_(settings.connections * 4),
      sessions_(settings.connections * 2),
      pairs_(settings.connections),
      redirects_(settings.connections * 2),
      flows_(settings.connections * 5),
      tokens_(settings.connections + settings.connections / 4),
      pair_live_(settings.connections, 0),
      upstream_turn_(settings.relay->upstreams.size(), 0),
      burst_(std::make_unique<std::array<Arrival, limits::kBurst>>()),
      records_(4096),
      requests_(8),
      presence_(settings.relay->listeners) {
  dead_sessions_.reserve(settings.connections * 2);
  owed_.reserve(std::size_t{settings.connections} * 2 * (settings.workers - 1));  // the others' entries
  const auto& listeners = settings_.relay->listeners;
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    for (const Endpoint& bind : listeners[i].binds) {
      listener_by_bind_.emplace(siphash(settings_.secret, Flow{bind, {}}), static_cast<std::uint16_t>(i));
      const auto target = [&](const Ip& ip, std::uint16_t port) {
        join_targets_.insert(siphash(settings_.secret, Flow{{ip, port != 0 ? port : bind.port}, {}}));
      };
      for (const Ip& ip : listeners[i].join_addresses) target(ip, 0);
      for (const Endpoint& e : listeners[i].announce_addresses) target(e.ip, e.port);
    }
  }
}

// The listener that waits there; nullptr: none does.
const relay::Listener* Engine::listener_at(const Endpoint& at) const {
  const auto bound = listener_by_bind_.find(siphash(settings_.secret, Flow{at, {}}));
  return bound == listener_by_bind_.end() ? nullptr : &settings_.relay->listeners[bound->second];
}

bool Engine::joins_at(const Endpoint& at) const {
  return !join_targets_.empty() && join_targets_.contains(siphash(settings_.secret, Flow{at, {}}));
}

bool Engine::takes_clients(const Endpoint& at) const { return listener_at(at) != nullptr || joins_at(at); }

// Whether connections of ours may end at this address: clients' at a bind, servers' at any of the box.
bool Engine::is_proxied(const Ip& ip) const {
  const auto& listeners = settings_.relay->listeners;
  return ctx_.routes->is_local(ip) || std::any_of(listeners.begin(), listeners.end(), [&ip](const auto& l) {
           return std::any_of(l.binds.begin(), l.binds.end(),
                              [&ip](const Endpoint& e) { return e.ip == ip; });
         });
}

Engine::~Engine() {
  std::array<Message, limits::kBurst> messages;
  for (unsigned from = 0; from < settings_.workers; ++from)
    while (const auto n = handoff_.ring(from, settings_.worker).pop(messages))
      for (std::size_t i = 0; i < n; ++i)
        if (messages[i].kind == Message::Kind::frame) rte_pktmbuf_free(messages[i].frame);
  destroy_all();
}

// Objects that are still alive are found through the flow table, which names every connection, and by the
// pairs.
void Engine::destroy_all() {
  for (std::uint32_t i = 0; i < pair_live_.size(); ++i) {
    if (pair_live_[i] == 0) continue;
    pairs_.put(pairs_.at(i));
  }
  reap();
  std::vector<mptcp::Session*> sessions;
  tokens_.for_each([&](std::uint32_t i) { sessions.push_back(sessions_.at(i)); });
  flows_.for_each([&](std::uint32_t h) {
    switch (static_cast<Kind>(h >> 30)) {
      case Kind::stream:
        return streams_.put(streams_.at(h & 0x3fffffff));
      case Kind::subflow:
        return subflows_.put(subflows_.at(h & 0x3fffffff));
      case Kind::redirect:
        return redirects_.put(redirects_.at(h & 0x3fffffff));
    }
  });
  for (mptcp::Session* s : sessions) sessions_.put(s);
}

std::uint32_t Engine::flow_hash(const Flow& flow) const {
  return static_cast<std::uint32_t>(siphash(flow_key_, flow));
}

tcp::Connection* Engine::connection_of(std::uint32_t h) const {
  const std::uint32_t index = h & 0x3fffffff;
  if (static_cast<Kind>(h >> 30) == Kind::stream) return streams_.at(index);
  return subflows_.at(index);
}

const Flow& Engine::flow_of(std::uint32_t h) const {
  if (static_cast<Kind>(h >> 30) == Kind::redirect) return redirects_.at(h & 0x3fffffff)->flow;
  return connection_of(h)->flow();
}

std::uint32_t Engine::find_flow(std::uint32_t hash, const Flow& flow) const {
  return flows_.find(hash, [&](std::uint32_t h) { return flow_of(h) == flow; });
}

mptcp::Session* Engine::find_session(std::uint32_t token) const {
  const std::uint32_t i = tokens_.find(token, [](std::uint32_t) { return true; });
  return i == HashIndex::kNone ? nullptr : sessions_.at(i);
}

// Worker of this node whose slice the token lies in; `workers` or more: another node's.
unsigned Engine::owner_of_token(std::uint32_t token) const {
  return token % settings_.slices - settings_.first_slice;
}

void Engine::free_session(mptcp::Session& session) {
  tokens_.erase(session.token(), sessions_.index_of(&session));
  sessions_.put(&session);
}

void Engine::release_redirect(std::uint32_t entry, std::uint32_t serial) {
  Redirect* r = redirects_.at(entry);
  if (r->serial != serial) return;  // the entry serves another flow by now
  flows_.erase(flow_hash(r->flow), handle(Kind::redirect, entry));
  r->serial = 0;
  redirects_.put(r);
}

// Tells the worker whose redirect entry it is that it leads nowhere; what its ring does not take now it gets
// later, for nothing else would free the entry.
void Engine::owe_release(const Owed& owed) {
  if (!release_elsewhere(owed) && owed_.size() < owed_.capacity()) owed_.push_back(owed);
}

bool Engine::release_elsewhere(const Owed& owed) {
  Message m;
  m.kind = Message::Kind::release;
  m.entry = owed.entry;
  m.serial = owed.serial;
  return handoff_.ring(settings_.worker, owed.worker).push(m);
}

void Engine::session_ended(tcp::Context&, mptcp::Session& session) { dead_sessions_.push_back(&session); }

void Engine::pair_touched(relay::Pair& pair) {
  if (!pair.linked()) touched_pairs_.push_back(pair);
}

unsigned Engine::pair_opened(tcp::Context&, relay::Pair& pair, const relay::Upstream& upstream) {
  --handshaking_;
  const bool plain = dynamic_cast<tcp::PlainStream*>(&pair.client()) != nullptr;
  const bool whole = !plain && !static_cast<mptcp::Session&>(pair.client()).fallen_back();
  ctx_.count(whole ? Counter::client_accepted_mptcp : Counter::client_accepted_tcp);
  auto& turn = upstream_turn_[static_cast<std::size_t>(&upstream - settings_.relay->upstreams.data())];
  const unsigned server = turn;
  turn = static_cast<std::uint8_t>((turn + 1U) % upstream.servers.size());
  return server;
}

void Engine::pair_ended(tcp::Context&, relay::Pair& pair, relay::AccessRecord record) {
  if (pair.phase() == relay::Phase::handshake) --handshaking_;
  record.id = pair.id;
  record.listener = static_cast<std::uint16_t>(&pair.listener() - settings_.relay->listeners.data());
  const auto* session = dynamic_cast<mptcp::Session*>(&pair.client());
  if (session != nullptr) {
    record.kind = session->fallen_back() ? relay::Kind::fallback : relay::Kind::mptcp;
    record.subflows_max = static_cast<std::uint8_t>(session->subflows_max());
    record.reinjected = session->reinjected();
    record.bytes_joined = session->joined_bytes();
    record.retransmitted = session->retransmitted();
    for (unsigned i = 0; i < limits::kMaxSubflows; ++i) {
      const mptcp::Subflow* sf = session->subflow(i);
      if (sf == nullptr) continue;
      record.retransmitted += sf->retransmissions();
      if (sf->joined()) record.bytes_joined += sf->bytes_in + sf->bytes_out;
      if (sf->rtt().known()) stats_.client_rtt_us.observe(sf->rtt().srtt());
    }
    stats_.subflows_per_session.observe(record.subflows_max);
  } else {
    const auto& plain = static_cast<const tcp::PlainStream&>(pair.client());
    record.retransmitted = plain.retransmissions();
    if (plain.rtt().known()) stats_.client_rtt_us.observe(plain.rtt().srtt());
  }
  if (const auto* server = static_cast<const tcp::PlainStream*>(pair.server())) {
    record.retransmitted += server->retransmissions();
    if (server->rtt().known()) stats_.server_rtt_us.observe(server->rtt().srtt());
  }
  if (!records_.push(record)) ctx_.count(Counter::records_lost);
  ctx_.count(Counter::client_closed);
  pair_live_[pairs_.index_of(&pair)] = 0;
  pair.TouchHook::unlink();
  dead_pairs_.push_back(pair);
}

void Engine::reap_connection(tcp::Connection& c) {
  const std::uint32_t hash = flow_hash(c.flow());
  const std::uint32_t h = find_flow(hash, c.flow());
  if (static_cast<Kind>(h >> 30) == Kind::stream) {
    flows_.erase(hash, h);
    streams_.put(static_cast<tcp::PlainStream*>(&c));
    return;
  }
  auto& sf = static_cast<mptcp::Subflow&>(c);
  if (sf.origin_worker != mptcp::Subflow::kNoWorker)
    owe_release({sf.origin_worker, sf.redirect_entry, sf.redirect_serial});
  flows_.erase(hash, h);
  subflows_.put(&sf);
}

// Whether a SYN has taken the place of a connection in TIME-WAIT. One that another worker's redirect entry
// leads to stays: only with it is the entry released.
bool Engine::reopen(tcp::Connection& c, const Arrival& syn) {
  const auto* subflow = dynamic_cast<mptcp::Subflow*>(&c);
  const bool redirected = subflow != nullptr && subflow->origin_worker != mptcp::Subflow::kNoWorker;
  return c.may_reopen(syn.tcp) && !redirected && recycle(c);
}

// Ends a connection in TIME-WAIT before its time. False: somebody still looks at it.
bool Engine::recycle(tcp::Connection& c) {
  const auto* stream = dynamic_cast<tcp::PlainStream*>(&c);
  const auto* subflow = dynamic_cast<mptcp::Subflow*>(&c);
  if ((stream != nullptr && stream->user != nullptr) || (subflow != nullptr && subflow->session() != nullptr))
    return false;
  c.vanish(ctx_, tcp::Failure::none);
  c.TouchHook::unlink();
  ctx_.count(Counter::tcp_time_wait_recycled);
  reap_connection(c);
  return true;
}

// Connections in TIME-WAIT never keep a new one out: the oldest give way.
void Engine::make_room() {
  constexpr std::uint32_t kSpare = 2;  // a client's connection and its server's
  constexpr unsigned kMost = 16;
  const auto full = [](const auto& pool) { return pool.in_use() + kSpare > pool.capacity(); };
  for (unsigned i = 0; i < kMost; ++i) {
    if (!full(streams_) && !full(subflows_) && flows_.size() + kSpare <= settings_.connections * 5) return;
    tcp::Connection* oldest = ctx_.time_waiting.pop_front();
    if (oldest == nullptr) return;
    if (!recycle(*oldest)) ctx_.time_waiting.push_back(*oldest);  // its pair still serves the other side
  }
}

void Engine::reap() {
  while (relay::Pair* pair = dead_pairs_.pop_front()) pairs_.put(pair);
  while (tcp::Connection* c = ctx_.dead.pop_front()) {
    auto* stream = dynamic_cast<tcp::PlainStream*>(c);
    if (stream != nullptr && stream->user != nullptr) {  // release() brings it here again
      stream->user->touch(ctx_);
      continue;
    }
    reap_connection(*c);
  }
  while (!owed_.empty() && release_elsewhere(owed_.back())) owed_.pop_back();
  for (mptcp::Session* s : dead_sessions_) free_session(*s);
  dead_sessions_.clear();
  while (tcp::Connection* c = ctx_.again.pop_front()) ctx_.touched.push_back(*c);
}

bool Engine::end_some(Instant now, Io& io) {
  constexpr unsigned kEndsPerTurn = 32;
  ctx_.now = now;
  ctx_.routes = routes_.load(std::memory_order_acquire);
  io_ = &io;
  for (unsigned ended = 0; next_to_end_ < pair_live_.size() && ended < kEndsPerTurn; ++next_to_end_) {
    if (pair_live_[next_to_end_] == 0) continue;
    pairs_.at(next_to_end_)->end(ctx_, relay::Who::admin, relay::Phase::drain);
    ++ended;
  }
  run_outputs();
  flush();
  reap();
  if (next_to_end_ < pair_live_.size()) return false;
  next_to_end_ = 0;
  return true;
}

Engine::Use Engine::use() const {
  return {streams_.in_use(),   subflows_.in_use(), sessions_.in_use(), pairs_.in_use(),
          redirects_.in_use(), flows_.size(),      tokens_.size()};
}

void Engine::fail_every(std::uint32_t n) {
  streams_.fail_every(n);
  subflows_.fail_every(n);
  sessions_.fail_every(n);
  pairs_.fail_every(n);
  redirects_.fail_every(n);
}

void Engine::refuse_when(bool (*question)()) {
  streams_.refuse_when(question);
  subflows_.refuse_when(question);
  sessions_.refuse_when(question);
  pairs_.refuse_when(question);
  redirects_.refuse_when(question);
  ctx_.flights.refuse_when(question);
}

// Slow-changing figures, every millisecond.
void Engine::housekeeping() {
  housekeeping_due_ = ctx_.now + std::chrono::milliseconds(1);
  shown_ = 0;
  tell_addresses();
  auto& g = stats_.gauges;
  const auto set = [](std::uint64_t& slot, std::uint64_t v) {
    std::atomic_ref(slot).store(v, std::memory_order_relaxed);
  };
  set(g.connections, streams_.in_use());
  set(g.subflows, subflows_.in_use());
  set(g.sessions, sessions_.in_use());
  set(g.pairs, pairs_.in_use());
  set(g.redirects, redirects_.in_use());
  // Windows follow the buffers that are left (dynamic thresholds, Choudhury and Hahne 1998): no connection is
  // offered more than a quarter of them, so a few slow readers cannot starve the rest.
  // A buffer is worth kSmallSegment bytes there, since smaller segments are put together (append_small).
  const std::uint64_t left = rte_mempool_avail_count(settings_.buffers);
  ctx_.window_limit =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(left * limits::kSmallSegment / 4, 0x7fffffff));
  ctx_.buffers_scarce = left < settings_.buffer_count / 16;
}

}  // namespace braid::engine
