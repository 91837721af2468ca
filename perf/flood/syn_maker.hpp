// SYNs of clients that do not exist, as Linux writes them: every second one asks for MPTCP.
#pragma once

#include <array>
#include <span>

#include "base/random.hpp"
#include "wire/frame.hpp"

namespace braid::perf {

class SynMaker {
 public:
  using Frame = std::array<std::byte, wire::kMaxHeaders>;

  SynMaker(Endpoint target, Mac source, Mac destination, std::uint64_t seed)
      : target_(target), source_(source), destination_(destination), random_(seed) {}

  // Writes one into `frame`; its bytes are at the end.
  std::span<const std::byte> make(Frame& frame) {
    wire::FrameOut out;
    out.source = source_;
    out.destination = destination_;
    out.flow = {{Ip::v4(address()), static_cast<std::uint16_t>(1024 + random_.below(64512))}, target_};
    out.seq = SubSeq(random_.next32());
    out.window = 64240;
    out.flags = wire::kSyn;
    wire::OptionBuffer options;
    options.mss(1460);
    options.sack_permitted();
    options.timestamps(random_.next32(), 0);
    options.window_scale(7);
    mptcp_ = !mptcp_;
    if (mptcp_) options.mp_capable(wire::MpCapable{});
    const std::size_t size =
        wire::write_headers(frame.data() + frame.size(), out, options.padded(), wire::ChecksumMode::full);
    return std::span(frame).last(size);
  }

 private:
  // Of 198.18.0.0/15, which is set aside for benchmarks (RFC 2544 C.2.2), without the lab's own networks.
  std::uint32_t address() {
    constexpr std::uint32_t kNet = 198U << 24 | 18U << 16;
    constexpr std::uint32_t kLab = 1U << 10;
    return kNet + kLab + random_.below((1U << 17) - kLab);
  }

  Endpoint target_;
  Mac source_, destination_;
  Rng random_;
  bool mptcp_ = false;
};

}  // namespace braid::perf
