#include "base/random.hpp"

namespace braid {

namespace {
class SipState {
 public:
  explicit SipState(SipKey key)
      : v0_(key.k0 ^ 0x736f6d6570736575ULL),
        v1_(key.k1 ^ 0x646f72616e646f6dULL),
        v2_(key.k0 ^ 0x6c7967656e657261ULL),
        v3_(key.k1 ^ 0x7465646279746573ULL) {}

  void absorb(std::uint64_t m) {
    v3_ ^= m;
    round();
    round();
    v0_ ^= m;
  }
  // `bytes`: of the whole message; `tail`: its last ones, fewer than eight, that filled no word.
  std::uint64_t finish(std::uint64_t bytes, std::uint64_t tail) {
    absorb(bytes << 56 | tail);
    v2_ ^= 0xff;
    for (int i = 0; i < 4; ++i) round();
    return v0_ ^ v1_ ^ v2_ ^ v3_;
  }

 private:
  void round() {
    v0_ += v1_;
    v1_ = std::rotl(v1_, 13) ^ v0_;
    v0_ = std::rotl(v0_, 32);
    v2_ += v3_;
    v3_ = std::rotl(v3_, 16) ^ v2_;
    v0_ += v3_;
    v3_ = std::rotl(v3_, 21) ^ v0_;
    v2_ += v1_;
    v1_ = std::rotl(v1_, 17) ^ v2_;
    v2_ = std::rotl(v2_, 32);
  }
  std::uint64_t v0_, v1_, v2_, v3_;
};
}  // namespace

std::uint64_t siphash(SipKey key, std::span<const std::uint64_t> words) {
  SipState s(key);
  for (const auto w : words) s.absorb(w);
  return s.finish(words.size() * 8, 0);
}

// Every received segment pays for this one, so that a flow is as short a message as its family allows: 12
// bytes, or 36.
std::uint64_t siphash(SipKey key, const Flow& flow) {
  SipState s(key);
  const auto ports = static_cast<std::uint64_t>(flow.local.port) << 16 | flow.remote.port;
  if (flow.local.ip.is_v4() && flow.remote.ip.is_v4()) {
    s.absorb(static_cast<std::uint64_t>(flow.local.ip.v4()) << 32 | flow.remote.ip.v4());
    return s.finish(12, ports);
  }
  s.absorb(flow.local.ip.hi);
  s.absorb(flow.local.ip.lo);
  s.absorb(flow.remote.ip.hi);
  s.absorb(flow.remote.ip.lo);
  return s.finish(36, ports);
}

}  // namespace braid
