// What holds for every segment the parsers accept: each recorded option, written alone by OptionBuffer, is
// parsed to the same values. Used by the fuzz targets and by the unit tests.
#pragma once

#include <algorithm>
#include <string>

#include "wire/checksum.hpp"
#include "wire/frame.hpp"

namespace braid::fuzz {

using wire::MptcpOptions;
using wire::OptionBuffer;
using wire::TcpOptions;

inline bool same(const wire::MpCapable& a, const wire::MpCapable& b) {
  return a.version == b.version && a.checksum_required == b.checksum_required && a.extension == b.extension &&
         a.no_join_initial == b.no_join_initial && a.hmac_sha256 == b.hmac_sha256 && a.keys == b.keys &&
         a.has_data_length == b.has_data_length && a.has_checksum == b.has_checksum &&
         a.data_length == b.data_length && a.checksum == b.checksum && a.sender_key == b.sender_key &&
         a.receiver_key == b.receiver_key;
}

inline bool same(const wire::Dss& a, const wire::Dss& b) {
  return a.has_ack == b.has_ack && a.ack_is_8 == b.ack_is_8 && a.has_map == b.has_map &&
         a.dsn_is_8 == b.dsn_is_8 && a.data_fin == b.data_fin && a.has_checksum == b.has_checksum &&
         a.length == b.length && a.checksum == b.checksum && a.ssn == b.ssn && a.data_ack == b.data_ack &&
         a.dsn == b.dsn;
}

inline bool same(const wire::AddAddr& a, const wire::AddAddr& b) {
  return a.echo == b.echo && a.id == b.id && a.port == b.port && a.ip == b.ip && a.hmac == b.hmac;
}

// Compares the one form `bit` in two parses.
inline bool same_form(wire::MpPresent bit, const MptcpOptions& a, const MptcpOptions& b) {
  switch (bit) {
    case wire::kMpCapable:
      return same(a.capable, b.capable);
    case wire::kMpJoinSyn:
      return a.join.backup == b.join.backup && a.join.address_id == b.join.address_id &&
             a.join.token == b.join.token && a.join.nonce == b.join.nonce;
    case wire::kMpJoinSynAck:
      return a.join.backup == b.join.backup && a.join.address_id == b.join.address_id &&
             a.join.hmac64 == b.join.hmac64 && a.join.nonce == b.join.nonce;
    case wire::kMpJoinAck:
      return a.join.hmac160 == b.join.hmac160;
    case wire::kMpDss:
      return same(a.dss, b.dss);
    case wire::kMpAddAddr:
      return same(a.add_addr, b.add_addr);
    case wire::kMpRemoveAddr:
      return a.remove_addr.count == b.remove_addr.count &&
             std::equal(a.remove_addr.ids.begin(), a.remove_addr.ids.begin() + a.remove_addr.count,
                        b.remove_addr.ids.begin());
    case wire::kMpPrio:
      return a.prio_backup == b.prio_backup;
    case wire::kMpFail:
      return a.fail_dsn == b.fail_dsn;
    case wire::kMpFastclose:
      return a.fastclose_key == b.fastclose_key;
    case wire::kMpTcprst:
      return a.tcprst.transient == b.tcprst.transient && a.tcprst.reason == b.tcprst.reason;
  }
  return false;
}

inline bool emit_form(wire::MpPresent bit, const MptcpOptions& o, OptionBuffer& out) {
  switch (bit) {
    case wire::kMpCapable:
      return out.mp_capable(o.capable);
    case wire::kMpJoinSyn:
      return out.mp_join_syn(o.join);
    case wire::kMpJoinSynAck:
      return out.mp_join_syn_ack(o.join);
    case wire::kMpJoinAck:
      return out.mp_join_ack(o.join);
    case wire::kMpDss:
      return out.dss(o.dss);
    case wire::kMpAddAddr:
      return out.add_addr(o.add_addr);
    case wire::kMpRemoveAddr:
      return out.remove_addr(std::span(o.remove_addr.ids).first(o.remove_addr.count));
    case wire::kMpPrio:
      return out.mp_prio(o.prio_backup);
    case wire::kMpFail:
      return out.mp_fail(o.fail_dsn);
    case wire::kMpFastclose:
      return out.mp_fastclose(o.fastclose_key);
    case wire::kMpTcprst:
      return out.mp_tcprst(o.tcprst);
  }
  return false;
}

// Empty when all holds, else what does not.
inline std::string check_reemission(const TcpOptions& parsed, std::uint8_t flags, std::size_t payload) {
  for (unsigned i = 0; i <= 10; ++i) {
    const auto bit = static_cast<wire::MpPresent>(1U << i);
    if (!parsed.mptcp.has(bit)) continue;
    OptionBuffer buffer;
    if (!emit_form(bit, parsed.mptcp, buffer)) return "form does not fit: " + std::to_string(i);
    TcpOptions again;
    wire::parse_tcp_options(buffer.padded(), flags, payload, again);
    if (again.mptcp.present != bit || again.ignored != 0) return "form lost: " + std::to_string(i);
    if (!same_form(bit, parsed.mptcp, again.mptcp)) return "form changed: " + std::to_string(i);
  }
  OptionBuffer plain;
  if (parsed.has_mss) plain.mss(parsed.mss);
  if (parsed.has_window_scale) plain.window_scale(parsed.window_scale);
  if (parsed.sack_permitted) plain.sack_permitted();
  if (parsed.has_timestamps) plain.timestamps(parsed.ts_value, parsed.ts_echo);
  TcpOptions again;
  wire::parse_tcp_options(plain.padded(), flags, payload, again);
  if (again.has_mss != parsed.has_mss || again.has_window_scale != parsed.has_window_scale ||
      again.sack_permitted != parsed.sack_permitted || again.has_timestamps != parsed.has_timestamps)
    return "plain option lost";
  if ((again.has_mss && again.mss != parsed.mss) ||
      (again.has_window_scale && again.window_scale != parsed.window_scale) ||
      (again.has_timestamps && (again.ts_value != parsed.ts_value || again.ts_echo != parsed.ts_echo)))
    return "plain option changed";
  OptionBuffer sacks;
  const auto blocks = std::span(parsed.sack).first(parsed.sack_count);
  if (sacks.sack(blocks) != parsed.sack_count) return "SACK does not fit";
  wire::parse_tcp_options(sacks.padded(), flags, payload, again);
  if (again.sack_count != parsed.sack_count) return "SACK lost";
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (again.sack[i].begin != blocks[i].begin || again.sack[i].end != blocks[i].end) return "SACK changed";
  return {};
}

// The frame of an accepted segment, built anew from its parse (IP options and extension headers do not
// return), must be accepted under full verification and say the same.
inline std::string check_rewritten(ByteView frame, const wire::TcpFrame& parsed) {
  using namespace wire;
  const std::size_t header = static_cast<std::size_t>(parsed.payload_offset) - parsed.l4_offset;
  if (parsed.payload_offset + std::size_t{parsed.payload_length} > frame.size())
    return "payload outside the frame";
  if (header < kTcpHeader || header > kTcpHeader + kMaxOptionBytes) return "impossible header";
  const ByteView payload = frame.subspan(parsed.payload_offset, parsed.payload_length);
  std::array<std::byte, kMaxHeaders + 65536> room;
  std::byte* at = room.data() + kMaxHeaders;
  std::copy(payload.begin(), payload.end(), at);
  FrameOut out;
  out.source = parsed.source_mac;
  out.flow = {parsed.flow.remote, parsed.flow.local};
  out.seq = parsed.seq;
  out.ack = parsed.ack;
  out.window = parsed.window;
  out.flags = parsed.flags;
  out.ecn = parsed.ecn;
  out.vlan = parsed.vlan;
  out.payload_length = parsed.payload_length;
  out.payload_sum = ones_sum(payload);
  const ByteView options = frame.subspan(parsed.l4_offset + kTcpHeader, header - kTcpHeader);
  const std::size_t written = write_headers(at, out, options, ChecksumMode::full);
  const ByteView rebuilt(at - written, written + payload.size());
  for (const Trust trust : {Trust::verify, Trust::checksum_good}) {
    TcpFrame again;
    if (parse_frame(rebuilt, trust, again) != FrameKind::tcp) return "rebuilt frame refused";
    if (again.flow != parsed.flow || again.seq != parsed.seq || again.ack != parsed.ack ||
        again.window != parsed.window || again.flags != parsed.flags || again.ecn != parsed.ecn ||
        again.vlan != parsed.vlan || again.payload_length != parsed.payload_length ||
        again.source_mac != parsed.source_mac ||
        again.options.mptcp.present != parsed.options.mptcp.present ||
        again.options.ignored != parsed.options.ignored)
      return "rebuilt frame differs";
    if (again.payload_sum % 0xffff != out.payload_sum % 0xffff) return "payload sum differs";
  }
  return check_reemission(parsed.options, parsed.flags, parsed.payload_length);
}

}  // namespace braid::fuzz
