#include "packetdrill/canonical.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "kit/edit.hpp"
#include "wire/frame.hpp"

namespace braid::drill {

namespace {

using Bytes = std::vector<std::byte>;

enum Kind : unsigned { kNop = 1, kMss = 2, kScale = 3, kSackPermitted = 4, kSack = 5, kStamps = 8 };

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

std::vector<Bytes> split(Bytes options) {
  std::vector<Bytes> out;
  kit::for_each_option(options, [&out](unsigned, ByteSpan o) {
    out.push_back(shortened({o.begin(), o.end()}));
  });
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
  const ByteView before = kit::options_of(frame, f);
  std::vector<Bytes> options = split({before.begin(), before.end()});
  if (!stamps && f.has(wire::kSyn))
    std::erase_if(options, [](const Bytes& o) { return kind_of(o) == kStamps; });
  std::stable_sort(options.begin(), options.end(),
                   [](const Bytes& a, const Bytes& b) { return rank(kind_of(a)) < rank(kind_of(b)); });
  wire::FrameOut header = kit::header_of(frame, f);
  header.flags = static_cast<std::uint8_t>(header.flags & ~wire::kPsh);
  const Bytes after = join(options);
  const bool fits = after.size() <= wire::kMaxOptionBytes;
  const kit::Packet out = kit::assemble(header, fits ? ByteView(after) : before, kit::payload_of(frame, f));
  return {out.begin() + wire::kEthernetHeader, out.end()};
}

}  // namespace braid::drill
