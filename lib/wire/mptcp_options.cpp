#include "wire/mptcp_options.hpp"

#include <algorithm>
#include <cstring>

#include "wire/checksum.hpp"
#include "wire/tcp_options.hpp"

namespace braid::wire {

namespace {

// What tells forms of one subtype apart besides the option's own bytes.
struct Context {
  std::uint8_t flags;
  std::size_t payload;
  [[nodiscard]] bool syn() const { return (flags & kSyn) != 0; }
  [[nodiscard]] bool ack() const { return (flags & kAck) != 0; }
  [[nodiscard]] bool rst() const { return (flags & kRst) != 0; }
};

std::uint8_t byte_at(ByteView o, std::size_t i) { return std::to_integer<std::uint8_t>(o[i]); }

template <class T>
T word_at(ByteView o, std::size_t i) {
  return load_be<T>(o.data() + i);
}

std::uint64_t u64_at(ByteView o, std::size_t i) { return word_at<std::uint64_t>(o, i); }
std::uint32_t u32_at(ByteView o, std::size_t i) { return word_at<std::uint32_t>(o, i); }
std::uint16_t u16_at(ByteView o, std::size_t i) { return word_at<std::uint16_t>(o, i); }

// 3.1: whether `size` is a size of MP_CAPABLE for this segment, and how many keys that form holds.
bool capable_form(std::uint8_t version, std::size_t size, Context c, std::uint8_t& keys) {
  if (c.syn() && !c.ack()) {
    // A version above ours has an unknown form, but its version must be seen to answer with ours; version 0
    // (RFC 6824) brings its key in the SYN.
    keys = version == 0 ? 1 : 0;
    return version == 0 ? size == 12 : version == 1 ? size == 4 : true;
  }
  keys = c.syn() ? 1 : 2;
  if (c.syn()) return size == 12;
  return c.ack() && (c.payload == 0 ? size == 20 : size == 22 || size == 24);
}

bool parse_capable(ByteView o, Context c, MptcpOptions& out) {
  if (o.size() < 4) return false;
  const std::uint8_t version = byte_at(o, 2) & 0x0f;
  std::uint8_t keys = 0;
  if (!capable_form(version, o.size(), c, keys)) return false;
  const std::uint8_t flags = byte_at(o, 3);
  MpCapable& m = out.capable;
  m.version = version;
  m.checksum_required = (flags & 0x80) != 0;
  m.extension = (flags & 0x40) != 0;
  m.no_join_initial = (flags & 0x20) != 0;
  m.hmac_sha256 = (flags & 0x01) != 0;
  m.keys = keys;
  m.sender_key = keys >= 1 ? u64_at(o, 4) : 0;
  m.receiver_key = keys == 2 ? u64_at(o, 12) : 0;
  m.has_data_length = keys == 2 && o.size() >= 22;
  m.has_checksum =
      keys == 2 && o.size() == 24;  // by size, never by flag A: a peer may set A and leave it out
  m.data_length = m.has_data_length ? u16_at(o, 20) : std::uint16_t{0};
  m.checksum = m.has_checksum ? u16_at(o, 22) : std::uint16_t{0};
  out.present |= kMpCapable;
  return true;
}

bool parse_join(ByteView o, Context c, MptcpOptions& out) {
  if (o.size() != (c.syn() ? (c.ack() ? 16U : 12U) : 24U) || (!c.syn() && !c.ack())) return false;
  MpJoin& m = out.join;
  if (!c.syn()) {
    std::memcpy(m.hmac160.data(), o.data() + 4, m.hmac160.size());
    out.present |= kMpJoinAck;
    return true;
  }
  m.backup = (byte_at(o, 2) & 1) != 0;
  m.address_id = byte_at(o, 3);
  if (c.ack()) {
    m.hmac64 = u64_at(o, 4);
    m.nonce = u32_at(o, 12);
    out.present |= kMpJoinSynAck;
  } else {
    m.token = u32_at(o, 4);
    m.nonce = u32_at(o, 8);
    out.present |= kMpJoinSyn;
  }
  return true;
}

bool parse_dss(ByteView o, MptcpOptions& out) {
  if (o.size() < 4) return false;
  const std::uint8_t flags = byte_at(o, 3);
  const bool has_ack = (flags & 0x01) != 0;
  const bool ack_is_8 = has_ack && (flags & 0x02) != 0;  // a and m mean nothing without A and M
  const bool has_map = (flags & 0x04) != 0;
  const bool dsn_is_8 = has_map && (flags & 0x08) != 0;
  const std::size_t ack_size = has_ack ? (ack_is_8 ? 8 : 4) : 0;
  const std::size_t dsn_size = has_map ? (dsn_is_8 ? 8 : 4) : 0;
  const std::size_t without_checksum = 4 + ack_size + (has_map ? dsn_size + 6 : 0);
  const bool has_checksum = has_map && o.size() == without_checksum + 2;
  if (o.size() != without_checksum && !has_checksum) return false;

  Dss& d = out.dss;
  d.has_ack = has_ack;
  d.ack_is_8 = ack_is_8;
  d.has_map = has_map;
  d.dsn_is_8 = dsn_is_8;
  d.data_fin = has_map && (flags & 0x10) != 0;  // DATA_FIN is a property of a mapping (3.3.3)
  d.has_checksum = has_checksum;
  d.data_ack = ack_is_8 ? u64_at(o, 4) : has_ack ? u32_at(o, 4) : 0;
  const std::size_t map = 4 + ack_size;
  d.dsn = dsn_is_8 ? u64_at(o, map) : has_map ? u32_at(o, map) : 0;
  d.ssn = has_map ? u32_at(o, map + dsn_size) : 0;
  d.length = has_map ? u16_at(o, map + dsn_size + 4) : std::uint16_t{0};
  d.checksum = has_checksum ? u16_at(o, map + dsn_size + 6) : std::uint16_t{0};
  out.present |= kMpDss;
  return true;
}

// Sizes: 4 + address (4 or 16) + port (0 or 2) + HMAC (8, or 0 on an echo); no two forms are equal.
bool parse_add_addr(ByteView o, MptcpOptions& out) {
  if (o.size() < 8) return false;
  const bool echo = (byte_at(o, 2) & 1) != 0;
  const std::size_t rest = o.size() - 4 - (echo ? 0U : 8U);
  const bool v6 = rest == 16 || rest == 18;
  const bool has_port = rest == 6 || rest == 18;
  if (!v6 && rest != 4 && rest != 6) return false;
  const Ip ip = v6 ? Ip::v6(u64_at(o, 4), u64_at(o, 12)) : Ip::v4(u32_at(o, 4));
  if (v6 && ip.is_v4()) return false;  // a mapped address would pass for one of the other family
  const std::size_t port_at = v6 ? 20 : 8;
  AddAddr& a = out.add_addr;
  a.echo = echo;
  a.id = byte_at(o, 3);
  a.port = has_port ? u16_at(o, port_at) : std::uint16_t{0};
  a.ip = ip;
  a.hmac = echo ? 0 : u64_at(o, o.size() - 8);
  out.present |= kMpAddAddr;
  return true;
}

bool parse_remove_addr(ByteView o, MptcpOptions& out) {
  if (o.size() < 4 || o.size() > 3 + out.remove_addr.ids.size()) return false;
  out.remove_addr.count = static_cast<std::uint8_t>(o.size() - 3);
  std::transform(o.begin() + 3, o.end(), out.remove_addr.ids.begin(),
                 [](std::byte b) { return std::to_integer<std::uint8_t>(b); });
  out.present |= kMpRemoveAddr;
  return true;
}

bool parse_prio(ByteView o, MptcpOptions& out) {
  if (o.size() != 3) return false;  // 4 bytes, with an address id, is version 0's form
  out.prio_backup = (byte_at(o, 2) & 1) != 0;
  out.present |= kMpPrio;
  return true;
}

bool parse_fail(ByteView o, MptcpOptions& out) {
  if (o.size() != 12) return false;
  out.fail_dsn = u64_at(o, 4);
  out.present |= kMpFail;
  return true;
}

bool parse_fastclose(ByteView o, MptcpOptions& out) {
  if (o.size() != 12) return false;
  out.fastclose_key = u64_at(o, 4);
  out.present |= kMpFastclose;
  return true;
}

bool parse_tcprst(ByteView o, Context c, MptcpOptions& out) {
  if (o.size() != 4 || !c.rst()) return false;  // 3.6: only on a segment with RST
  out.tcprst.transient = (byte_at(o, 2) & 1) != 0;
  out.tcprst.reason = byte_at(o, 3);
  out.present |= kMpTcprst;
  return true;
}

constexpr std::uint16_t kAnyJoin = kMpJoinSyn | kMpJoinSynAck | kMpJoinAck;
// The bits of `present` that each subtype sets, in the order of MpSubtype.
constexpr std::array<std::uint16_t, 9> kBitsOf{kMpCapable, kAnyJoin, kMpDss,       kMpAddAddr, kMpRemoveAddr,
                                               kMpPrio,    kMpFail,  kMpFastclose, kMpTcprst};

}  // namespace

bool parse_mptcp_option(ByteView option, std::uint8_t tcp_flags, std::size_t payload_length,
                        MptcpOptions& out) {
  if (option.size() < 3) return false;
  const auto subtype = static_cast<std::uint8_t>(byte_at(option, 2) >> 4);
  // Of two options of one subtype the first counts, so that a later one cannot change what is decided.
  if (subtype >= kBitsOf.size() || (out.present & kBitsOf[subtype]) != 0) return false;
  const Context c{tcp_flags, payload_length};
  const auto type = static_cast<MpSubtype>(subtype);
  // A SYN opens: nothing else has a connection to speak about yet.
  if (c.syn() && type != MpSubtype::capable && type != MpSubtype::join) return false;
  switch (type) {
    case MpSubtype::capable:
      return parse_capable(option, c, out);
    case MpSubtype::join:
      return parse_join(option, c, out);
    case MpSubtype::dss:
      return parse_dss(option, out);
    case MpSubtype::add_addr:
      return parse_add_addr(option, out);
    case MpSubtype::remove_addr:
      return parse_remove_addr(option, out);
    case MpSubtype::prio:
      return parse_prio(option, out);
    case MpSubtype::fail:
      return parse_fail(option, out);
    case MpSubtype::fastclose:
      return parse_fastclose(option, out);
    case MpSubtype::tcprst:
      return parse_tcprst(option, c, out);
  }
  return false;
}

std::uint16_t dss_checksum(std::uint64_t dsn, std::uint32_t ssn, std::uint16_t length,
                           std::uint16_t payload_sum) {
  const std::uint64_t sum = (dsn >> 32) + (dsn & 0xffffffffULL) + ssn + length + payload_sum;
  return static_cast<std::uint16_t>(~fold(sum));
}

}  // namespace braid::wire
