// One cable between two devices, with what real paths do to packets. Whether a packet is lost, doubled, late
// or damaged is a keyed hash of (seed, flow, numbers, copy), not of the order of arrival: a stray packet does
// not shift the fate of the others.
#pragma once

#include <map>
#include <string>
#include <unordered_map>

#include "base/random.hpp"
#include "kit/bottleneck.hpp"
#include "kit/edit.hpp"
#include "kit/pcapng.hpp"
#include "kit/world.hpp"

namespace braid::kit {

struct LinkSpec {
  std::string name = "link";
  double rate = 0;                       // bit/s; 0: unlimited
  double rate_up = 0;                    // toward the second end, where it is another one
  Duration delay{0};                     // one way
  Duration jitter{0};                    // of the delay, either way; packets stay in order
  std::size_t queue = 1U << 30;          // bytes that may wait in each direction
  std::size_t queue_packets = 1U << 20;  // and packets
  std::size_t mark_above = 1U << 30;     // bytes waiting beyond which packets get a congestion mark
  std::uint16_t mtu = 1500;              // larger IP packets vanish; the client's end says so in its MSS
  double loss = 0;                       // probabilities, 0..1
  double duplicate = 0;
  double corrupt = 0;  // one byte changed, checksum left as it was
  double reorder = 0;  // extra delay of up to `displacement`
  Duration displacement = 20ms;
  double fade = 0;  // part of the time, in spans of `fade_span`, in which nothing gets through
  Duration fade_span = 10ms;
  Duration hole{0};  // nothing gets through in the last so much of each `hole_every`
  Duration hole_every{0};
  std::shared_ptr<const Trace> trace{};  // instead of the rate
};

class Link final : public Actor {
 public:
  struct End {
    Device* device = nullptr;
    unsigned port = 0;
  };
  // What a middlebox does: may change the packet (see edit.hpp), false: it goes no further. `forward`: toward
  // the second end.
  using Middlebox = std::function<bool(Packet&, const wire::TcpFrame&, bool forward)>;

  Link(World& world, const LinkSpec& spec, End a, End b);

  // A packet enters at the end of `from`.
  void send(const Device& from, unsigned port, Packet packet);
  // A forged packet joins those under way; a middlebox may call this.
  void inject(bool forward, Packet packet);
  // The rest of the way from the middlebox on, for packets that it makes of those it has taken.
  void carry(bool forward, Packet packet);
  // Joins `device`'s port to this link?
  [[nodiscard]] bool ends_at(const Device& device, unsigned port) const;

  void cut() { cut_ = true; }
  void uncut() { cut_ = false; }
  // Drops silently in one direction only.
  void cut_forward(bool on) { cut_forward_ = on; }
  void cut_backward(bool on) { cut_backward_ = on; }
  [[nodiscard]] bool is_cut() const { return cut_; }
  void set_middlebox(Middlebox m) { middlebox_ = std::move(m); }
  [[nodiscard]] bool has_middlebox() const { return middlebox_ != nullptr; }
  void set_loss(double loss) { spec_.loss = loss; }
  void set_perfect() { spec_.loss = spec_.duplicate = spec_.corrupt = spec_.reorder = 0; }
  // The path changes without its ends noticing. `tells`: a router says so by ICMP.
  void set_mtu(std::uint16_t mtu, bool tells) {
    spec_.mtu = mtu;
    tells_mtu_ = tells;
  }
  [[nodiscard]] const LinkSpec& spec() const { return spec_; }
  // Packets delivered so far in a direction.
  [[nodiscard]] std::uint64_t delivered(bool forward) const { return delivered_[forward ? 1 : 0]; }
  [[nodiscard]] std::uint64_t delivered_bytes(bool forward) const {
    return delivered_bytes_[forward ? 1 : 0];
  }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t marked() const { return marked_; }
  [[nodiscard]] const std::vector<Captured>& captured() const { return captured_; }

  [[nodiscard]] Instant next_at() const override;
  void act(Instant now) override;
  [[nodiscard]] std::string name() const override { return spec_.name; }

 private:
  struct Due {
    bool forward;
    Packet packet;
  };
  void pass(Packet packet, bool forward, Rng fate);
  [[nodiscard]] bool is_out() const;
  [[nodiscard]] Rng fate_of(const Packet& packet, bool forward);

  World& world_;
  LinkSpec spec_;
  End a_, b_;
  bool cut_ = false;
  bool cut_forward_ = false;
  bool tells_mtu_ = false;
  bool cut_backward_ = false;
  Middlebox middlebox_;
  std::array<Bottleneck, 2> bottlenecks_;  // backward, forward
  std::array<Instant, 2> last_arrival_{};
  std::array<std::uint64_t, 2> delivered_{};
  std::array<std::uint64_t, 2> delivered_bytes_{};
  std::uint64_t lost_ = 0;
  std::uint64_t marked_ = 0;
  std::multimap<Instant, Due> under_way_;
  std::unordered_map<std::uint64_t, std::uint32_t> copies_;
  std::vector<Captured> captured_;
};

}  // namespace braid::kit
