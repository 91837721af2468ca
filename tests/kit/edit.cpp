#include "kit/edit.hpp"

#include <algorithm>
#include <cstring>

#include "wire/checksum.hpp"

namespace braid::kit {

ByteView options_of(const Packet& packet, const wire::TcpFrame& f) {
  const std::size_t begin = f.l4_offset + wire::kTcpHeader;
  return ByteView(packet).subspan(begin, f.payload_offset - begin);
}

ByteView payload_of(const Packet& packet, const wire::TcpFrame& f) {
  return ByteView(packet).subspan(f.payload_offset, f.payload_length);
}

wire::FrameOut header_of(const Packet& packet, const wire::TcpFrame& f) {
  wire::FrameOut out;
  std::memcpy(out.destination.bytes.data(), packet.data(), 6);
  std::memcpy(out.source.bytes.data(), packet.data() + 6, 6);
  out.flow = {f.flow.remote, f.flow.local};
  out.seq = f.seq;
  out.ack = f.ack;
  out.window = f.window;
  out.flags = f.flags;
  out.ecn = f.ecn;
  out.vlan = f.vlan;
  return out;
}

Packet assemble(wire::FrameOut out, ByteView options, ByteView payload) {
  Packet padded(options.begin(), options.end());
  padded.resize((padded.size() + 3) / 4 * 4, std::byte{1});
  out.payload_length = static_cast<std::uint16_t>(payload.size());
  out.payload_sum = wire::ones_sum(payload);
  Packet fresh(wire::kMaxHeaders + payload.size());
  std::copy(payload.begin(), payload.end(), fresh.begin() + wire::kMaxHeaders);
  const std::size_t n =
      wire::write_headers(fresh.data() + wire::kMaxHeaders, out, padded, wire::ChecksumMode::full);
  fresh.erase(fresh.begin(), fresh.begin() + static_cast<std::ptrdiff_t>(wire::kMaxHeaders - n));
  return fresh;
}

Packet rewrite(const Packet& packet, ByteView options, ByteView payload) {
  wire::TcpFrame f;
  if (wire::parse_frame(packet, wire::Trust::verify, f) != wire::FrameKind::tcp) return packet;
  return assemble(header_of(packet, f), options, payload);
}

void for_each_option(ByteSpan options, const std::function<void(unsigned, ByteSpan)>& what) {
  for (std::size_t i = 0; i < options.size();) {
    const auto kind = std::to_integer<unsigned>(options[i]);
    if (kind == 0) break;
    if (kind == 1) {
      ++i;
      continue;
    }
    const auto length = std::to_integer<std::size_t>(options[i + 1]);
    what(kind, options.subspan(i, length));
    i += length;
  }
}

Packet without_option(ByteView old, unsigned which) {
  Packet options(old.begin(), old.end());
  for_each_option(options, [which](unsigned kind, ByteSpan option) {
    if (kind == which) std::fill(option.begin(), option.end(), std::byte{1});
  });
  return options;
}

bool mark_congestion(Packet& packet) {
  wire::TcpFrame f;
  if (wire::parse_frame(packet, wire::Trust::verify, f) != wire::FrameKind::tcp || f.ecn == 0) return false;
  wire::FrameOut header = header_of(packet, f);
  header.ecn = 3;
  packet = assemble(header, options_of(packet, f), payload_of(packet, f));
  return true;
}

Packet strip_mptcp(const Packet& packet, const wire::TcpFrame& f) {
  return rewrite(packet, without_option(options_of(packet, f), wire::kMptcpKind), payload_of(packet, f));
}

}  // namespace braid::kit
