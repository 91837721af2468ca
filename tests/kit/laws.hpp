// What must hold after every step of a world, whatever the paths and peers do. The laws judge pictures: plain
// values that Watch takes of connections, sessions, relays and packets, and that a test can forge.
//
// - sequence: what was acknowledged, sent and received never moves back, and nobody acknowledges more than
// was sent.
// - window: the right edge of a receive window never moves left (RFC 9293 3.8.6, RFC 8684 3.3.4).
// - peer's window: no new data beyond the furthest right edge that the peer ever offered (RFC 9293 3.8.6).
// - conservation: each byte taken from one side is given to the other, once.
// - accounts: gauges and counts say what the queues hold.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <unordered_map>

#include "tcp/connection.hpp"

namespace braid::kit {

struct ConnectionPicture {
  const void* who = nullptr;
  SubSeq iss{};  // with `who`, names the connection: the place of one that is gone may be taken by another
  tcp::State state = tcp::State::established;
  SubSeq snd_una{}, snd_nxt{}, rcv_nxt{};
  std::uint32_t peer_window = 0;
};

struct SessionPicture {
  const void* who = nullptr;
  std::uint64_t key = 0;
  bool knows_peer = false;
  DataSeq snd_una{}, write_end{}, rcv_nxt{};
};

// One direction of a relay: bytes from `from` to `to`.
struct RelayPicture {
  std::uint64_t received = 0;  // by `from`, in order
  std::uint64_t moved = 0;     // as the relay has it
  std::uint64_t written = 0;   // to `to`
  std::uint32_t waiting = 0;   // in the inbox of `from`
  std::uint32_t held = 0;      // of `from`: not given back to its window
  std::uint32_t unfreed = 0;   // of `to`
  std::uint32_t freed = 0;     // of `to`, not asked for yet
};

// A segment that somebody sends, as its header says it.
struct SentPicture {
  Flow flow;  // local: the sender
  std::uint8_t flags = 0;
  SubSeq ack{};
  std::uint16_t window = 0;
  bool has_scale = false;  // SYN: window scaling offered
  std::uint8_t scale = 0;
  bool mptcp = false;  // has an MPTCP option
  bool has_data_ack = false;
  std::uint32_t data_ack = 0;  // low half
};

// What the queues of a connection or session hold, against what was counted.
struct QueuePicture {
  const char* what = "";
  std::uint64_t counted = 0;
  std::uint64_t there = 0;
};

class Laws {
 public:
  using Report = std::function<void(const char* law, const std::string& what)>;
  explicit Laws(Report report) : report_(std::move(report)) {}

  void look(const ConnectionPicture& p);
  void look(const SessionPicture& p);
  void look(const RelayPicture& p);
  void look(const QueuePicture& p);
  // A program's own count against its stream's.
  void look_at_program(std::uint64_t written, std::uint64_t taken_by_stream, std::uint64_t received,
                       std::uint64_t given_by_stream);
  // The two ends of one connection, numbers counted from the initial ones: what is acknowledged has arrived,
  // and what has arrived was sent.
  void look_at_both_ends(std::uint32_t acknowledged, std::uint32_t received, std::uint32_t sent);
  // Every SYN, and every segment of those to be judged, in the order of sending.
  void look(const SentPicture& p, bool judged);

 private:
  struct Connection {
    SubSeq iss;
    bool synchronised = false;
    SubSeq snd_una, snd_nxt, rcv_nxt, edge;
  };
  struct Session {
    std::uint64_t key = 0;
    bool knows_peer = false;
    DataSeq snd_una, rcv_nxt;
  };
  struct Sender {
    bool asks = false;  // its SYN has no answer yet
    bool mptcp = false;
    bool acked = false;
    bool data_acked = false;
    std::uint8_t scale = 0;
    SubSeq ack{}, edge{};
    std::uint32_t data_ack = 0;
    std::uint32_t data_edge = 0;
  };
  void look_at_syn(const SentPicture& p);
  void look_at_data_level(const SentPicture& p, Sender& s, std::uint32_t window, std::uint32_t unit);

  Report report_;
  std::unordered_map<const void*, Connection> connections_;
  std::unordered_map<const void*, Session> sessions_;
  std::map<Flow, Sender> senders_;
};

}  // namespace braid::kit
