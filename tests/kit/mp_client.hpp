// An MPTCP client by hand: keys, mappings and HMACs of one session, over scripted connections.
#pragma once

#include "kit/lab.hpp"
#include "kit/mp_secrets.hpp"

namespace braid::kit {

class MpClient {
 public:
  explicit MpClient(Lab& lab, std::uint64_t key = 0x0123456789abcdefULL) : lab_(lab), key_(key) {}

  // The next connection comes from this port, others from those behind it.
  void first_port(std::uint16_t port) { next_port_ = port; }
  // SYN, SYN/ACK, third ACK; the first subflow comes from access link 0.
  Remote& connect(bool checksum = false);
  // The first two segments of that only.
  Remote& half_open(bool checksum = false);
  void third_ack(Remote& c, std::string data = {});
  // A join up to the fourth ACK.
  Remote& join(unsigned port, std::uint8_t id = 2, bool backup = false);
  // The first two segments of that; checks the SYN/ACK's HMAC.
  Remote& half_join(unsigned port, const Endpoint& to, std::uint8_t id = 2, bool backup = false);
  void join_ack(Remote& c);

  // Options.
  [[nodiscard]] Options capable_syn() const;
  [[nodiscard]] Options capable_ack(std::uint16_t data_length = 0) const;
  [[nodiscard]] Options join_syn(std::uint8_t id, bool backup = false) const;
  [[nodiscard]] Options join_third() const;
  // The same with `mac`, of at least 20 bytes, for the right HMAC.
  [[nodiscard]] static Options join_third(const std::vector<std::uint8_t>& mac);
  // DATA_ACK of `count` bytes received from the peer.
  [[nodiscard]] Options ack(std::uint64_t count) const;
  // Mapping of `length` bytes from data offset `at`, subflow number `ssn`; where checksums were agreed, its
  // own is 0: data() has a right one.
  [[nodiscard]] Options map(std::uint64_t at, std::uint32_t ssn, std::uint16_t length,
                            bool fin = false) const;
  // Mapping and DATA_ACK.
  [[nodiscard]] Options map_ack(std::uint64_t at, std::uint32_t ssn, std::uint16_t length,
                                std::uint64_t acked, bool fin = false) const;
  // Bytes under a mapping of their own, after what was sent on that subflow.
  void data(Remote& c, std::uint64_t at, const std::string& text, std::uint64_t acked = 0,
            bool fin = false) const;
  // DATA_FIN alone, at data offset `at`.
  void data_fin(Remote& c, std::uint64_t at, std::uint64_t acked = 0) const;

  // Data numbers of a segment heard, as offsets.
  [[nodiscard]] std::int64_t acked_in(const Heard& h) const;   // of DATA_ACK; -1: none
  [[nodiscard]] std::int64_t mapped_in(const Heard& h) const;  // of its mapping; -1: none

  std::uint64_t key_of_peer = 0;
  bool short_numbers = false;  // 4-byte DATA_ACK and DSN
  bool checksum = false;
  bool sack = true;  // permitted in SYNs
  std::uint32_t nonce = 0x11223344;
  std::uint32_t peer_nonce = 0;
  [[nodiscard]] std::uint64_t key() const { return key_; }

 private:
  [[nodiscard]] wire::Dss numbers() const;
  Lab& lab_;
  std::uint64_t key_;
  std::uint16_t next_port_ = 30000;
};

}  // namespace braid::kit
