// Pictures of sessions for the control core, a bounded number per turn.
#include "engine/engine.hpp"

namespace braid::engine {

namespace {
constexpr unsigned kEntriesPerTurn = 16;

SubflowInfo picture(const tcp::Connection& c) {
  SubflowInfo i;
  i.flow = c.flow();
  i.state = tcp::to_string(c.state());
  i.mss = c.mss();
  i.srtt_us = c.rtt().srtt();
  i.rttvar_us = c.rtt().var();
  i.rto_us = micros(c.rto());
  i.cwnd_bytes = c.cwnd();
  i.in_flight_bytes = c.in_flight();
  i.bytes_sent = c.bytes_out;
  i.bytes_received = c.bytes_in;
  i.retransmitted_segments = c.retransmissions();
  return i;
}

const char* to_string(tcp::StreamState s) {
  switch (s) {
    case tcp::StreamState::opening:
      return "OPENING";
    case tcp::StreamState::open:
      return "ESTABLISHED";
    case tcp::StreamState::failed:
      return "FAILED";
    case tcp::StreamState::closed:
      return "CLOSED";
  }
  return "?";
}
}  // namespace

void Engine::fill(SessionInfo& out, const relay::Pair& pair) const {
  out = {};
  out.id = pair.id;
  out.listener = static_cast<std::uint16_t>(&pair.listener() - settings_.relay->listeners.data());
  out.upstream_server = static_cast<std::uint16_t>(pair.server_index());
  out.client = pair.client_flow().remote;
  out.bind = pair.client_flow().local;
  out.age_ms = static_cast<std::uint64_t>((ctx_.now - pair.began()) / std::chrono::milliseconds(1));
  out.idle_ms = static_cast<std::uint64_t>((ctx_.now - pair.last_active()) / std::chrono::milliseconds(1));
  out.bytes_up = pair.bytes_up();
  out.bytes_down = pair.bytes_down();
  out.buffered_down = pair.client().unfreed();
  if (const auto* session = dynamic_cast<const mptcp::Session*>(&pair.client())) {
    out.mode = session->fallen_back() ? Mode::fallback : Mode::mptcp;
    out.token = session->token();
    out.state = mptcp::to_string(session->phase());
    for (unsigned slot = 0; slot < limits::kMaxSubflows; ++slot) {
      const mptcp::Subflow* sf = session->subflow(slot);
      if (sf == nullptr) continue;
      SubflowInfo& i = out.subflows[out.subflow_count++];
      i = picture(*sf);
      i.backup = sf->backup;
      i.stale = sf->stale;
      i.local_id = sf->local_id;
      i.remote_id = sf->remote_id;
      i.reinjected_segments = sf->reinjected;
    }
  } else {
    out.state = to_string(pair.client().state());
    out.subflows[out.subflow_count++] = picture(static_cast<const tcp::PlainStream&>(pair.client()));
  }
  if (pair.server() != nullptr) {
    out.buffered_up = pair.server()->unfreed();
    out.server = picture(static_cast<const tcp::PlainStream&>(*pair.server()));
  } else {
    out.server.flow.remote = pair.server_address();
  }
}

void Engine::answer_requests() {
  if (asked_ == nullptr) {
    ListRequest* next = nullptr;
    if (requests_.pop({&next, 1}) == 0) return;
    asked_ = next;
    asked_->filled = 0;
  }
  ListRequest& r = *asked_;
  unsigned filled = 0;
  std::uint32_t i = r.cursor;
  for (unsigned looked = 0; i < pair_live_.size() && looked < 1024 && filled < kEntriesPerTurn;
       ++i, ++looked) {
    if (pair_live_[i] == 0) continue;
    if (r.filled == r.out.size()) break;
    fill(r.out[r.filled++], *pairs_.at(i));
    ++filled;
  }
  r.cursor = i;
  const bool complete = i >= pair_live_.size();
  if (!complete && r.filled < r.out.size()) return;  // the rest next turn
  r.next = complete ? 0 : i;
  asked_ = nullptr;
  r.done.store(true, std::memory_order_release);
}

}  // namespace braid::engine
