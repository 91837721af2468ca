#include "kit/watch.hpp"

#include <gtest/gtest.h>
#include <rte_mbuf.h>

#include <algorithm>

#include "kit/eal.hpp"
#include "kit/lab.hpp"

namespace braid::kit {

using tcp::Segment;
using tcp::State;

namespace {
constexpr unsigned kCloseLook = 64;  // steps of the gateway between two, and more where there is much to see
constexpr unsigned kMostBreaches = 5;

std::uint32_t waiting_in(tcp::Stream& s) {
  std::uint32_t n = 0;
  for (const Segment* at = s.inbox().front(); at != nullptr; at = at->next) n += at->length;
  return n;
}

// Whether the stream's counts of its bytes still stand: a connection that has ended forgets what it had to
// send.
bool counts(tcp::Stream& s) {
  const auto* c = dynamic_cast<tcp::PlainStream*>(&s);
  return c == nullptr ||
         (c->Connection::state() != State::closed && c->Connection::state() != State::time_wait);
}
}  // namespace

Watch::Watch(Lab& lab)
    : lab_(lab), laws_([this](const char* law, const std::string& what) { breach(law, what); }) {}

void Watch::breach(const char* law, const std::string& what) {
  if (++breaches_ > kMostBreaches) return;
  ADD_FAILURE() << "law of " << law << " broken, seed " << lab_.world.seed() << ", "
                << lab_.world.elapsed().count() / 1000 << " us: " << what;
}

void Watch::stepped(const Actor& actor) {
  if (&actor == lab_.gateway.get()) {
    look_at_gateway();
    if (steps_to_go_-- != 0) return;
    look_closely();
    steps_to_go_ = kCloseLook + static_cast<unsigned>(buffers_.size()) / 2;
    return;
  }
  if (const auto* host = dynamic_cast<const Host*>(&actor)) look_at(*host);
}

void Watch::look_at_gateway() {
  for (unsigned w = 0; w < lab_.gateway->workers(); ++w) {
    engine::Engine& e = lab_.gateway->engine(w);
    std::uint64_t buffered = 0;
    e.for_each_pair([&](const relay::Pair& pair) {
      look_at(pair);
      buffered += pair.client().unfreed() + pair.client().freed();
      if (pair.server() != nullptr) buffered += pair.server()->unfreed() + pair.server()->freed();
    });
    laws_.look(QueuePicture{"bytes held by relays", e.stats().gauges.buffered_bytes, buffered});
  }
}

void Watch::look_at(const Host& host) {
  if (host.dead()) return;
  host.for_each_connection([this](const tcp::Connection& c) { look_at(c); });
  host.for_each_session([this](const mptcp::Session& s) { look_at(s); });
  host.for_each_program([this](App& app) { look_at_program(app); });
}

void Watch::look_at(const relay::Pair& pair) {
  for (tcp::Stream* s : {&pair.client(), pair.server()}) {
    if (const auto* c = dynamic_cast<const tcp::Connection*>(s)) look_at(*c);
    const auto* session = dynamic_cast<const mptcp::Session*>(s);
    if (session == nullptr) continue;
    look_at(*session);
    for (unsigned i = 0; i < limits::kMaxSubflows; ++i)
      if (session->subflow(i) != nullptr) look_at(*session->subflow(i));
  }
  if (pair.phase() != relay::Phase::data) return;
  const auto direction = [this](tcp::Stream& from, tcp::Stream& to, std::uint64_t moved) {
    if (!counts(from) || !counts(to)) return;
    laws_.look(RelayPicture{received(from), moved, written(to), waiting_in(from), from.held(), to.unfreed(),
                            to.freed()});
  };
  direction(pair.client(), *pair.server(), pair.bytes_up());
  direction(*pair.server(), pair.client(), pair.bytes_down());
}

void Watch::look_at(const tcp::Connection& c) {
  laws_.look(ConnectionPicture{&c, c.initial_send(), c.state(), c.send_unacknowledged(), c.send_next(),
                               c.receive_next(), c.peer_window()});
}

void Watch::look_at(const mptcp::Session& s) {
  laws_.look(SessionPicture{&s, s.local_key(), s.knows_peer(), s.send_unacknowledged(), s.fin_dsn(),
                            s.receive_next()});
}

void Watch::look_at_program(App& app) {
  tcp::Stream* s = app.stream();
  if (s == nullptr || !counts(*s) || s->state() == tcp::StreamState::opening) return;
  laws_.look_at_program(app.written(), written(*s), app.received() + waiting_in(*s), received(*s));
}

const Watch::Origin& Watch::origin_of(const mptcp::Session& s) {
  Origin& o = origins_[&s];
  if (o.key != s.local_key()) o = {s.local_key(), false, mptcp::hash_key(s.local_key()).idsn + 1, DataSeq(1)};
  if (s.knows_peer() && !o.knows_peer) {
    o.knows_peer = true;
    o.theirs = s.remote_first();
  }
  return o;
}

std::uint64_t Watch::received(tcp::Stream& s) {
  if (const auto* c = dynamic_cast<tcp::PlainStream*>(&s)) return c->bytes_in;
  const auto& session = dynamic_cast<mptcp::Session&>(s);
  const DataSeq next = session.receive_next();
  if (next == DataSeq{}) return 0;  // of the peer nothing is known yet
  return static_cast<std::uint64_t>(next - origin_of(session).theirs) - (session.counted_peer_fin() ? 1 : 0);
}

std::uint64_t Watch::written(tcp::Stream& s) {
  if (const auto* c = dynamic_cast<tcp::PlainStream*>(&s)) return c->bytes_out + c->flight().unsent_bytes;
  const auto& session = dynamic_cast<mptcp::Session&>(s);
  return static_cast<std::uint64_t>(session.fin_dsn() - origin_of(session).ours);
}

void Watch::sent(const Device& from, const Packet& packet) {
  wire::TcpFrame f;
  if (wire::parse_frame(packet, wire::Trust::checksum_good, f) != wire::FrameKind::tcp) return;
  bool ours = &from == lab_.gateway.get() || &from == lab_.client.get();
  for (const auto& host : lab_.servers) ours |= &from == host.get();
  if (!ours && !f.has(wire::kSyn)) return;
  SentPicture p;
  p.flow = {f.flow.remote, f.flow.local};
  p.flags = f.flags;
  p.ack = f.ack;
  p.window = f.window;
  p.has_scale = f.options.has_window_scale;
  p.scale = f.options.window_scale;
  p.mptcp = f.options.mptcp.present != 0;
  p.has_data_ack = f.options.mptcp.has(wire::kMpDss) && f.options.mptcp.dss.has_ack;
  p.data_ack = static_cast<std::uint32_t>(f.options.mptcp.dss.data_ack);
  bool changed = false;  // by a box: the two ends do not see the same handshake
  for (const auto& link : lab_.world.links()) changed |= link->has_middlebox();
  laws_.look(p, ours && !changed);
}

// ---- the expensive part ----

void Watch::note_buffer(const rte_mbuf* m) {
  for (; m != nullptr; m = m->next) {
    buffers_.push_back(m);
    if (RTE_MBUF_CLONED(m)) buffers_.push_back(rte_mbuf_from_indirect(const_cast<rte_mbuf*>(m)));
  }
}

void Watch::note(const Segment* s) {
  const rte_mbuf* m = tcp::mbuf_of(const_cast<Segment&>(*s));
  buffers_.push_back(m);
  if (RTE_MBUF_CLONED(m)) buffers_.push_back(rte_mbuf_from_indirect(const_cast<rte_mbuf*>(m)));
}

// The send queue and what the scoreboard has counted of it.
void Watch::look_at_queues(const tcp::Connection& c) {
  const tcp::Flight& f = c.flight();
  std::uint64_t sacked = 0;
  std::uint64_t lost = 0;
  std::uint64_t unsent = 0;
  std::uint64_t segments = 0;
  std::uint64_t all = 0;
  bool sent = true;
  for (const Segment* s = f.head; s != nullptr; s = s->sent_next) {
    note(s);
    sent = sent && s != f.unsent;
    all += s->length;
    if (!sent) {
      unsent += s->length;
      continue;
    }
    ++segments;
    if (s->is(Segment::kSacked)) sacked += s->length;
    if (s->is(Segment::kLost)) lost += s->length;
  }
  laws_.look(QueuePicture{"bytes unsent", f.unsent_bytes, unsent});
  laws_.look(QueuePicture{"bytes lost", f.lost_bytes, lost});
  laws_.look(QueuePicture{"bytes SACKed", f.sacked_bytes, sacked});
  laws_.look(QueuePicture{"segments on the way", f.sent_segments, segments});
  std::uint64_t early = 0;
  for (const Segment* s = f.early.front(); s != nullptr; s = f.early.behind(*s)) {
    note(s);
    early += s->length;
  }
  laws_.look(QueuePicture{"bytes ahead of their turn", f.early.bytes(), early});
  std::uint64_t kept = 0;
  for (const Segment* s = f.kept.front(); s != nullptr; s = s->next) {
    note(s);
    kept += s->length;
  }
  if (kept != 0) laws_.look(QueuePicture{"bytes kept for a checksum", f.kept_bytes, kept});
  auto* plain = dynamic_cast<tcp::PlainStream*>(const_cast<tcp::Connection*>(&c));
  if (plain == nullptr) return;
  laws_.look(QueuePicture{"bytes of a stream not freed", plain->unfreed(), all});
  for (const Segment* s = plain->inbox().front(); s != nullptr; s = s->next) note(s);
}

void Watch::look_at_queues(mptcp::Session& s) {
  std::uint64_t unfreed = 0;
  for (const Segment* at = s.data_queue().front(); at != nullptr; at = at->next) {
    note(at);
    unfreed += at->length;
  }
  for (unsigned i = 0; i < limits::kMaxSubflows; ++i) {  // what only a subflow still needs
    if (s.subflow(i) == nullptr) continue;
    for (const Segment* at = s.subflow(i)->flight().head; at != nullptr; at = at->sent_next)
      if (!at->is(Segment::kInData) && !at->is(Segment::kCopy)) unfreed += at->length;
  }
  laws_.look(QueuePicture{"bytes of a session not freed", s.unfreed(), unfreed});
  std::uint64_t early = 0;
  for (const Segment* at = s.early().front(); at != nullptr; at = s.early().behind(*at)) {
    note(at);
    early += at->length;
  }
  laws_.look(QueuePicture{"bytes of a session ahead of their turn", s.early().bytes(), early});
  for (const Segment* at = s.inbox().front(); at != nullptr; at = at->next) note(at);
}

void Watch::look_closely() {
  buffers_.clear();
  const auto connection = [this](const tcp::Connection& c) {
    look_at(c);
    look_at_queues(c);
  };
  const auto session = [this](mptcp::Session& s) { look_at_queues(s); };
  for (unsigned w = 0; w < lab_.gateway->workers(); ++w) {
    lab_.gateway->engine(w).for_each_connection(connection);
    lab_.gateway->engine(w).for_each_session(session);
  }
  if (lab_.client) {
    lab_.client->for_each_connection(connection);
    lab_.client->for_each_session(session);
    look_at_both_ends(*lab_.client);
  }
  for (const auto& host : lab_.servers) {
    host->for_each_connection(connection);
    look_at_both_ends(*host);
  }
  look_at_buffers();
}

void Watch::look_at_both_ends(const Host& host) {
  if (host.dead()) return;
  for (const auto& link : lab_.world.links())
    if (link->has_middlebox()) return;
  host.for_each_connection([&](const tcp::Connection& c) {
    const Flow reverse{c.flow().remote, c.flow().local};
    for (unsigned w = 0; w < lab_.gateway->workers(); ++w)
      lab_.gateway->engine(w).for_each_connection([&](const tcp::Connection& g) {
        const bool both = g.flow() == reverse && c.synchronised() && g.synchronised() &&
                          g.initial_receive() == c.initial_send() && c.initial_receive() == g.initial_send();
        if (!both) return;
        const auto ends = [this](const tcp::Connection& a, const tcp::Connection& b) {
          const auto from = [](SubSeq x, SubSeq origin) { return static_cast<std::uint32_t>(x - origin); };
          laws_.look_at_both_ends(from(a.send_unacknowledged(), a.initial_send()),
                                  from(b.receive_next(), b.initial_receive()),
                                  from(a.send_next(), a.initial_send()));
        };
        ends(c, g);
        ends(g, c);
      });
  });
}

// Every buffer that is out of the pool stands in a queue, or somebody leaks.
void Watch::look_at_buffers() {
  if (!lab_.gateway->for_each_frame([this](const rte_mbuf* m) { note_buffer(m); })) return;
  std::sort(buffers_.begin(), buffers_.end());  // one may stand in two queues
  buffers_.erase(std::unique(buffers_.begin(), buffers_.end()), buffers_.end());
  const std::uint32_t out = buffers_in_use() - buffers_withheld() - lab_.buffers_before();
  laws_.look(QueuePicture{"packet buffers", out, buffers_.size()});
}

}  // namespace braid::kit
