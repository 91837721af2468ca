// Boxes that meddle with bytes, acknowledgements and windows.
#include <algorithm>
#include <map>

#include "kit/middlebox.hpp"

namespace braid::kit::box {

namespace {

constexpr unsigned kSackKind = 5;

Endpoint client_of(const wire::TcpFrame& f, bool up) { return up ? f.flow.remote : f.flow.local; }

// One direction of a flow as its box counts it: SYN 0, first byte 1.
struct Direction {
  SubSeq initial;
  std::uint32_t seen = 1;  // after the last byte that came in order, or at all

  [[nodiscard]] std::uint32_t relative(SubSeq s) const { return static_cast<std::uint32_t>(s - initial); }
};

}  // namespace

Box substitute(Way way, std::byte from, std::byte to) {
  return [way, from, to](Packet& p, const wire::TcpFrame& f, bool up) {
    if (!goes(way, up) || f.payload_length == 0) return true;
    const ByteView old = payload_of(p, f);
    Packet payload(old.begin(), old.end());
    std::replace(payload.begin(), payload.end(), from, to);
    p = rewrite(p, options_of(p, f), payload);
    return true;
  };
}

namespace {

// Where a stream's bytes are after `more` have been put in, or taken out, at the relative number `at`.
struct Shift {
  std::uint32_t at;
  int more;

  // The sender's number, to the receiver.
  [[nodiscard]] std::uint32_t forth(std::uint32_t n) const {
    if (n <= at) return n;
    if (more < 0 && n < at + gone()) return at;
    return n + static_cast<std::uint32_t>(more);
  }
  // The receiver's number, to a sender that has sent up to `seen`.
  [[nodiscard]] std::uint32_t back(std::uint32_t n, std::uint32_t seen) const {
    if (more < 0) return n < at || (n == at && seen < at + gone()) ? n : n + gone();
    if (n <= at) return n;
    return std::max(at, n - static_cast<std::uint32_t>(more));
  }
  [[nodiscard]] std::uint32_t gone() const { return static_cast<std::uint32_t>(-more); }
};

Packet resized(ByteView old, std::uint32_t begin, const Shift& shift) {
  Packet out;
  for (std::uint32_t i = 0; i < old.size(); ++i) {
    const std::uint32_t n = begin + i;
    if (shift.more > 0 && n == shift.at)
      out.insert(out.end(), static_cast<std::size_t>(shift.more), std::byte{'x'});
    if (shift.more < 0 && n >= shift.at && n < shift.at + shift.gone()) continue;
    out.push_back(old[i]);
  }
  return out;
}

}  // namespace

Box resize(Way way, std::uint32_t at, int more) {
  const Shift shift{at + 1, more};
  using Flows = std::map<Endpoint, std::array<Direction, 2>>;
  return [way, shift, flows = Flows()](Packet& p, const wire::TcpFrame& f, bool up) mutable {
    auto& directions = flows[client_of(f, up)];
    Direction& d = directions[up ? 1 : 0];
    const Direction& other = directions[up ? 0 : 1];
    if (f.has(wire::kSyn)) {
      d.initial = f.seq;
      return true;
    }
    wire::FrameOut header = header_of(p, f);
    const ByteView old = options_of(p, f);
    Packet options(old.begin(), old.end());
    const ByteView bytes = payload_of(p, f);
    Packet payload(bytes.begin(), bytes.end());
    if (goes(way, up)) {
      const std::uint32_t begin = d.relative(f.seq);
      d.seen = std::max(d.seen, begin + f.payload_length);
      header.seq = d.initial + shift.forth(begin);
      payload = resized(bytes, begin, shift);
    }
    if (goes(way, !up)) {
      const auto back = [&](SubSeq n) { return other.initial + shift.back(other.relative(n), other.seen); };
      header.ack = back(f.ack);
      for_each_option(options, [&](unsigned kind, ByteSpan option) {
        if (kind != kSackKind) return;
        for (std::size_t i = 2; i + 4 <= option.size(); i += 4)
          store_be(option.data() + i, back(SubSeq(load_be<std::uint32_t>(option.data() + i))).raw);
      });
    }
    p = assemble(header, options, payload);
    return true;
  };
}

Box acknowledge(Link& link, Way way, std::uint32_t from, std::uint32_t to) {
  struct State {
    Direction sent;
    std::uint16_t window = 0;  // of the receiver, and its clock
    std::uint32_t stamp = 0;
  };
  using Key = std::pair<Endpoint, bool>;  // whose data: up
  return [&link, way, from, to, flows = std::map<Key, State>()](Packet& p, const wire::TcpFrame& f,
                                                                bool up) mutable {
    State& back = flows[{client_of(f, up), !up}];
    back.window = f.window;
    back.stamp = f.options.ts_value;
    State& s = flows[{client_of(f, up), up}];
    if (f.has(wire::kSyn)) s.sent.initial = f.seq;
    if (f.has(wire::kSyn) || f.payload_length == 0 || !goes(way, up)) return true;
    const std::uint32_t begin = s.sent.relative(f.seq);
    const std::uint32_t end = begin + f.payload_length;
    if (begin <= s.sent.seen && end > s.sent.seen) {
      s.sent.seen = end;
      wire::FrameOut ack = header_of(p, f);
      std::swap(ack.source, ack.destination);
      std::swap(ack.flow.local, ack.flow.remote);
      ack.seq = f.ack;
      ack.ack = s.sent.initial + end;
      ack.window = s.window;
      ack.flags = wire::kAck;
      wire::OptionBuffer o;
      if (f.options.has_timestamps) o.timestamps(s.stamp, f.options.ts_value);
      link.carry(!up, assemble(ack, o.padded(), {}));
    }
    return begin > to || end <= from + 1;
  };
}

Box clamp_window(Way way, std::uint16_t most) {
  return [way, most](Packet& p, const wire::TcpFrame& f, bool up) {
    if (!goes(way, up) || f.has(wire::kSyn)) return true;
    wire::FrameOut header = header_of(p, f);
    header.window = std::min(header.window, most);
    p = assemble(header, options_of(p, f), payload_of(p, f));
    return true;
  };
}

Box no_holes(Way way, unsigned period) {
  using Key = std::pair<Endpoint, bool>;
  return [way, period, count = 0U, flows = std::map<Key, Direction>()](Packet&, const wire::TcpFrame& f,
                                                                       bool up) mutable {
    Direction& d = flows[{client_of(f, up), up}];
    if (f.has(wire::kSyn)) d.initial = f.seq;
    if (f.has(wire::kSyn) || f.payload_length == 0 || !goes(way, up)) return true;
    const std::uint32_t begin = d.relative(f.seq);
    if (begin > d.seen || ++count % period == 0) return false;
    d.seen = std::max(d.seen, begin + f.payload_length);
    return true;
  };
}

}  // namespace braid::kit::box
