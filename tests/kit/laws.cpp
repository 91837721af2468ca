#include "kit/laws.hpp"

namespace braid::kit {

using tcp::State;

namespace {
bool sent_fin(State s) {
  return s == State::fin_wait_1 || s == State::fin_wait_2 || s == State::closing || s == State::last_ack ||
         s == State::time_wait;
}

std::string difference(const char* a, std::uint64_t x, const char* b, std::uint64_t y) {
  return std::string(a) + " " + std::to_string(x) + ", " + b + " " + std::to_string(y);
}
}  // namespace

void Laws::look(const ConnectionPicture& p) {
  if (p.state == State::closed) {
    connections_.erase(p.who);
    return;
  }
  const bool synchronised = p.state >= State::established;
  auto [at, fresh] = connections_.try_emplace(p.who);
  Connection& c = at->second;
  if (fresh || c.iss != p.iss) c = {p.iss, false, p.snd_una, p.snd_nxt, p.rcv_nxt, {}};
  const std::string state = tcp::to_string(p.state);
  if (after(p.snd_una, p.snd_nxt)) report_("sequence", "SND.UNA is beyond SND.NXT in " + state);
  if (before(p.snd_una, c.snd_una)) report_("sequence", "SND.UNA has moved back in " + state);
  if (before(p.snd_nxt, c.snd_nxt)) report_("sequence", "SND.NXT has moved back in " + state);
  if (synchronised && c.synchronised && before(p.rcv_nxt, c.rcv_nxt))
    report_("sequence", "RCV.NXT has moved back in " + state);
  const SubSeq edge = p.snd_una + p.peer_window;
  c = {p.iss, synchronised, p.snd_una, p.snd_nxt, p.rcv_nxt, c.synchronised ? later(c.edge, edge) : edge};
  // A FIN is no byte that a window would have to take.
  if (synchronised && after(p.snd_nxt, c.edge + (sent_fin(p.state) ? 1U : 0U)))
    report_("peer's window", std::to_string(p.snd_nxt - c.edge) + " bytes beyond what was ever offered");
}

void Laws::look(const SessionPicture& p) {
  auto [at, fresh] = sessions_.try_emplace(p.who);
  Session& s = at->second;
  if (fresh || s.key != p.key) s = {p.key, p.knows_peer, p.snd_una, p.rcv_nxt};
  if (before(p.snd_una, s.snd_una)) report_("sequence", "what the DATA_ACK covers has moved back");
  if (after(p.snd_una, p.write_end + 1)) report_("sequence", "the DATA_ACK covers what was never written");
  if (s.knows_peer && p.knows_peer && before(p.rcv_nxt, s.rcv_nxt))
    report_("sequence", "the DATA_ACK to be sent has moved back");
  s = {p.key, p.knows_peer, p.snd_una, p.rcv_nxt};
}

void Laws::look(const RelayPicture& p) {
  if (p.received != p.moved + p.waiting)
    report_("conservation", difference("received", p.received, "moved and waiting", p.moved + p.waiting));
  if (p.written != p.moved) report_("conservation", difference("moved", p.moved, "written", p.written));
  const std::uint64_t there = std::uint64_t{p.waiting} + p.unfreed + p.freed;
  if (p.held != there) report_("accounts", difference("held", p.held, "waiting, unfreed and freed", there));
}

void Laws::look(const QueuePicture& p) {
  if (p.counted != p.there)
    report_("accounts", std::string(p.what) + ": " + difference("counted", p.counted, "there", p.there));
}

void Laws::look_at_program(std::uint64_t written, std::uint64_t taken_by_stream, std::uint64_t received,
                           std::uint64_t given_by_stream) {
  if (written != taken_by_stream)
    report_("conservation", difference("program wrote", written, "its stream took", taken_by_stream));
  if (received != given_by_stream)
    report_("conservation", difference("program received", received, "its stream gave", given_by_stream));
}

void Laws::look_at_both_ends(std::uint32_t acknowledged, std::uint32_t received, std::uint32_t sent) {
  if (acknowledged > received)
    report_("conservation", difference("acknowledged", acknowledged, "received", received));
  if (received > sent) report_("conservation", difference("received", received, "sent", sent));
}

// Windows are scaled when both SYNs offer it (RFC 7323 2.2), and one that answers offers only what it was
// offered.
void Laws::look_at_syn(const SentPicture& p) {
  const bool answers = (p.flags & wire::kAck) != 0;
  const auto asked = senders_.find({p.flow.remote, p.flow.local});
  if (answers && asked != senders_.end() && asked->second.asks) {
    asked->second.asks = false;
    if (!p.has_scale) asked->second.scale = 0;
  }
  senders_[p.flow] = {.asks = !answers, .mptcp = p.mptcp, .scale = p.scale};
}

void Laws::look(const SentPicture& p, bool judged) {
  if ((p.flags & wire::kSyn) != 0) return look_at_syn(p);
  if (!judged || (p.flags & wire::kRst) != 0 || (p.flags & wire::kAck) == 0) return;
  const auto at = senders_.find(p.flow);
  if (at == senders_.end()) return;
  Sender& s = at->second;
  const std::uint32_t unit = 1U << s.scale;
  const std::uint32_t window = p.window * unit;
  if (s.acked && before(p.ack, s.ack)) report_("sequence", "an acknowledgement has moved back");
  const SubSeq edge = p.ack + window;
  // A subflow's own edge is nobody's: what counts is that of the data (RFC 8684 3.3.1). The field counts
  // units (RFC 7323 2.3), so what it says may be off by part of one.
  if (s.acked && !s.mptcp && s.edge - edge >= static_cast<std::int32_t>(unit))
    report_("window", "the right edge has moved left by " + std::to_string(s.edge - edge));
  s.edge = s.acked ? later(s.edge, edge) : edge;
  s.ack = p.ack;
  s.acked = true;
  if (p.has_data_ack) look_at_data_level(p, s, window, unit);
}

void Laws::look_at_data_level(const SentPicture& p, Sender& s, std::uint32_t window, std::uint32_t unit) {
  const std::uint32_t edge = p.data_ack + window;
  if (s.data_acked && static_cast<std::int32_t>(p.data_ack - s.data_ack) < 0)
    report_("sequence", "a DATA_ACK has moved back");
  const auto moved = static_cast<std::int32_t>(s.data_edge - edge);
  if (s.data_acked && moved >= static_cast<std::int32_t>(unit))
    report_("window", "the right edge of the data has moved left by " + std::to_string(moved));
  if (!s.data_acked || moved < 0) s.data_edge = edge;
  s.data_ack = p.data_ack;
  s.data_acked = true;
}

}  // namespace braid::kit
