// Which packets, and what happens to their options.
#include "kit/middlebox.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace braid::kit::box {

namespace {

Endpoint client_of(const wire::TcpFrame& f, bool up) { return up ? f.flow.remote : f.flow.local; }

bool is_syn(const wire::TcpFrame& f) { return f.has(wire::kSyn); }

// The MPTCP options alone, or all others.
Packet options_where(ByteView options, bool mptcp) {
  Packet copy(options.begin(), options.end());
  Packet out;
  for_each_option(copy, [&](unsigned kind, ByteSpan option) {
    if ((kind == wire::kMptcpKind) == mptcp) out.insert(out.end(), option.begin(), option.end());
  });
  return out;
}

}  // namespace

When any(Way way) {
  return [way](const wire::TcpFrame&, bool up) { return goes(way, up); };
}

When syn(Way way) {
  return [way](const wire::TcpFrame& f, bool up) { return goes(way, up) && is_syn(f); };
}

When no_syn(Way way) {
  return [way](const wire::TcpFrame& f, bool up) { return goes(way, up) && !is_syn(f); };
}

When with_data(Way way) {
  return [way](const wire::TcpFrame& f, bool up) { return goes(way, up) && f.payload_length != 0; };
}

When without_data(Way way) {
  return [way](const wire::TcpFrame& f, bool up) {
    return goes(way, up) && !is_syn(f) && f.payload_length == 0;
  };
}

When third_ack() {
  return [seen = std::map<Endpoint, bool>()](const wire::TcpFrame& f, bool up) mutable {
    if (!up) return false;
    if (is_syn(f)) return seen[client_of(f, up)] = false;
    return !std::exchange(seen[client_of(f, up)], true);
  };
}

When with(wire::MpPresent form, Way way) {
  return [form, way](const wire::TcpFrame& f, bool up) { return goes(way, up) && f.options.mptcp.has(form); };
}

When from_byte(std::uint32_t n, Way way) {
  struct State {
    std::array<SubSeq, 2> initial;
    bool begun = false;
  };
  return [n, way, flows = std::map<Endpoint, State>()](const wire::TcpFrame& f, bool up) mutable {
    State& s = flows[client_of(f, up)];
    if (is_syn(f)) {
      s.initial[up ? 1 : 0] = f.seq;
      return false;
    }
    if (!goes(way, up)) return false;
    const SubSeq end = f.seq + f.payload_length;
    if (f.payload_length != 0 && end - s.initial[up ? 1 : 0] > static_cast<std::int32_t>(n + 1))
      s.begun = true;
    return s.begun;
  };
}

Box chain(Box first, Box second) {
  return [first = std::move(first), second = std::move(second)](Packet& p, const wire::TcpFrame& f, bool up) {
    if (!first(p, f, up)) return false;
    wire::TcpFrame changed;
    return wire::parse_frame(p, wire::Trust::verify, changed) != wire::FrameKind::tcp ||
           second(p, changed, up);
  };
}

Box strip(When when) {
  return [when = std::move(when)](Packet& p, const wire::TcpFrame& f, bool up) {
    if (when(f, up)) p = strip_mptcp(p, f);
    return true;
  };
}

Box drop(When when, unsigned times) {
  return [when = std::move(when), times](Packet&, const wire::TcpFrame& f, bool up) mutable {
    if (times == 0 || !when(f, up)) return true;
    --times;
    return false;
  };
}

Box flip(When when, std::size_t at, std::uint8_t bits) {
  return [when = std::move(when), at, bits](Packet& p, const wire::TcpFrame& f, bool up) {
    if (!when(f, up)) return true;
    const ByteView old = options_of(p, f);
    Packet options(old.begin(), old.end());
    for_each_option(options, [&](unsigned kind, ByteSpan option) {
      if (kind == wire::kMptcpKind && at < option.size()) option[at] ^= static_cast<std::byte>(bits);
    });
    p = rewrite(p, options, payload_of(p, f));
    return true;
  };
}

Box reflect(When when) {
  using Last = std::array<Packet, 2>;  // by direction
  return [when = std::move(when), flows = std::map<Endpoint, Last>()](Packet& p, const wire::TcpFrame& f,
                                                                      bool up) mutable {
    Last& last = flows[client_of(f, up)];
    const ByteView old = options_of(p, f);
    if (f.options.mptcp.present != 0) last[up ? 1 : 0] = options_where(old, true);
    if (!when(f, up)) return true;
    Packet options = options_where(old, false);
    const Packet& echo = last[up ? 0 : 1];
    if (options.size() + echo.size() <= wire::kMaxOptionBytes)
      options.insert(options.end(), echo.begin(), echo.end());
    p = rewrite(p, options, payload_of(p, f));
    return true;
  };
}

Box no_scaling(When when) {
  return [when = std::move(when)](Packet& p, const wire::TcpFrame& f, bool up) {
    constexpr unsigned kWindowScale = 3;
    if (when(f, up)) p = rewrite(p, without_option(options_of(p, f), kWindowScale), payload_of(p, f));
    return true;
  };
}

}  // namespace braid::kit::box
