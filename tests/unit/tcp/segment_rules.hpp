// What one segment may change of a connection, as RFC 9293 3.10.7, RFC 5961 (blind attacks) and RFC 1337 (RST
// in TIME-WAIT) say it in words: an oracle that shares nothing with lib/tcp but the names of the states.
#pragma once

#include <cstdint>

#include "kit/script.hpp"
#include "tcp/connection.hpp"

namespace braid::kit {

// RFC 9293 3.3.1, absolute.
struct Numbers {
  std::uint32_t rcv_nxt = 0;
  std::uint32_t rcv_wnd = 0;
  std::uint32_t snd_una = 0;
  std::uint32_t snd_nxt = 0;
  std::uint32_t max_snd_wnd = 0;
  bool fin_sent = false;  // and so the last number before SND.NXT
};

struct Forged {
  std::uint8_t flags = 0;
  std::uint32_t seq = 0;
  std::uint32_t ack = 0;
  std::uint32_t length = 0;
  [[nodiscard]] bool has(std::uint8_t f) const { return (flags & f) != 0; }
  [[nodiscard]] std::uint32_t numbers() const { return length + (has(S) ? 1 : 0) + (has(F) ? 1 : 0); }
};

struct Verdict {
  tcp::State state;
  std::uint32_t received = 0;      // by which RCV.NXT moves
  std::uint32_t acknowledged = 0;  // by which SND.UNA moves
  bool may_ack = false;            // the answers that may be given
  bool may_reset = false;
  bool may_syn_ack = false;
  bool taken = false;  // it was let through to its text and FIN, so it may be kept for later
};

namespace rules {

using tcp::State;

inline bool in_window(const Numbers& n, std::uint32_t x) { return x - n.rcv_nxt < n.rcv_wnd; }

// 3.10.7.4 "First": the four cases of the table.
inline bool acceptable(const Numbers& n, const Forged& f) {
  if (f.numbers() == 0) return n.rcv_wnd == 0 ? f.seq == n.rcv_nxt : in_window(n, f.seq);
  return n.rcv_wnd != 0 && (in_window(n, f.seq) || in_window(n, f.seq + f.numbers() - 1));
}

// 3.10.7.3. No simultaneous open: a proxy that connects listens nowhere on that port.
inline Verdict in_syn_sent(const Numbers& n, const Forged& f) {
  const bool good = f.has(A) && f.ack == n.snd_nxt;
  if (f.has(A) && !good) return {.state = State::syn_sent, .may_reset = !f.has(R)};
  if (f.has(R)) return {.state = good ? State::closed : State::syn_sent};
  if (!f.has(S) || !good) return {.state = State::syn_sent};
  return {.state = State::established, .acknowledged = 1, .may_ack = true, .taken = true};
}

// What the ACK does in a synchronised state: the state after it.
inline State after_ack(State s, bool all) {
  if (!all) return s;
  if (s == State::fin_wait_1) return State::fin_wait_2;
  if (s == State::closing) return State::time_wait;
  if (s == State::last_ack) return State::closed;
  return s;
}

// Text and FIN, "Seventh" and "Eighth".
inline void take_text(const Numbers& n, const Forged& f, Verdict& v) {
  const bool receives =
      v.state == State::established || v.state == State::fin_wait_1 || v.state == State::fin_wait_2;
  if (!receives) return;
  const std::uint32_t old =
      n.rcv_nxt - f.seq;  // numbers before RCV.NXT; "negative" when the segment is ahead
  if (old > 0x7fffffff) return;
  if (old <= f.length) v.received = f.length - old;
  if (v.received > n.rcv_wnd) v.received = n.rcv_wnd;
  if (!f.has(F) || f.seq + f.length != n.rcv_nxt + v.received) return;
  v.received += 1;
  v.state = v.state == State::established  ? State::close_wait
            : v.state == State::fin_wait_1 ? State::closing
                                           : State::time_wait;
}

inline Verdict judge(State s, const Numbers& n, const Forged& f) {
  Verdict v{.state = s};
  if (s == State::syn_sent) return in_syn_sent(n, f);
  if (s == State::time_wait) {  // RFC 1337: no RST ends it; what is repeated is acknowledged
    v.may_ack = !f.has(R);
    return v;
  }
  // A closed window takes no text, but "special allowance should be made to accept valid ACKs and RSTs".
  const bool at_closed_edge = n.rcv_wnd == 0 && f.seq == n.rcv_nxt && !f.has(S);
  if (!acceptable(n, f) && !at_closed_edge) {
    v.may_ack = !f.has(R);
    v.may_syn_ack =
        s == State::syn_received && f.has(S) && !f.has(R) && f.seq == n.rcv_nxt - 1;  // ours was lost
    return v;
  }
  if (f.has(R)) {  // RFC 5961 3.2
    if (f.seq == n.rcv_nxt) v.state = State::closed;
    v.may_ack = f.seq != n.rcv_nxt;
    return v;
  }
  v.may_ack = true;
  if (f.has(S) || !f.has(A)) return v;  // RFC 5961 4.2; "if the ACK bit is off, drop"
  if (s == State::syn_received) {
    if (f.ack != n.snd_nxt) {
      v.may_reset = true;
      return v;
    }
    v.state = s = State::established;
  }
  // RFC 5961 5.2.
  const std::uint32_t behind = n.snd_nxt - f.ack;
  if (behind > n.snd_nxt - n.snd_una + n.max_snd_wnd) return v;
  if (f.ack - n.snd_una <= n.snd_nxt - n.snd_una) v.acknowledged = f.ack - n.snd_una;
  v.state = after_ack(s, n.fin_sent && f.ack == n.snd_nxt);
  v.taken = true;
  if (n.rcv_wnd != 0) take_text(n, f, v);
  return v;
}

}  // namespace rules
}  // namespace braid::kit
