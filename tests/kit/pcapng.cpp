#include "kit/pcapng.hpp"

#include <cstdint>
#include <fstream>

namespace braid::kit {

namespace {

// Blocks are in the writer's byte order; the section's magic tells which.
class Blocks {
 public:
  void u16(std::uint16_t v) { raw(&v, sizeof v); }
  void u32(std::uint32_t v) { raw(&v, sizeof v); }
  void bytes(const void* data, std::size_t n) {  // padded to 32 bits
    raw(data, n);
    out_.append((4 - n % 4) % 4, '\0');
  }
  void option(std::uint16_t code, const std::string& value) {
    u16(code);
    u16(static_cast<std::uint16_t>(value.size()));
    bytes(value.data(), value.size());
  }
  void begin(std::uint32_t type) {
    start_ = out_.size();
    u32(type);
    u32(0);
  }
  void end() {
    const auto length = static_cast<std::uint32_t>(out_.size() - start_ + 4);
    u32(length);
    out_.replace(start_ + 4, 4, reinterpret_cast<const char*>(&length), 4);
  }
  [[nodiscard]] const std::string& text() const { return out_; }

 private:
  void raw(const void* data, std::size_t n) { out_.append(static_cast<const char*>(data), n); }
  std::string out_;
  std::size_t start_ = 0;
};

constexpr std::uint32_t kSection = 0x0a0d0d0a;
constexpr std::uint32_t kInterface = 1;
constexpr std::uint32_t kEnhancedPacket = 6;

}  // namespace

bool write_pcapng(const std::string& path, const std::string& interface,
                  const std::vector<Captured>& packets) {
  Blocks b;
  b.begin(kSection);
  b.u32(0x1a2b3c4d);
  b.u16(1);
  b.u16(0);
  b.u32(0xffffffff);  // section length unknown
  b.u32(0xffffffff);
  b.end();
  b.begin(kInterface);
  b.u16(1);  // LINKTYPE_ETHERNET
  b.u16(0);
  b.u32(0);                             // no snap length
  b.option(2, interface);               // if_name
  b.option(9, std::string(1, '\x09'));  // if_tsresol: 10^-9
  b.option(0, "");
  b.end();
  for (const Captured& c : packets) {
    const auto ns = static_cast<std::uint64_t>(c.at.time_since_epoch().count());
    const auto size = static_cast<std::uint32_t>(c.packet.size());
    b.begin(kEnhancedPacket);
    b.u32(0);
    b.u32(static_cast<std::uint32_t>(ns >> 32));
    b.u32(static_cast<std::uint32_t>(ns));
    b.u32(size);
    b.u32(size);
    b.bytes(c.packet.data(), c.packet.size());
    const std::uint32_t direction = c.inbound ? 1 : 2;
    b.option(2, std::string(reinterpret_cast<const char*>(&direction), 4));  // epb_flags
    b.option(0, "");
    b.end();
  }
  std::ofstream file(path, std::ios::binary);
  file.write(b.text().data(), static_cast<std::streamsize>(b.text().size()));
  return file.good();
}

}  // namespace braid::kit
