#include "kit/mutant.hpp"

#include "wire/checksum.hpp"

namespace braid::kit {

void mend_checksums(Packet& p) {
  constexpr std::size_t kIp = wire::kEthernetHeader;
  if (p.size() < kIp + wire::kIpv4Header) return;
  const bool v4 = load_be<std::uint16_t>(p.data() + 12) == wire::kEtherIpv4;
  const std::size_t header = v4 ? (std::to_integer<std::size_t>(p[kIp]) & 0xf) * 4 : wire::kIpv6Header;
  if (p.size() < kIp + header + wire::kTcpHeader || header < wire::kIpv4Header) return;
  Ip a, b;
  if (v4) {
    store_be(p.data() + kIp + 10, std::uint16_t{0});
    store_be(p.data() + kIp + 10,
             static_cast<std::uint16_t>(~wire::ones_sum(ByteView(p).subspan(kIp, header))));
    a = Ip::v4(load_be<std::uint32_t>(p.data() + kIp + 12));
    b = Ip::v4(load_be<std::uint32_t>(p.data() + kIp + 16));
  } else {
    const auto word = [&p](std::size_t at) { return load_be<std::uint64_t>(p.data() + kIp + at); };
    a = Ip::v6(word(8), word(16));
    b = Ip::v6(word(24), word(32));
  }
  std::byte* tcp = p.data() + kIp + header;
  const auto length = static_cast<std::uint32_t>(p.size() - kIp - header);
  store_be(tcp + 16, std::uint16_t{0});
  const auto sum =
      wire::sum_add(wire::pseudo_header_sum(a, b, length), wire::ones_sum(ByteView(tcp, length)));
  store_be(tcp + 16, static_cast<std::uint16_t>(~sum));
}

}  // namespace braid::kit
