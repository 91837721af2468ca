// libFuzzer target: any bytes as a frame. Accepted segments must survive being written and parsed again.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "fuzz/reemit.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace braid;
  // A heap copy of the exact size lets ASan see a read of one byte too many.
  const auto* bytes = reinterpret_cast<const std::byte*>(data);
  const std::vector<std::byte> frame(bytes, bytes + size);
  static wire::TcpFrame out;
  for (const auto trust : {wire::Trust::verify, wire::Trust::checksum_good}) {
    if (wire::parse_frame(frame, trust, out) != wire::FrameKind::tcp) continue;
    const std::string broken = fuzz::check_rewritten(frame, out);
    if (!broken.empty() || to_string(out).empty()) {
      std::fprintf(stderr, "%s\n", broken.c_str());
      std::abort();
    }
  }
  return 0;
}
