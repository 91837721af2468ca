#include "packetdrill/canonical.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "wire/frame.hpp"

namespace braid::drill {

namespace {

using Bytes = std::vector<std::byte>;

enum Kind : unsigned { kEnd = 0, kNop = 1, kMss = 2, kScale = 3, kSackPermitted = 4, kSack = 5, kStamps = 8 };

unsigned kind_of(const Bytes& option) { return std::to_integer<unsigned>(option[0]); }

// A DSS whose numbers have four bytes: RFC 8684 3.3 leaves the choice to the sender in most cases.
Bytes shortened(const Bytes& o) {
  constexpr unsigned kAck = 1, kLongAck = 2, kMap = 4, kLongDsn = 8;
  if (kind_of(o) != wire::kMptcpKind || std::to_integer<unsigned>(o[2]) >> 4 != 2) return o;
  const auto flags = std::to_integer<unsigned>(o[3]);
  Bytes out(o.begin(), o.begin() + 4);
  out[3] = static_cast<std::byte>(flags & ~(kLongAck | kLongDsn));
  std::size_t at = 4;
  const auto number = [&](unsigned present, unsigned is_long) {
    if ((flags & present) == 0) return;
    if ((flags & is_long) != 0) at += 4;
    for (unsigned i = 0; i < 4; ++i) out.push_back(o[at++]);
  };
  number(kAck, kLongAck);
  number(kMap, kLongDsn);
  out.insert(out.end(), o.begin() + static_cast<std::ptrdiff_t>(at), o.end());
  out[1] = static_cast<std::byte>(out.size());
  return out;
}

// Without NOPs. Options come from our own OptionBuffer: their lengths can be trusted.
std::vector<Bytes> split(ByteView options) {
  std::vector<Bytes> out;
  for (std::size_t at = 0; at < options.size();) {
    const auto kind = std::to_integer<unsigned>(options[at]);
    if (kind == kEnd) break;
    if (kind == kNop) {
      ++at;
      continue;
    }
    const std::size_t length = std::to_integer<std::size_t>(options[at + 1]);
    const ByteView one = options.subspan(at, std::min(length, options.size() - at));
    out.push_back(shortened({one.begin(), one.end()}));
    at += std::max<std::size_t>(length, 2);
  }
  return out;
}

// Place of an option among the others; the rest, which is MPTCP's, stays behind in the order it has.
unsigned rank(unsigned kind) {
  constexpr std::array<unsigned, 5> kOrder{kMss, kSackPermitted, kStamps, kScale, kSack};
  return static_cast<unsigned>(std::find(kOrder.begin(), kOrder.end(), kind) - kOrder.begin());
}

// NOPs in front of an option: it ends on a multiple of four bytes.
std::size_t nops(unsigned kind, bool stamps_in_syn) {
  switch (kind) {
    case kScale:
      return 1;
    case kStamps:
      return stamps_in_syn ? 0 : 2;  // SACK permitted takes the place
    case kSackPermitted:
      return stamps_in_syn ? 0 : 2;
    case kSack:
      return 2;
    default:
      return 0;
  }
}

Bytes join(const std::vector<Bytes>& options) {
  const auto has = [&](unsigned kind) {
    return std::any_of(options.begin(), options.end(), [=](const Bytes& o) { return kind_of(o) == kind; });
  };
  const bool together = has(kStamps) && has(kSackPermitted);
  Bytes out;
  for (const Bytes& o : options) {
    out.insert(out.end(), nops(kind_of(o), together), std::byte{kNop});
    out.insert(out.end(), o.begin(), o.end());
    while (rank(kind_of(o)) == 5 && out.size() % 4 != 0) out.push_back(std::byte{kNop});
  }
  while (out.size() % 4 != 0) out.push_back(std::byte{kNop});
  return out;
}

}  // namespace

kit::Packet canonical(const kit::Packet& frame, bool stamps) {
  wire::TcpFrame f;
  if (wire::parse_frame(frame, wire::Trust::verify, f) != wire::FrameKind::tcp)
    return {frame.begin() + wire::kEthernetHeader, frame.end()};
  const std::size_t begin = f.l4_offset + wire::kTcpHeader;
  std::vector<Bytes> options = split(ByteView(frame).subspan(begin, f.payload_offset - begin));
  if (!stamps && f.has(wire::kSyn))
    std::erase_if(options, [](const Bytes& o) { return kind_of(o) == kStamps; });
  std::stable_sort(options.begin(), options.end(),
                   [](const Bytes& a, const Bytes& b) { return rank(kind_of(a)) < rank(kind_of(b)); });
  Bytes bytes = join(options);
  if (bytes.size() > wire::kMaxOptionBytes)
    bytes.assign(frame.begin() + static_cast<std::ptrdiff_t>(begin), frame.begin() + f.payload_offset);
  wire::FrameOut out;
  out.flow = {f.flow.remote, f.flow.local};
  out.seq = f.seq;
  out.ack = f.ack;
  out.window = f.window;
  out.flags = static_cast<std::uint8_t>(f.flags & ~wire::kPsh);
  out.tos = f.ecn;
  out.payload_length = f.payload_length;
  out.payload_sum = f.payload_sum;
  kit::Packet p(wire::kMaxHeaders);
  const std::size_t n = wire::write_headers(p.data() + p.size(), out, bytes, wire::ChecksumMode::full);
  p.erase(p.begin(), p.end() - static_cast<std::ptrdiff_t>(n - wire::kEthernetHeader));
  p.insert(p.end(), frame.begin() + f.payload_offset, frame.begin() + f.payload_offset + f.payload_length);
  return p;
}

}  // namespace braid::drill
