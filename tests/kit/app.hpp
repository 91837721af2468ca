// A program at the end of a stream: sends a known pattern, checks what it receives against another.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>

#include "base/bytes.hpp"
#include "tcp/stream.hpp"

namespace braid::kit {

inline constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

// Bytes [offset, offset + out.size()) of the endless pattern named `key`.
void pattern(std::uint64_t key, std::uint64_t offset, ByteSpan out);

struct Plan {
  std::uint64_t send = 0;  // bytes of our pattern
  std::uint64_t send_key = 1;
  std::uint64_t expect_key = 2;                   // of what is received
  bool echo = false;                              // send back what comes, instead of a pattern
  bool finish = true;                             // end our direction when everything is sent
  bool finish_after_peer = false;                 // but not before the peer has ended its own
  std::uint64_t send_after = 0;                   // bytes to receive before sending
  std::uint64_t abort_after_received = kNoLimit;  // reset when so much has come
  std::uint64_t abort_after_sent = kNoLimit;      // ... or has been written
  bool abort_on_fin = false;                      // answer the peer's end by a reset
  double read_rate = 0;                           // bytes per second taken from the stream; 0: as they come
  std::uint64_t stop_reading_at = kNoLimit;       // takes no more after that many bytes
  std::uint16_t piece = 0;                        // payload per segment; 0: what the stream can carry
  std::uint32_t ahead = 256 << 10;                // bytes written and unacknowledged at most
  // What a box that changes bytes makes of the stream received; nothing: none does.
  std::function<void(std::uint64_t offset, ByteSpan out)> altered{};
};

class App final : public tcp::StreamUser {
 public:
  App(tcp::Stream& stream, const Plan& plan, Instant now);

  void touch(tcp::Context& ctx) override;
  // Reads, writes, ends. Called when dirty or when `wake_at` has come.
  void run(tcp::Context& ctx);
  void abort(tcp::Context& ctx);

  [[nodiscard]] bool dirty() const { return dirty_; }
  [[nodiscard]] Instant wake_at() const { return wake_at_; }
  [[nodiscard]] bool released() const { return stream_ == nullptr; }
  [[nodiscard]] tcp::Stream* stream() { return stream_; }
  // Both directions ended cleanly and everything of ours was acknowledged.
  [[nodiscard]] bool ended_cleanly() const { return clean_; }
  [[nodiscard]] tcp::Failure failure() const { return failure_; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t written() const { return written_; }
  [[nodiscard]] bool saw_fin() const { return saw_fin_; }
  [[nodiscard]] bool opened() const { return opened_; }
  // Offset of the first byte that was not the expected one; kNoLimit: none.
  [[nodiscard]] std::uint64_t wrong_at() const { return wrong_at_; }
  // The same for the altered stream, and for bytes that belong to neither.
  [[nodiscard]] std::uint64_t unaltered_at() const { return unaltered_at_; }
  [[nodiscard]] std::uint64_t foreign_at() const { return foreign_at_; }
  [[nodiscard]] Instant last_byte_at() const { return last_byte_at_; }
  [[nodiscard]] Duration longest_gap() const { return longest_gap_; }
  // Measures gaps anew; the one under way counts whole.
  void forget_gaps() { longest_gap_ = Duration{0}; }
  void resume_reading() { plan_.stop_reading_at = kNoLimit; }
  Plan& plan() { return plan_; }

 private:
  void read(tcp::Context& ctx);
  void check(const tcp::Segment& s);
  void check_altered(ByteView got, std::uint64_t offset, ByteView want);
  void write(tcp::Context& ctx);
  void let_go(tcp::Context& ctx);

  tcp::Stream* stream_;
  Plan plan_;
  bool dirty_ = true;
  bool opened_ = false;
  bool clean_ = false;
  bool saw_fin_ = false;
  bool finished_ = false;
  tcp::Failure failure_ = tcp::Failure::none;
  std::uint64_t received_ = 0;
  std::uint64_t written_ = 0;
  std::uint64_t wrong_at_ = kNoLimit;
  std::uint64_t unaltered_at_ = kNoLimit;
  std::uint64_t foreign_at_ = kNoLimit;
  Instant began_;
  Instant last_byte_at_;
  Duration longest_gap_{0};
  Instant wake_at_ = kNever;
};

}  // namespace braid::kit
