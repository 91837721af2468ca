// A segment is a packet buffer whose payload some queue holds; its descriptor lives in the buffer's private
// area, so that one currency, rte_mbuf, serves from the receive burst to the retransmission queue.
//
// Receiving, a segment is in exactly one place (a reassembly tree or a queue). Sending, it may stand in two
// at once: in its session's data queue until the DATA_ACK, and in a connection's retransmission queue until
// the TCP acknowledgement (RFC 8684 3.3.6 wants both). It is freed when it stands in neither.
#pragma once

#include <rte_mbuf.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/bytes.hpp"
#include "base/limits.hpp"
#include "base/seq.hpp"
#include "wire/frame.hpp"

namespace braid::tcp {

struct Segment;

// Links of the one place, or the two queues, a segment stands in, and the bytes that fill the line. The head
// of a reassembly tree is such a node too.
struct Links {
  union {
    Links* parent;  // reassembly tree
    Segment* next;  // receive queue, or the session's data queue
  };
  union {
    Links* left;
    Segment* sent_next;  // a connection's send queue
  };
  union {
    Links* right;
    Segment*
        sent_later;  // on the way: the one sent after it (SentOrder); SACKed: behind its run (scoreboard)
  };
  std::uint8_t color;
  std::uint8_t flags;
  std::uint8_t path;           // sending: slot of the subflow that carried it last
  std::uint8_t transmissions;  // saturating
  union {
    std::uint32_t sent_us;  // last transmission, micros()
    std::uint32_t
        run_edge;  // reassembly: of the first piece of a run where it ends, of the last where it begins
  };
};

struct Segment : Links {
  DataSeq dsn;  // first byte, in the session's space
  struct Map {
    SubSeq first;
    std::uint16_t length = 0;  // bytes, DATA_FIN included; 0: none came
    std::uint16_t checksum = 0;
  };
  union {
    Map map{};              // receiving: the mapping that came with it
    Segment* sent_earlier;  // on the way: the one sent before it (SentOrder)
  };
  SubSeq seq;                    // first byte, in the connection's space
  std::uint16_t payload_offset;  // from buf_addr
  std::uint16_t length;          // payload bytes
  std::uint16_t sum;             // folded one's-complement sum of the payload

  enum Flag : std::uint8_t {
    kInData = 1,  // stands in the session's data queue
    kInSent = 2,  // stands in a connection's send queue
    kSacked = 4,  // the peer reported it (RFC 2018)
    kLost = 8,    // taken for lost, waits for retransmission
    kRetransmitted = 16,
    kReinject = 32,      // to be sent on another subflow
    kMapped = 64,        // receiving: carries a mapping; sending: has been given to a subflow
    kMapChecksum = 128,  // receiving: map.checksum is valid
    kCopy = 128,         // sending: a reinjected copy, not in the data queue and not counted there
  };
  [[nodiscard]] bool is(Flag f) const { return (flags & f) != 0; }
  void set(Flag f) { flags = static_cast<std::uint8_t>(flags | f); }
  void clear(Flag f) { flags = static_cast<std::uint8_t>(flags & ~f); }
  [[nodiscard]] SubSeq end() const { return seq + length; }
  [[nodiscard]] DataSeq data_end() const { return dsn + length; }
};

// Bytes of mbuf private area that every pool must reserve.
inline constexpr std::uint16_t kSegmentPrivSize = 64;
static_assert(sizeof(Segment) <= kSegmentPrivSize);

inline Segment& segment_of(rte_mbuf* m) { return *static_cast<Segment*>(rte_mbuf_to_priv(m)); }
inline rte_mbuf* mbuf_of(Segment& s) {
  return reinterpret_cast<rte_mbuf*>(reinterpret_cast<std::byte*>(&s) - sizeof(rte_mbuf));
}
inline std::byte* payload_of(Segment& s) {
  return static_cast<std::byte*>(mbuf_of(s)->buf_addr) + s.payload_offset;
}

// Turns a received frame's buffer into a segment that covers its payload.
inline Segment& make_segment(rte_mbuf* m, const wire::TcpFrame& frame) {
  Segment& s = segment_of(m);
  s.next = nullptr;
  s.sent_next = nullptr;
  s.dsn = DataSeq{};
  s.seq = frame.seq + (frame.has(wire::kSyn) ? 1U : 0U);
  s.payload_offset = static_cast<std::uint16_t>(m->data_off + frame.payload_offset);
  s.length = frame.payload_length;
  s.sum = frame.payload_sum;
  s.map = {};
  s.flags = 0;
  s.path = 0;
  s.transmissions = 0;
  return s;
}

inline void free_segment(Segment& s) { rte_pktmbuf_free(mbuf_of(s)); }

// Drops the first `n` bytes (n <= length), which the owner already has.
void trim_front(Segment& s, std::uint16_t n);
// Keeps the first `n` bytes (n <= length).
void trim_back(Segment& s, std::uint16_t n);

// A new segment over the same bytes (an indirect mbuf: nothing is copied); nullptr when no buffer is free.
Segment* clone_segment(rte_mempool* pool, Segment& s);
// Cuts `s` after `n` bytes (0 < n < length) and returns the rest as a segment of its own; nullptr when no
// buffer is free, `s` being untouched then.
Segment* split_segment(rte_mempool* pool, Segment& s, std::uint16_t n);

// Copies a small segment's bytes behind those of `into`, which may then hold up to `most` bytes, and frees
// it. False: `s` is not small, there is no room, or somebody else reads the buffer of `into`.
bool append_small(Segment& into, Segment& s, std::uint32_t most);

// First in, first out, linked through Segment::next.
class SegmentQueue {
 public:
  [[nodiscard]] bool empty() const { return head_ == nullptr; }
  [[nodiscard]] Segment* front() const { return head_; }
  [[nodiscard]] Segment* back() const { return tail_; }
  void push_back(Segment& s) {
    s.next = nullptr;
    (head_ == nullptr ? head_ : tail_->next) = &s;
    tail_ = &s;
  }
  // At the end, behind or, if small, inside the last one, which may hold up to `most` bytes.
  void take(Segment& s, std::uint32_t most) {
    if (s.length > limits::kSmallSegment || head_ == nullptr || !append_small(*tail_, s, most)) push_back(s);
  }
  Segment* pop_front() {
    Segment* s = head_;
    if (s != nullptr && (head_ = s->next) == nullptr) tail_ = nullptr;
    return s;
  }
  // Puts `s` behind `where`, which stands in this queue.
  void insert_after(Segment& where, Segment& s) {
    s.next = where.next;
    where.next = &s;
    if (tail_ == &where) tail_ = &s;
  }
  void append(SegmentQueue& other) {
    if (other.head_ == nullptr) return;
    (head_ == nullptr ? head_ : tail_->next) = other.head_;
    tail_ = other.tail_;
    other.head_ = other.tail_ = nullptr;
  }
  void free_all() {
    while (Segment* s = pop_front()) free_segment(*s);
  }

 private:
  Segment* head_ = nullptr;
  Segment* tail_ = nullptr;
};

}  // namespace braid::tcp
