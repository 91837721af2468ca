// Emission of TCP options: the other half of tcp_options.hpp.
#include <algorithm>
#include <cstring>

#include "wire/tcp_options.hpp"

namespace braid::wire {

namespace {

template <std::unsigned_integral T>
std::byte* put(std::byte* p, T v) {
  store_be(p, v);
  return p + sizeof v;
}
std::byte* put8(std::byte* p, unsigned v) {
  *p = static_cast<std::byte>(v);
  return p + 1;
}

// Kind, length, subtype with its low four bits.
std::byte* put_mptcp(std::byte* p, std::size_t size, MpSubtype subtype, unsigned low = 0) {
  p = put8(p, kMptcpKind);
  p = put8(p, static_cast<unsigned>(size));
  return put8(p, static_cast<unsigned>(subtype) << 4 | low);
}

}  // namespace

// The next `n` bytes, or nullptr where they do not fit.
std::byte* OptionBuffer::claim(std::size_t n) {
  if (n > room()) return nullptr;
  std::byte* p = bytes_.data() + size_;
  size_ += n;
  return p;
}

bool OptionBuffer::mss(std::uint16_t value) {
  std::byte* p = claim(4);
  if (p != nullptr) put(p, std::uint32_t{0x02040000} | value);
  return p != nullptr;
}

bool OptionBuffer::window_scale(std::uint8_t shift) {
  std::byte* p = claim(3);
  if (p != nullptr) put8(put8(put8(p, 3), 3), shift);
  return p != nullptr;
}

bool OptionBuffer::sack_permitted() {
  std::byte* p = claim(2);
  if (p != nullptr) put8(put8(p, 4), 2);
  return p != nullptr;
}

bool OptionBuffer::timestamps(std::uint32_t value, std::uint32_t echo) {
  std::byte* p = claim(12);
  if (p != nullptr) put(put(put(p, std::uint32_t{0x0101080a}), value), echo);
  return p != nullptr;
}

unsigned OptionBuffer::sack(std::span<const SackBlock> blocks) {
  if (room() < 2 + 8) return 0;
  const std::size_t n = std::min({blocks.size(), std::size_t{4}, (room() - 2) / 8});
  if (n == 0) return 0;
  std::byte* p = claim(2 + 8 * n);
  p = put8(put8(p, 5), static_cast<unsigned>(2 + 8 * n));
  for (const SackBlock& b : blocks.first(n)) p = put(put(p, b.begin.raw), b.end.raw);
  return static_cast<unsigned>(n);
}

bool OptionBuffer::mp_capable(const MpCapable& o) {
  std::size_t size = 4 + 8U * o.keys;
  if (o.keys == 2 && o.has_data_length) size += o.has_checksum ? 4 : 2;
  std::byte* p = claim(size);
  if (p == nullptr) return false;
  p = put_mptcp(p, size, MpSubtype::capable, o.version & 0x0fU);
  p = put8(p, (o.checksum_required ? 0x80U : 0U) | (o.extension ? 0x40U : 0U) |
                  (o.no_join_initial ? 0x20U : 0U) | (o.hmac_sha256 ? 0x01U : 0U));
  if (o.keys >= 1) p = put(p, o.sender_key);
  if (o.keys < 2) return true;
  p = put(p, o.receiver_key);
  if (!o.has_data_length) return true;
  p = put(p, o.data_length);
  if (o.has_checksum) put(p, o.checksum);
  return true;
}

bool OptionBuffer::mp_join_syn(const MpJoin& o) {
  std::byte* p = claim(12);
  if (p == nullptr) return false;
  p = put8(put_mptcp(p, 12, MpSubtype::join, o.backup ? 1 : 0), o.address_id);
  put(put(p, o.token), o.nonce);
  return true;
}

bool OptionBuffer::mp_join_syn_ack(const MpJoin& o) {
  std::byte* p = claim(16);
  if (p == nullptr) return false;
  p = put8(put_mptcp(p, 16, MpSubtype::join, o.backup ? 1 : 0), o.address_id);
  put(put(p, o.hmac64), o.nonce);
  return true;
}

bool OptionBuffer::mp_join_ack(const MpJoin& o) {
  std::byte* p = claim(24);
  if (p == nullptr) return false;
  p = put8(put_mptcp(p, 24, MpSubtype::join), 0);
  std::memcpy(p, o.hmac160.data(), o.hmac160.size());
  return true;
}

bool OptionBuffer::dss(const Dss& o) {
  const std::size_t size = dss_size(o);
  std::byte* p = claim(size);
  if (p == nullptr) return false;
  p = put_mptcp(p, size, MpSubtype::dss);
  p = put8(p, (o.has_ack ? 0x01U : 0U) | (o.has_ack && o.ack_is_8 ? 0x02U : 0U) | (o.has_map ? 0x04U : 0U) |
                  (o.has_map && o.dsn_is_8 ? 0x08U : 0U) | (o.has_map && o.data_fin ? 0x10U : 0U));
  if (o.has_ack) p = o.ack_is_8 ? put(p, o.data_ack) : put(p, static_cast<std::uint32_t>(o.data_ack));
  if (!o.has_map) return true;
  p = o.dsn_is_8 ? put(p, o.dsn) : put(p, static_cast<std::uint32_t>(o.dsn));
  p = put(put(p, o.ssn), o.length);
  if (o.has_checksum) put(p, o.checksum);
  return true;
}

bool OptionBuffer::add_addr(const AddAddr& o) {
  const std::size_t size = 4 + (o.ip.is_v4() ? 4U : 16U) + (o.port != 0 ? 2U : 0U) + (o.echo ? 0U : 8U);
  std::byte* p = claim(size);
  if (p == nullptr) return false;
  p = put8(put_mptcp(p, size, MpSubtype::add_addr, o.echo ? 1 : 0), o.id);
  p = o.ip.is_v4() ? put(p, o.ip.v4()) : put(put(p, o.ip.hi), o.ip.lo);
  if (o.port != 0) p = put(p, o.port);
  if (!o.echo) put(p, o.hmac);
  return true;
}

bool OptionBuffer::remove_addr(std::span<const std::uint8_t> ids) {
  const std::size_t size = 3 + ids.size();
  std::byte* p = ids.empty() ? nullptr : claim(size);
  if (p == nullptr) return false;
  p = put_mptcp(p, size, MpSubtype::remove_addr);
  for (const std::uint8_t id : ids) p = put8(p, id);
  return true;
}

bool OptionBuffer::mp_prio(bool backup) {
  std::byte* p = claim(3);
  if (p != nullptr) put_mptcp(p, 3, MpSubtype::prio, backup ? 1 : 0);
  return p != nullptr;
}

bool OptionBuffer::mp_fail(std::uint64_t dsn) {
  std::byte* p = claim(12);
  if (p != nullptr) put(put8(put_mptcp(p, 12, MpSubtype::fail), 0), dsn);
  return p != nullptr;
}

bool OptionBuffer::mp_fastclose(std::uint64_t receiver_key) {
  std::byte* p = claim(12);
  if (p != nullptr) put(put8(put_mptcp(p, 12, MpSubtype::fastclose), 0), receiver_key);
  return p != nullptr;
}

bool OptionBuffer::mp_tcprst(MpTcprst o) {
  std::byte* p = claim(4);
  if (p != nullptr) put8(put_mptcp(p, 4, MpSubtype::tcprst, o.transient ? 1 : 0), o.reason);
  return p != nullptr;
}

ByteView OptionBuffer::padded() {
  while (size_ % 4 != 0) bytes_[size_++] = std::byte{1};
  return ByteView(bytes_).first(size_);
}

}  // namespace braid::wire
