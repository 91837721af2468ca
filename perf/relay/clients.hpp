// MPTCP clients without a stack: they open, join, ask, acknowledge and close as a Linux client does on a path
// that loses nothing. One object holds many clients, each with up to two subflows.
#pragma once

#include <array>
#include <deque>
#include <vector>

#include "frame_maker.hpp"

namespace braid::perf {

inline constexpr unsigned kLegs = 2;

// What a client does once it is connected.
struct Script {
  bool join = false;           // opens a second subflow
  std::uint16_t request = 0;   // bytes to send; 0: says nothing
  std::uint16_t response = 0;  // bytes to wait for after that, before it closes
  bool close = false;
};

class Clients {
 public:
  // `slots`: clients alive at the same time at most.
  Clients(World& world, const Script& script, std::size_t slots);

  // A new client sends its SYN. Ids count up from 0.
  void open();
  // A frame from the engine that is not bulk data.
  void see(const wire::TcpFrame& frame);
  // Bulk data, taken by arrived() when it has crossed the path.
  struct Data {
    std::uint32_t client;
    std::uint8_t leg;
    std::uint16_t length;
    SubSeq seq;
    std::uint32_t dsn;
    std::uint32_t ts_value;
  };
  [[nodiscard]] Data data_of(const wire::TcpFrame& frame, const rte_mbuf* m);
  void arrived(const Data& data);
  // Acknowledges what has waited for a second segment for 40 ms.
  void delayed_acks();

  [[nodiscard]] std::uint64_t opened() const { return opened_; }
  [[nodiscard]] std::uint64_t ready() const { return ready_; }          // connected, and joined if they join
  [[nodiscard]] std::uint64_t completed() const { return completed_; }  // closed on all subflows
  // From now on all data are segments of `length` bytes. The window on the first subflow lets `first_leg` of
  // them out, as its congestion window would on a path of that capacity; all else goes on the second.
  void expect_bulk(std::uint16_t length, unsigned first_leg);

 private:
  struct Leg {
    SubSeq next, received, peer_first;
    std::uint32_t echo = 0;  // TSecr
    std::uint32_t nonce = 0;
    std::uint8_t unacknowledged = 0;  // segments
    bool open = false;
    bool fin_sent = false;
    bool fin_acked = false;
    bool fin_seen = false;
  };
  struct Client {
    std::uint64_t id = ~0ULL;
    std::uint64_t key = 0;
    std::uint64_t peer_key = 0;
    DataSeq next, received, first_received;
    std::uint32_t token = 0;  // the engine's
    std::uint32_t got = 0;    // bytes
    std::array<Leg, kLegs> legs;
    bool asked = false;
    bool joining = false;
    bool joined = false;  // the fourth ACK has come
    bool counted = false;
    bool fin_sent = false;
    bool fin_acked = false;
    bool peer_fin = false;
  };

  Client& of(const Endpoint& end, unsigned& leg);
  [[nodiscard]] Endpoint endpoint(const Client& c, unsigned leg) const;
  void synchronised(Client& c, unsigned leg, const wire::TcpFrame& f);
  void take_data_level(Client& c, const wire::TcpFrame& f);
  void progress(Client& c, unsigned leg, bool answer);
  void send_syn(Client& c, unsigned leg);
  void send_request(Client& c);
  void send_ack(Client& c, unsigned leg, std::uint8_t flags = wire::kAck, bool data_fin = false);
  void send(Client& c, unsigned leg, std::uint8_t flags, wire::OptionBuffer& o, ByteView payload);
  void begin_options(Client& c, unsigned leg, wire::OptionBuffer& o);
  void mark_received(Client& c, std::size_t slot, std::uint32_t dsn);

  World& world_;
  FrameMaker maker_;
  Script script_;
  Rng rng_{7};
  std::vector<Client> clients_;
  std::vector<std::byte> request_;
  std::uint16_t bulk_ = 0;
  std::uint16_t first_window_ = 0;               // scaled; 0: as on the other subflow
  static constexpr std::size_t kReorder = 8192;  // segments
  std::vector<std::uint64_t> arrived_;           // bit maps by slot: segments beyond `received`
  struct Waiting {
    Instant due;
    std::uint32_t client;
    std::uint8_t leg;
  };
  std::deque<Waiting> waiting_;
  std::uint64_t opened_ = 0;
  std::uint64_t ready_ = 0;
  std::uint64_t completed_ = 0;
};

}  // namespace braid::perf
