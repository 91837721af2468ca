// SYN cookies (RFC 4987 3.6): what a SYN said, kept in the SYN/ACK's own numbers until the third ACK brings
// it back. So a flood of SYNs takes no memory.
#pragma once

#include <cstdint>
#include <optional>

#include "base/address.hpp"
#include "base/random.hpp"
#include "base/seq.hpp"
#include "base/time.hpp"

namespace braid::engine {

class SynCookie {
 public:
  static constexpr Duration kSlot = std::chrono::seconds(64);  // a cookie is good for one to two of them

  // What comes back of the SYN: its MSS rounded down to one of eight; the rest in the timestamp, if there is
  // one.
  struct Kept {
    std::uint16_t mss = 536;
    bool sack = false;
    bool scaled = false;
    std::uint8_t scale = 0;
  };

  explicit SynCookie(SipKey key) : key_(key) {}

  // Initial sequence number for the SYN of `flow` with number `peer`.
  [[nodiscard]] SubSeq make(const Flow& flow, SubSeq peer, const Kept& kept, Instant now) const;
  // What the SYN said, if `ours` was made for it lately. `stamp`: the timestamp echoed, 0: none.
  [[nodiscard]] std::optional<Kept> check(const Flow& flow, SubSeq peer, SubSeq ours, std::uint32_t stamp,
                                          Instant now) const;

  // Whether that number's time is one of which cookies are good.
  [[nodiscard]] static bool timely(SubSeq ours, Instant now);

  // `stamp` with the options of the SYN in its lowest six bits, never in the future.
  static std::uint32_t write_stamp(std::uint32_t stamp, const Kept& kept);

  // The n-th of the keys that an MP_CAPABLE SYN may be answered with.
  [[nodiscard]] std::uint64_t session_key(const Flow& flow, SubSeq peer, SubSeq ours, unsigned n) const;

 private:
  [[nodiscard]] std::uint32_t mac(const Flow& flow, SubSeq peer, std::uint32_t head,
                                  std::uint32_t options) const;
  SipKey key_;
};

}  // namespace braid::engine
