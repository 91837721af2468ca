#include "kit/host.hpp"

#include <algorithm>

#include "kit/eal.hpp"
#include "wire/reset.hpp"

namespace braid::kit {

Host::Host(World& world, std::string name)
    : world_(world),
      name_(std::move(name)),
      rng_(world.seed() * 31 + std::hash<std::string>{}(name_)),
      wheel_(world.now()),
      ctx_{.now = world.now(),
           .stats = stats_,
           .wheel = wheel_,
           .buffers = pool(),
           .sink = *this,
           .routes = &routes_,
           .rng = rng_,
           .secret = {rng_.next(), rng_.next()},
           .timeouts = timeouts,
           .window_limit = 0x7fffffff} {
  routes_.generation = 1;
  world.add(*this);
}

Host::~Host() {
  world_.remove(*this);
  for (auto& app : apps_)
    if (app->stream() != nullptr) app->stream()->user = nullptr;
  flows_.clear();
  sessions_.clear();
}

void Host::attach(unsigned port, Link& link, const Ip& address, std::uint16_t mtu) {
  if (ports_.size() <= port) ports_.resize(port + 1);
  // The host has one route for all its ports: what a port's own MTU allows must be said for each connection.
  const std::size_t headers =
      (address.is_v4() ? wire::kIpv4Header : wire::kIpv6Header) + wire::kTcpHeader + 12;
  ports_[port] = {&link, address, static_cast<std::uint16_t>(mtu - headers)};
  const auto id = static_cast<std::uint8_t>(port);
  const Mac mac{{2, 0, 0, 0, 1, id}};
  const Mac gateway{{2, 0, 0, 0, 0, id}};
  const Ip next = address.is_v4() ? Ip::v4(0xc6120001) : Ip::v6(0xfe80ULL << 48, 1);
  routes_.add_link(id, {.port = id, .up = true, .mtu = mtu, .mac = mac});
  routes_.add_address(id, {address, static_cast<std::uint8_t>(address.is_v4() ? 24 : 64)});
  routes_.add_neighbour(id, next, gateway);
  routes_.add_route({.prefix = {address.is_v4() ? Ip::v4(0) : Ip::v6(0, 0), 0},
                     .link = id,
                     .gateway = next,
                     .source = {},
                     .mtu = 0,
                     .metric = id});
}

void Host::listen(std::uint16_t port, const Plan& plan, Answer answer) {
  listening_.insert_or_assign(port, Listening{plan, answer});
}

void Host::die() {
  dead_ = true;
  arrived_.clear();
}

Endpoint Host::local(unsigned port, bool) { return {ports_[port].address, ++next_port_}; }

App& Host::run(tcp::Stream& stream, const Plan& plan) {
  apps_.push_back(std::make_unique<App>(stream, plan, world_.now()));
  return *apps_.back();
}

App& Host::connect(const Endpoint& to, const Plan& plan, unsigned port) {
  const Flow flow{local(port, to.ip.is_v4()), to};
  auto s = std::make_unique<tcp::PlainStream>(flow, congestion);
  auto& stream = *s;
  flows_.emplace(flow, std::move(s));
  context().timeouts = timeouts;
  if (ecn) stream.ask_for_ecn();
  stream.connect(ctx_, ports_[port].max_segment, budget);
  return run(stream, plan);
}

App& Host::connect_mptcp(const Endpoint& to, const Plan& plan, unsigned port) {
  const Flow flow{local(port, to.ip.is_v4()), to};
  const std::uint64_t key = next_key_ != 0 ? std::exchange(next_key_, 0) : rng_.next();
  sessions_.push_back(std::make_unique<mptcp::Session>(static_cast<mptcp::SessionOwner&>(*this), profile, key,
                                                       mptcp::hash_key(key), budget));
  auto& session = *sessions_.back();
  session.set_congestion(congestion);
  auto s = std::make_unique<mptcp::Subflow>(flow, congestion, mptcp::Origin::capable_active);
  auto& subflow = *s;
  flows_.emplace(flow, std::move(s));
  session.attach(subflow);
  context().timeouts = timeouts;
  if (ecn) subflow.ask_for_ecn();
  subflow.connect(ctx_, ports_[port].max_segment, budget);
  return run(session, plan);
}

mptcp::Session& Host::session_of(App& app) { return dynamic_cast<mptcp::Session&>(*app.stream()); }

mptcp::Subflow* Host::join(App& app, unsigned port, const Endpoint& to, bool backup) {
  if (app.stream() == nullptr) return nullptr;
  auto& session = session_of(app);
  if (!session.may_join()) return nullptr;
  const Flow flow{local(port, to.ip.is_v4()), to};
  auto s = std::make_unique<mptcp::Subflow>(flow, congestion, mptcp::Origin::join_active);
  if (!session.attach(*s)) return nullptr;
  auto& subflow = *s;
  flows_.emplace(flow, std::move(s));
  subflow.set_active_join(static_cast<std::uint8_t>(port + 1), backup, rng_.next32());
  context().timeouts = timeouts;
  if (ecn) subflow.ask_for_ecn();
  subflow.connect(ctx_, ports_[port].max_segment, budget);
  return &subflow;
}

tcp::Connection* Host::find(const Flow& flow) {
  const auto it = flows_.find(flow);
  return it == flows_.end() ? nullptr : it->second.get();
}

void Host::take(Instant, unsigned, Packet packet) {
  if (!dead_) arrived_.push_back(std::move(packet));
}

Instant Host::next_at() const {
  if (dead_) return kNever;
  auto& self = const_cast<Host&>(*this);
  if (!arrived_.empty() || !self.ctx_.touched.empty() || !self.ctx_.again.empty()) return world_.now();
  Instant next = wheel_.next_due();
  for (const auto& app : apps_) {
    if (app->dirty()) return world_.now();
    next = std::min(next, app->wake_at());
  }
  return next;
}

void Host::act(Instant now) {
  if (dead_) return;
  ctx_.now = now;
  for (; !arrived_.empty(); arrived_.pop_front()) receive(arrived_.front());
  wheel_.advance(now, limits::kAlarmsPerTurn, [this](Alarm& alarm) {
    if (static_cast<tcp::AlarmKind>(alarm.kind) == tcp::AlarmKind::connection)
      return static_cast<tcp::Connection&>(alarm).on_alarm(ctx_);
    static_cast<mptcp::Session&>(alarm).on_alarm(ctx_);
  });
  for (auto& app : apps_)
    if (app->dirty() || app->wake_at() <= now) app->run(ctx_);
  while (tcp::Connection* c = ctx_.touched.pop_front()) c->output(ctx_);
  reap();
  while (tcp::Connection* c = ctx_.again.pop_front()) ctx_.touched.push_back(*c);
}

void Host::reap() {
  while (tcp::Connection* c = ctx_.dead.pop_front()) {
    auto* stream = dynamic_cast<tcp::PlainStream*>(c);
    if (stream != nullptr && stream->user != nullptr) {
      stream->user->touch(ctx_);  // release() brings it here again
      continue;
    }
    flows_.erase(Flow(c->flow()));
  }
  for (mptcp::Session* s : ended_) std::erase_if(sessions_, [s](const auto& p) { return p.get() == s; });
  ended_.clear();
}

void Host::receive(const Packet& packet) {
  wire::TcpFrame f;
  if (wire::parse_frame(packet, wire::Trust::verify, f) != wire::FrameKind::tcp) return;
  tcp::Connection* c = find(f.flow);
  const bool syn = f.has(wire::kSyn) && !f.has(wire::kAck);
  if (c != nullptr && c->state() == tcp::State::time_wait && syn) {  // RFC 9293 3.10.7.4: a new incarnation
    c->vanish(ctx_, tcp::Failure::none);
    reap();
    c = nullptr;
  }
  if (c == nullptr) {
    const auto l = listening_.find(f.flow.local.port);
    if (l == listening_.end() || !syn) return refuse(f);
    if (l->second.answer == Answer::silence) return;
    if (l->second.answer == Answer::refuse) return refuse(f);
    auto s = std::make_unique<tcp::PlainStream>(f.flow, congestion);
    auto& stream = *s;
    flows_.emplace(f.flow, std::move(s));
    ctx_.timeouts = timeouts;
    stream.accept(ctx_, f, budget);
    accepted_.push_back(&run(stream, l->second.plan));
    return;
  }
  rte_mbuf* m = frame_of(packet);
  if (m != nullptr) c->receive(ctx_, f, m);
}

void Host::refuse(const wire::TcpFrame& f) {
  if (f.has(wire::kRst)) return;
  const wire::FrameOut out = wire::reset_for(f);
  Packet p(wire::kMaxHeaders);
  const std::size_t n = wire::write_headers(p.data() + p.size(), out, {}, wire::ChecksumMode::full);
  p.erase(p.begin(), p.end() - static_cast<std::ptrdiff_t>(n));
  for (unsigned i = 0; i < ports_.size(); ++i)
    if (ports_[i].address == f.flow.local.ip) ports_[i].link->send(*this, i, p);
}

void Host::send_unresolved(const wire::Hop&, rte_mbuf* frame) { send(0U, frame); }

void Host::send(unsigned, rte_mbuf* frame) {
  Packet packet = packet_of(frame);
  rte_pktmbuf_free(frame);
  wire::TcpFrame f;
  if (wire::parse_frame(packet, wire::Trust::verify, f) != wire::FrameKind::tcp) return;
  for (unsigned i = 0; i < ports_.size(); ++i)
    if (ports_[i].address == f.flow.remote.ip) return ports_[i].link->send(*this, i, std::move(packet));
}

void Host::session_ended(tcp::Context&, mptcp::Session& session) { ended_.push_back(&session); }

}  // namespace braid::kit
