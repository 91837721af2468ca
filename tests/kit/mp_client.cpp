#include "kit/mp_client.hpp"

#include <algorithm>
#include <cstring>

#include "wire/checksum.hpp"

namespace braid::kit {

namespace {
constexpr auto kSynAck = static_cast<std::uint8_t>(S | A);

Options plain_syn(bool sack) {
  return [sack](wire::OptionBuffer& o) {
    o.mss(1460);
    if (sack) o.sack_permitted();
    o.window_scale(7);
  };
}
}  // namespace

Options MpClient::capable_syn() const {
  return plain_syn(sack) + [sum = checksum](wire::OptionBuffer& o) {
    wire::MpCapable c;
    c.checksum_required = sum;
    o.mp_capable(c);
  };
}

Options MpClient::capable_ack(std::uint16_t data_length) const {
  return [=, this](wire::OptionBuffer& o) {
    wire::MpCapable c;
    c.keys = 2;
    c.sender_key = key_;
    c.receiver_key = key_of_peer;
    c.checksum_required = checksum;
    c.has_data_length = data_length != 0;
    c.data_length = data_length;
    o.mp_capable(c);
  };
}

Options MpClient::join_syn(std::uint8_t id, bool backup) const {
  return plain_syn(sack) + [=, this](wire::OptionBuffer& o) {
    wire::MpJoin j;
    j.address_id = id;
    j.backup = backup;
    j.token = token_of(key_of_peer);
    j.nonce = nonce;
    o.mp_join_syn(j);
  };
}

Options MpClient::join_third() const { return join_third(join_mac(key_, key_of_peer, nonce, peer_nonce)); }

Options MpClient::join_third(const std::vector<std::uint8_t>& mac) {
  wire::MpJoin j;
  std::memcpy(j.hmac160.data(), mac.data(), j.hmac160.size());
  return [j](wire::OptionBuffer& o) { o.mp_join_ack(j); };
}

wire::Dss MpClient::numbers() const {
  wire::Dss d;
  d.ack_is_8 = d.dsn_is_8 = !short_numbers;
  return d;
}

Options MpClient::ack(std::uint64_t count) const {
  return [=, this](wire::OptionBuffer& o) {
    wire::Dss d = numbers();
    d.has_ack = true;
    d.data_ack = idsn_of(key_of_peer) + 1 + count;
    o.dss(d);
  };
}

Options MpClient::map(std::uint64_t at, std::uint32_t ssn, std::uint16_t length, bool fin) const {
  return [=, this](wire::OptionBuffer& o) {
    wire::Dss d = numbers();
    d.has_map = true;
    d.dsn = idsn_of(key_) + 1 + at;
    d.ssn = ssn;
    d.length = length;
    d.data_fin = fin;
    d.has_checksum = checksum;
    o.dss(d);
  };
}

Options MpClient::map_ack(std::uint64_t at, std::uint32_t ssn, std::uint16_t length, std::uint64_t acked,
                          bool fin) const {
  return [=, this](wire::OptionBuffer& o) {
    wire::Dss d = numbers();
    d.has_map = d.has_ack = true;
    d.data_ack = idsn_of(key_of_peer) + 1 + acked;
    d.dsn = idsn_of(key_) + 1 + at;
    d.ssn = ssn;
    d.length = length;
    d.data_fin = fin;
    d.has_checksum = checksum;
    o.dss(d);
  };
}

void MpClient::data(Remote& c, std::uint64_t at, const std::string& text, std::uint64_t acked,
                    bool fin) const {
  const auto length = static_cast<std::uint16_t>(text.size() + (fin ? 1 : 0));
  const std::uint32_t ssn = c.sent();
  c.say({.data = text, .options = [=, this](wire::OptionBuffer& o) {
           wire::Dss d = numbers();
           d.has_map = d.has_ack = true;
           d.data_ack = idsn_of(key_of_peer) + 1 + acked;
           d.dsn = idsn_of(key_) + 1 + at;
           d.ssn = ssn;
           d.length = length;
           d.data_fin = fin;
           d.has_checksum = checksum;
           if (checksum)
             d.checksum =
                 wire::dss_checksum(d.dsn, ssn, length, wire::ones_sum(std::as_bytes(std::span(text))));
           o.dss(d);
         }});
}

void MpClient::data_fin(Remote& c, std::uint64_t at, std::uint64_t acked) const {
  c.say({.options = map_ack(at, 0, 1, acked, true)});
}

std::int64_t MpClient::acked_in(const Heard& h) const {
  const auto& m = h.mp();
  if (!m.has(wire::kMpDss) || !m.dss.has_ack) return -1;
  const std::uint64_t first = idsn_of(key_) + 1;
  if (m.dss.ack_is_8) return static_cast<std::int64_t>(m.dss.data_ack - first);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(m.dss.data_ack) -
                                   static_cast<std::uint32_t>(first));
}

std::int64_t MpClient::mapped_in(const Heard& h) const {
  const auto& m = h.mp();
  if (!m.has(wire::kMpDss) || !m.dss.has_map) return -1;
  const std::uint64_t first = idsn_of(key_of_peer) + 1;
  if (m.dss.dsn_is_8) return static_cast<std::int64_t>(m.dss.dsn - first);
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(m.dss.dsn) - static_cast<std::uint32_t>(first));
}

Remote& MpClient::half_open(bool sum) {
  checksum = sum;
  Remote& c = lab_.remote(0, next_port_++);
  c.say({.flags = S, .options = capable_syn()});
  const Heard h = c.expect({.flags = kSynAck, .seq = 0, .ack = 1});
  EXPECT_TRUE(h.mp().has(wire::kMpCapable));
  EXPECT_EQ(h.mp().capable.keys, 1);
  key_of_peer = h.mp().capable.sender_key;
  checksum = checksum || h.mp().capable.checksum_required;
  return c;
}

void MpClient::third_ack(Remote& c, std::string text) {
  c.say({.data = text, .options = capable_ack(static_cast<std::uint16_t>(text.size()))});
}

Remote& MpClient::connect(bool sum) {
  Remote& c = half_open(sum);
  third_ack(c);
  return c;
}

Remote& MpClient::half_join(unsigned port, const Endpoint& to, std::uint8_t id, bool backup) {
  Remote& c = lab_.client_script->remote(port, {lab_.client_ip(port), next_port_++}, to, 70000);
  c.say({.flags = S, .options = join_syn(id, backup)});
  const Heard h = c.expect({.flags = kSynAck, .seq = 0, .ack = 1});
  EXPECT_TRUE(h.mp().has(wire::kMpJoinSynAck)) << describe(h);
  peer_nonce = h.mp().join.nonce;
  const auto mac = join_mac(key_of_peer, key_, peer_nonce, nonce);
  std::uint64_t left = 0;
  for (unsigned i = 0; i < 8; ++i) left = left << 8 | mac[i];
  EXPECT_EQ(h.mp().join.hmac64, left);
  return c;
}

void MpClient::join_ack(Remote& c) {
  c.say({.options = join_third()});
  const Heard h = c.expect({.flags = A, .seq = 1, .ack = 1});  // the fourth ACK
  EXPECT_TRUE(h.mp().has(wire::kMpDss));
}

Remote& MpClient::join(unsigned port, std::uint8_t id, bool backup) {
  Remote& c = half_join(port, lab_.listener(), id, backup);
  join_ack(c);
  return c;
}

}  // namespace braid::kit
