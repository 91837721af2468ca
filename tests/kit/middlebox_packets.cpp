// Boxes that cut, join and rename packets.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "kit/middlebox.hpp"

namespace braid::kit::box {

namespace {

constexpr unsigned kSackKind = 5;

// The options of one of several packets that come of one.
Packet options_for(const Packet& p, const wire::TcpFrame& f, bool mptcp) {
  const ByteView all = options_of(p, f);
  return mptcp ? Packet(all.begin(), all.end()) : without_option(all, wire::kMptcpKind);
}

}  // namespace

Box split(Link& link, unsigned pieces, Keep keep) {
  return [&link, pieces, keep](Packet& p, const wire::TcpFrame& f, bool up) {
    const unsigned n = std::min<unsigned>(pieces, f.payload_length);
    if (n < 2 || f.has(wire::kSyn)) return true;
    const ByteView payload = payload_of(p, f);
    for (unsigned i = 0; i < n; ++i) {
      const std::size_t begin = payload.size() * i / n;
      const std::size_t end = payload.size() * (i + 1) / n;
      wire::FrameOut header = header_of(p, f);
      header.seq += static_cast<std::uint32_t>(begin);
      if (i + 1 != n) header.flags &= static_cast<std::uint8_t>(~(wire::kFin | wire::kPsh));
      const bool mptcp =
          keep == Keep::all || (keep == Keep::first && i == 0) || (keep == Keep::last && i + 1 == n);
      link.carry(up, assemble(header, options_for(p, f, mptcp), payload.subspan(begin, end - begin)));
    }
    return false;
  };
}

namespace {

// Holds one segment for each direction of each flow, until another follows or nothing has for a while.
class Merger : public std::enable_shared_from_this<Merger> {
 public:
  Merger(World& world, Link& link, std::size_t most, Keep keep)
      : world_(world), link_(link), most_(most), keep_(keep) {}

  bool take(Packet& p, const wire::TcpFrame& f, bool up) {
    const Flow key = f.flow;  // one for each direction
    const bool plain = f.payload_length != 0 && (f.flags & (wire::kSyn | wire::kFin | wire::kRst)) == 0;
    auto& held = held_[key];
    if (plain && held && follows(*held, f)) {
      join(*held, p, f);
      return false;
    }
    release(key, up);
    if (!plain) return true;
    hold(key, p, f, up);
    return false;
  }

 private:
  struct Held {
    Packet packet;
    wire::TcpFrame frame;
    std::uint64_t serial;
  };

  [[nodiscard]] bool follows(const Held& h, const wire::TcpFrame& f) const {
    return h.frame.seq + h.frame.payload_length == f.seq &&
           std::size_t{h.frame.payload_length} + f.payload_length <= most_;
  }

  void join(Held& h, const Packet& p, const wire::TcpFrame& f) const {
    wire::FrameOut header = header_of(p, f);  // the newer acknowledgement and window
    header.seq = h.frame.seq;
    const ByteView a = payload_of(h.packet, h.frame);
    const ByteView b = payload_of(p, f);
    Packet payload(a.begin(), a.end());
    payload.insert(payload.end(), b.begin(), b.end());
    const ByteView options = keep_ == Keep::first ? options_of(h.packet, h.frame) : options_of(p, f);
    h.packet = assemble(header, options, payload);
    wire::parse_frame(h.packet, wire::Trust::verify, h.frame);
  }

  void hold(const Flow& key, const Packet& p, const wire::TcpFrame& f, bool up) {
    held_[key] = Held{p, f, ++serial_};
    world_.at(world_.elapsed() + 2ms, [self = shared_from_this(), key, up, serial = serial_] {
      const auto& held = self->held_[key];
      if (held && held->serial == serial) self->release(key, up);
    });
  }

  void release(const Flow& key, bool up) {
    auto& held = held_[key];
    if (held) link_.carry(up, std::move(held->packet));
    held.reset();
  }

  World& world_;
  Link& link_;
  std::size_t most_;
  Keep keep_;
  std::uint64_t serial_ = 0;
  std::map<Flow, std::optional<Held>> held_;
};

}  // namespace

Box merge(World& world, Link& link, std::size_t most, Keep options) {
  return [merger = std::make_shared<Merger>(world, link, most, options)](
             Packet& p, const wire::TcpFrame& f, bool up) { return merger->take(p, f, up); };
}

Box renumber(std::uint64_t seed, bool sack) {
  return [seed, sack](Packet& p, const wire::TcpFrame& f, bool up) {
    const Endpoint client = up ? f.flow.remote : f.flow.local;
    const auto shift = [&](bool of_client) {
      return static_cast<std::uint32_t>(siphash({seed, of_client ? 1U : 0U}, Flow{client, {}}));
    };
    wire::FrameOut header = header_of(p, f);
    const std::uint32_t other = shift(!up);
    header.seq += shift(up);
    if (f.has(wire::kAck)) header.ack = f.ack - other;
    const ByteView old = options_of(p, f);
    Packet options(old.begin(), old.end());
    for_each_option(options, [&](unsigned kind, ByteSpan option) {
      if (kind != kSackKind || !sack) return;
      for (std::size_t i = 2; i + 4 <= option.size(); i += 4)
        store_be(option.data() + i, load_be<std::uint32_t>(option.data() + i) - other);
    });
    p = assemble(header, options, payload_of(p, f));
    return true;
  };
}

Box tag(const wire::Vlan& tags) {
  return [tags](Packet& p, const wire::TcpFrame& f, bool up) {
    if (!up && f.vlan != tags) return false;
    wire::FrameOut header = header_of(p, f);
    header.vlan = up ? tags : wire::Vlan{};
    p = assemble(header, options_of(p, f), payload_of(p, f));
    return true;
  };
}

Box translate(World& world, const Ip& outside, Duration rebind) {
  struct Binding {
    std::uint16_t port;
    Instant until;
  };
  struct State {
    std::map<Endpoint, Binding> inside;
    std::map<std::uint16_t, Endpoint> by_port;
    std::uint16_t next = 50000;
  };
  return [&world, outside, rebind, s = State()](Packet& p, const wire::TcpFrame& f, bool up) mutable {
    wire::FrameOut header = header_of(p, f);
    if (up) {
      const Endpoint client = f.flow.remote;
      auto it = s.inside.find(client);
      if (it == s.inside.end() || it->second.until <= world.now()) {
        const bool again = it != s.inside.end();
        if (again) s.by_port.erase(it->second.port);
        const Instant until = again || rebind == Duration::max() ? kNever : world.now() + rebind;
        it = s.inside.insert_or_assign(client, Binding{++s.next, until}).first;
        s.by_port[s.next] = client;
      }
      header.flow.local = {outside, it->second.port};
    } else {
      const auto it = s.by_port.find(f.flow.local.port);
      if (it == s.by_port.end()) return false;
      header.flow.remote = it->second;
    }
    p = assemble(header, options_of(p, f), payload_of(p, f));
    return true;
  };
}

}  // namespace braid::kit::box
