// libFuzzer target: TCP flags, payload length (two bytes), then up to 40 option bytes.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fuzz/reemit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace braid;
  if (size < 3 || size > 3 + wire::kMaxOptionBytes) return 0;
  const std::uint8_t flags = data[0];
  const std::size_t payload = static_cast<std::size_t>(data[1]) << 8 | data[2];
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> options(bytes + 3, bytes + size);
  static wire::TcpOptions out;
  wire::parse_tcp_options(options, flags, payload, out);
  const std::string broken = fuzz::check_reemission(out, flags, payload);
  if (!broken.empty()) {
    std::fprintf(stderr, "%s\n", broken.c_str());
    std::abort();
  }
  return 0;
}
