// The seam between transport and relay. A plain TCP connection and an MPTCP session look the same from above:
// a queue of received segments, a place to write segments, and a state that is looked at, not called back.
#pragma once

#include <cstdint>

#include "tcp/context.hpp"
#include "tcp/segment.hpp"

namespace braid::tcp {

enum class StreamState : std::uint8_t {
  opening,  // handshake under way
  open,
  failed,  // ended without a clean close by both sides; `failure()` tells how
  closed,  // both directions ended cleanly and all bytes were acknowledged
};

enum class Failure : std::uint8_t {
  none,
  refused,      // the peer answered our SYN by a reset
  reset,        // RST or MP_FASTCLOSE from the peer
  timed_out,    // the peer no longer answers
  unreachable,  // no route, or no buffer to begin with
  aborted,      // by our own user
  internal,     // a broken invariant
};

// Whoever uses a stream: told that there is reason to look at it.
class StreamUser {
 public:
  virtual ~StreamUser() = default;
  virtual void touch(Context& ctx) = 0;
};

class Stream {
 public:
  virtual ~Stream() = default;

  [[nodiscard]] virtual StreamState state() const = 0;
  [[nodiscard]] virtual Failure failure() const = 0;

  // Received, in order, not yet taken. The user takes segments out; they count against the window until
  // consume() gives their bytes back.
  virtual SegmentQueue& inbox() = 0;
  virtual void consume(Context& ctx, std::uint32_t bytes) = 0;
  // The peer has ended its direction and everything before that has been put into the inbox.
  [[nodiscard]] virtual bool peer_finished() const = 0;

  // Takes the segments over, in order, to be sent; their payload is not touched. Not after shutdown().
  virtual void write(Context& ctx, SegmentQueue& segments) = 0;
  // Bytes whose buffers were freed since the last call, because the peer acknowledged them.
  virtual std::uint32_t take_freed() = 0;
  // Written and not yet freed.
  [[nodiscard]] virtual std::uint32_t unfreed() const = 0;
  // Freed and not yet asked for by take_freed().
  [[nodiscard]] virtual std::uint32_t freed() const = 0;
  // Received in order and not yet given back by consume().
  [[nodiscard]] virtual std::uint32_t held() const = 0;
  // Part of unfreed(): the peer has all of it, but buffers are held by a path that has not heard so.
  [[nodiscard]] virtual std::uint32_t kept() const { return 0; }
  // Round trip to the peer, on the slowest path in use, us; 0: not measured yet.
  [[nodiscard]] virtual std::uint32_t round_trip() const = 0;
  // More than one path carries it.
  [[nodiscard]] virtual bool several_paths() const { return false; }
  // Whether the user has no room to write more, whatever it has.
  virtual void hold_back(bool /*full*/) {}
  // Ends our direction after everything written. Idempotent.
  virtual void shutdown(Context& ctx) = 0;
  // Everything written and the end of our direction were acknowledged.
  [[nodiscard]] virtual bool our_end_acknowledged() const = 0;
  // Tells the peer that the stream is broken: RST, or MP_FASTCLOSE.
  virtual void abort(Context& ctx) = 0;
  // The user is gone; the stream ends by itself and is freed by its owner. No call may follow.
  virtual void release(Context& ctx) = 0;

  // Payload bytes a segment to this peer can carry with all options it will have.
  [[nodiscard]] virtual std::uint16_t segment_room() const = 0;
  // Largest buffer this stream may hold in its receive direction, bytes.
  virtual void set_budget(std::uint32_t bytes) = 0;

  StreamUser* user = nullptr;
};

}  // namespace braid::tcp
