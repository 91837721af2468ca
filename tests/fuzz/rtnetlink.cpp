// libFuzzer target: any bytes as what the kernel says over rtnetlink. Each event says something usable, and
// routes lead out of the mirror's own ports.
#include <libmnl/libmnl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "mirror/kernel_view.hpp"

namespace {

using namespace braid;

[[noreturn]] void broken(const char* what) {
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void check(const mirror::Event& event) {
  const auto* route = std::get_if<mirror::RouteEvent>(&event);
  if (route != nullptr && route->hops.empty()) broken("a route without a hop");
  if (route != nullptr && route->prefix.length > (route->prefix.ip.is_v4() ? 32 : 128))
    broken("a prefix too long");
  const auto* address = std::get_if<mirror::AddressEvent>(&event);
  if (address != nullptr && address->address.length > (address->address.ip.is_v4() ? 32 : 128))
    broken("an address's prefix too long");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::uint8_t kPorts = 4;
  std::vector<mirror::Device> devices;
  for (std::uint8_t i = 0; i < kPorts; ++i) devices.push_back({i, i + 1});
  mirror::KernelView view(devices);
  std::vector<Ip> seen{Ip::v4(0), Ip::v6(0, 0)};
  while (size >= sizeof(nlmsghdr)) {
    nlmsghdr header{};
    std::memcpy(&header, data, sizeof header);
    if (header.nlmsg_len < sizeof header || header.nlmsg_len > size) break;
    // A heap copy of the exact size lets ASan see a read of one byte too many. Messages fill whole words.
    const std::unique_ptr<std::uint8_t[]> copy(new std::uint8_t[MNL_ALIGN(header.nlmsg_len)]());
    std::memcpy(copy.get(), data, header.nlmsg_len);
    const std::size_t step = std::min<std::size_t>(MNL_ALIGN(header.nlmsg_len), size);
    data += step;
    size -= step;
    const auto event = mirror::parse_event(reinterpret_cast<const nlmsghdr*>(copy.get()));
    if (!event) continue;
    check(*event);
    view.apply(*event);
    if (const auto* n = std::get_if<mirror::NeighbourEvent>(&*event)) seen.push_back(n->ip);
    if (const auto* r = std::get_if<mirror::RouteEvent>(&*event)) seen.push_back(r->prefix.ip);
  }
  const wire::RouteTable table = view.table();
  for (const Ip& ip : seen) {
    const auto hop = table.resolve(ip);
    if (hop && hop->port >= kPorts) broken("a port that is not the mirror's");
    const auto source = table.source_for(ip);
    if (source && source->is_v4() != ip.is_v4()) broken("a source address of the other family");
  }
  for (const auto& [port, ip] : view.stale_to_probe(Instant{}, Duration{1}, 2))
    if (!view.mac_of({port, ip})) broken("a stale neighbour without an address");
  return 0;
}
